"""Fixtures of the suite that drives the server with Python `websockets`."""

import asyncio

import pytest
from json_client import JsonClient
from rooms import Member, room_path, rooms_path
from telsiz import Server
from websockets.asyncio.client import connect


@pytest.fixture
async def open_client():
    """Opens clients: `await open_client(server, "/echo")`. They end with the test."""
    clients = []

    async def open_one(server, path="/", **options):
        # No limit and an unbounded queue: a test that leaves messages unread can still close.
        options = {"max_size": None, "max_queue": None, "close_timeout": 5, **options}
        clients.append(await connect(server.url(path), ssl=server.ssl, proxy=None, **options))
        return clients[-1]

    yield open_one
    for closed in await asyncio.gather(*(client.close() for client in clients), return_exceptions=True):
        # When the server ended the transport while the test was still sending, asyncio stumbles over its own loop.
        if isinstance(closed, BaseException) and "'call_soon'" not in str(closed):
            raise closed


@pytest.fixture
def in_rooms(open_client):
    """Opens clients of `rooms`, named like their id: `await in_rooms(server, "ayşe", "genel")` is in that room."""

    async def open_one(server, client_id, *joined, lang="tr", **query):
        query = {"username": client_id, "lang": lang, **query}
        member = Member(await open_client(server, rooms_path(client_id, **query)), lang)
        for room in joined:
            await member.join(room)
        return member

    return open_one


@pytest.fixture
def in_room(open_client):
    """Opens clients of `room`, which have read what they are told when they join."""

    async def open_one(server, user_id, room, lang="tr", **query):
        query = {"user_id": user_id, "username": user_id, "lang": lang, **query}
        client = JsonClient(await open_client(server, room_path(room, **query)))
        assert (await client.next())["type"] == "user_joined"
        assert (await client.next())["type"] == "room_members"
        return client

    return open_one


@pytest.fixture(scope="module")
def plain():
    """A server that the tests of a file share, where each of them would only start its own."""
    server = Server("--memory")
    yield server
    server.close()
