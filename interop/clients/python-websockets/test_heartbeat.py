"""Signs of life, as a server was told to ask for them."""

import asyncio

import pytest
from json_client import JsonClient
from rooms import TEXTS


@pytest.mark.parametrize("path", ["/chat", "/ws/a", "/envelope", "/typed"])
async def test_pings_in_json_come_first_and_may_be_answered(serve, open_client, path):
    client = JsonClient(await open_client(serve("--json-ping", "on"), path))
    assert await client.next() == {"type": "ping"}
    await client.send({"type": "pong"})
    await client.hears_nothing()


async def test_who_says_nothing_is_closed_with_1001(serve, open_client):
    server = serve("--idle-timeout", "1s", "--ping-interval", "100ms")
    # It answers pings, and that is nothing said.
    client = JsonClient(await open_client(server, "/typed"))
    assert await client.closed() == (1001, "idle timeout")


@pytest.mark.parametrize("lang", ["tr", "en"])
async def test_who_falls_silent_has_left(serve, in_rooms, lang):
    server = serve("--ping-interval", "500ms", "--ping-timeout", "1s", "--close-timeout", "100ms")
    witness = await in_rooms(server, "ahmet", "genel", lang=lang)
    silent = await in_rooms(server, "ayşe", "genel", lang=lang)
    await witness.is_told("genel", TEXTS[lang]["joined"].format("ayşe"))
    # Its kernel takes what comes, and it reads none of that.
    silent.client.transport.pause_reading()
    await witness.is_told("genel", TEXTS[lang]["left"].format("ayşe"))
    await asyncio.wait_for(silent.client.close(), 15)
