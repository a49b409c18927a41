"""Rooms above 500 connections: joins, leaves, typing and status reach only their author, lists hold 500."""

import asyncio

import pytest
from json_client import JsonClient
from rooms import room_path

LIMIT = 500


@pytest.fixture
def server(serve):
    return serve("--memory", "--rate-limit", "off")


async def crowd(in_rooms, server, count):
    """So many clients of `rooms` in one room. The first of them has read that all others joined."""

    async def enter(number):
        client = await in_rooms(server, f"u{number}")
        await client.join("genel")
        return client

    clients = [await enter(0)]
    for start in range(1, count, 50):
        clients += await asyncio.gather(*map(enter, range(start, min(start + 50, count))))
    await joined(clients[0], {f"u{number}" for number in range(1, count)})
    return clients


async def joined(client, expected):
    """Waits until it was told of all these, and of nothing else."""
    told = {}
    while len(told) < len(expected):
        message = await client.next()
        told[message["message"]] = message["type"]
    assert told == {f"{name} odaya katıldı": "system" for name in expected}


@pytest.mark.timeout(120)
async def test_above_500_connections_only_the_author_is_told_and_lists_are_cut(server, in_rooms, open_client):
    clients = await crowd(in_rooms, server, LIMIT)
    first = clients[0]

    one_more = await in_rooms(server, "one more", "genel")
    await first.hears_nothing()
    await one_more.send({"type": "typing", "room_id": "genel"})
    await one_more.send({"type": "set_status", "status": "away"})
    assert (await one_more.next())["type"] == "status"
    await first.hears_nothing()

    assert len((await first.request("get_room_members", room_id="genel"))["members"]) == LIMIT
    assert (await first.request("get_rooms"))["rooms"] == [{"room_id": "genel", "member_count": LIMIT + 1}]

    user = JsonClient(await open_client(server, room_path("genel", user_id="x", username="x")))
    assert (await user.next())["type"] == "user_joined"
    listed = await user.next()
    assert (len(listed["members"]), listed["count"]) == (LIMIT, LIMIT + 2)
    await first.hears_nothing()

    await user.send("everyone hears this")
    for client in (first, one_more, clients[-1]):
        while (heard := await client.next())["type"] != "chat":
            assert client is not first and client is not one_more, heard
        assert heard["message"] == "everyone hears this"

    assert (await one_more.request("leave_room", room_id="genel"))["type"] == "ok"
    await first.hears_nothing()

    assert (await clients[-1].request("leave_room", room_id="genel"))["type"] == "ok"
    # 500 again.
    await clients[-2].send({"type": "typing", "room_id": "genel"})
    while (heard := await first.next())["type"] != "typing":
        assert heard["message"].endswith("odadan ayrıldı"), heard
    assert heard["client_id"] == f"u{LIMIT - 2}"
