"""One room, many dialects: `room` and `rooms` share their rooms and what is said there."""

import pytest
from json_client import JsonClient
from rooms import TEXTS, room_path, timeless

LANGS = pytest.mark.parametrize("lang", ["tr", "en"])


@pytest.fixture
async def both(serve, in_room, in_rooms):
    """A user of `room` and one of `rooms`, in the same room."""
    server = serve()
    ayse = await in_room(server, "ayşe", "genel")
    ahmet = await in_rooms(server, "ahmet", "genel")
    assert (await ayse.next())["type"] == "user_joined"
    return ayse, ahmet


async def test_what_one_says_the_other_reads_in_its_own_words(both):
    ayse, ahmet = both
    for sender, sent, who, text in [
        (ayse, {"type": "message", "content": "Merhaba!"}, "ayşe", "Merhaba!"),
        (ayse, "no JSON", "ayşe", "no JSON"),
        (ahmet, {"type": "chat", "room_id": "genel", "message": "Selam!"}, "ahmet", "Selam!"),
        (ahmet, {"type": "room_message", "room_id": "genel", "message": ""}, "ahmet", ""),
    ]:
        await sender.send(sent)
        in_room, in_rooms = await ayse.next(), await ahmet.next()
        assert in_room.pop("timestamp") == in_rooms.pop("timestamp")
        assert in_room == {"type": "message", "user_id": who, "username": who, "content": text, "room_id": "genel"}
        position = in_rooms.pop("epoch"), in_rooms.pop("seq")
        assert all(position)
        assert in_rooms == {"type": "chat", "room_id": "genel", "client_id": who, "username": who, "message": text}


@LANGS
@pytest.mark.parametrize("how", ["close", "lost"])
async def test_each_hears_of_the_other_in_its_own_words(serve, in_room, in_rooms, lang, how):
    server, say = serve(), TEXTS[lang]
    first = await in_room(server, "ayşe", "genel", lang=lang)
    second = await in_rooms(server, "u2", "genel", lang=lang, username="Ahmet")
    of_second = {"user_id": "u2", "username": "Ahmet", "room_id": "genel"}
    joined = {"type": "user_joined", **of_second, "message": say["user_joined"].format("Ahmet")}
    assert timeless(await first.next()) == joined
    third = await in_room(server, "john", "genel")
    await second.is_told("genel", say["joined"].format("john"))
    assert (await first.next())["type"] == "user_joined"
    for client in (second, third):
        await client.client.close() if how == "close" else client.client.transport.abort()
        if client is second:
            left = {"type": "user_left", **of_second, "message": say["user_left"].format("Ahmet")}
            assert timeless(await first.next()) == left
    assert (await first.next())["user_id"] == "john"


@LANGS
async def test_members_of_rooms_hear_who_leaves_room(serve, in_room, in_rooms, lang):
    server = serve()
    member = await in_rooms(server, "ahmet", "genel", lang=lang)
    user = await in_room(server, "ayşe", "genel")
    await member.is_told("genel", TEXTS[lang]["joined"].format("ayşe"))
    user.client.transport.abort()
    await member.is_told("genel", TEXTS[lang]["left"].format("ayşe"))


async def test_typing_crosses(both):
    ayse, ahmet = both
    await ayse.send({"type": "typing"})
    assert await ahmet.next() == {"type": "typing", "room_id": "genel", "client_id": "ayşe", "username": "ayşe"}
    await ahmet.send({"type": "typing", "room_id": "genel"})
    assert await ayse.next() == {"type": "typing", "user_id": "ahmet", "username": "ahmet", "room_id": "genel"}
    await ayse.hears_nothing()
    await ahmet.hears_nothing()


async def test_lists_name_them_all(both, open_client, in_rooms):
    ayse, ahmet = both
    members = (await ahmet.request("get_room_members", room_id="genel"))["members"]
    assert sorted(member["client_id"] for member in members) == ["ahmet", "ayşe"]
    assert (await ahmet.request("get_rooms"))["rooms"] == [{"room_id": "genel", "member_count": 2}]
    users = (await ahmet.request("get_users"))["users"]
    assert users == {name: {"name": name, "status": "online"} for name in ("ahmet", "ayşe")}


async def test_counts_are_of_users_in_rooms_and_of_connections_in_room(serve, open_client, in_room, in_rooms):
    server = serve()
    member = await in_rooms(server, "ayşe", "genel")
    await in_rooms(server, "ayşe", "genel")
    await in_room(server, "ayşe", "genel")
    client = JsonClient(await open_client(server, room_path("genel", user_id="ahmet", username="ahmet")))
    await client.next()
    listed = await client.next()
    assert (sorted(listed["members"]), listed["count"]) == (["ahmet", "ayşe", "ayşe", "ayşe"], 4)
    assert (await member.request("get_rooms"))["rooms"] == [{"room_id": "genel", "member_count": 2}]


async def test_a_status_is_told_to_rooms_alone(both):
    ayse, ahmet = both
    await ahmet.send({"type": "set_status", "status": "away"})
    assert (await ahmet.next())["type"] == "status"
    await ayse.hears_nothing()


async def test_what_was_said_in_room_is_history_in_rooms(both, in_rooms):
    ayse, ahmet = both
    await ayse.send("bir")
    delivered = [await ahmet.next()]
    await ahmet.send({"type": "chat", "room_id": "genel", "message": "iki"})
    delivered.append(await ahmet.next())
    assert (await ahmet.request("get_history", room_id="genel"))["messages"] == delivered
    assert [message["seq"] for message in delivered] == [1, 2]
