"""The app `stats`: live figures, one JSON object a second."""

import re
import time

import pytest
from json_client import JsonClient

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def stats(serve, open_client, tls):
    server = serve(tls=tls)

    async def open_one(lang="tr"):
        return JsonClient(await open_client(server, f"/metrics?lang={lang}"))

    return open_one


def are_figures(figures):
    for usage in ("cpu_usage", "memory_usage", "disk_usage"):
        assert 0 <= figures[usage] <= 100
    for number in ("connections", "rooms", "messages_in_per_second", "messages_out_per_second"):
        assert figures[number] >= 0
    assert ISO.fullmatch(figures["timestamp"])
    return True


async def answer(client):
    """The next message that is no figures."""
    while "cpu_usage" in (message := await client.next()):
        pass
    return message


async def test_figures_come_at_once_and_then_every_second(stats):
    client = await stats()
    start = time.monotonic()
    assert are_figures(await client.next())
    assert time.monotonic() - start < 0.9
    assert are_figures(await client.next())
    assert are_figures(await client.next())
    assert 1.5 < time.monotonic() - start < 5


async def test_connections_are_counted(stats):
    clients = [await stats() for _ in range(3)]
    for client in clients:
        await client.next()
    assert (await clients[0].next())["connections"] == 3


@pytest.mark.parametrize(
    ("lang", "said"),
    [("tr", "type: ping değerlerinden biri bekleniyordu"), ("en", "type: expected one of ping")],
)
async def test_nothing_is_asked_of_it_but_signs_of_life(stats, lang, said):
    client = await stats(lang)
    await client.send({"type": "heartbeat"})
    await client.send({"type": "cpu"})
    assert await answer(client) == {"type": "error", "message": said}
    await client.send({"type": "ping"})
    assert await answer(client) == {"type": "pong"}


async def test_a_binary_message_is_closed_with_1003(stats):
    client = await stats()
    await client.send(b"{}")
    assert (await client.closed())[0] == 1003
