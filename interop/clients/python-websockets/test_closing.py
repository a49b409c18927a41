"""How connections end, seen by Python `websockets`."""

import asyncio
import json

import pytest
from telsiz import LARGE, PATIENCE
from websockets.exceptions import ConnectionClosed


async def closing(client):
    """Waits for the end of a connection; returns the code and reason that the server sent."""
    await asyncio.wait_for(client.wait_closed(), PATIENCE)
    received = client.protocol.close_rcvd
    return (received.code, received.reason) if received else None


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1000, "bitti"), (3000, "hoşça kal"), (4999, "x" * 123)])
async def test_a_close_is_echoed_with_code_and_reason(serve, open_client, tls, code, reason):
    client = await open_client(serve("echo", tls=tls), "/echo")
    await client.close(code, reason)
    assert await closing(client) == (code, reason)


async def test_a_close_without_a_code_is_answered_without_a_code(serve, open_client):
    client = await open_client(serve("echo"), "/echo")
    client.protocol.send_close()
    client.send_data()
    assert await closing(client) == (1005, "")


async def test_a_message_at_the_limit_passes_and_one_byte_more_is_told_and_closed_with_1009(serve, open_client, tls):
    client = await open_client(serve("echo", tls=tls), "/echo")
    await client.send(b"x" * 65_536)
    assert await client.recv() == b"x" * 65_536
    await client.send(b"x" * 65_537)
    assert await client.recv() == '{"error":"Message too large","max_size":65536}'
    code, _ = await closing(client)
    assert code == 1009


async def test_fragments_that_pass_the_limit_together_are_closed_with_1009(serve, open_client):
    client = await open_client(serve("echo"), "/echo")
    with pytest.raises(ConnectionClosed):
        await client.send(["x" * 1000] * 66)
        await client.recv()
        await client.recv()
    assert (await closing(client))[0] == 1009


async def test_the_limit_is_what_the_flag_says(serve, open_client):
    client = await open_client(serve("echo", "--max-message-size", "10"), "/echo")
    await client.send("1234567890")
    assert await client.recv() == "1234567890"
    await client.send("12345678901")
    assert json.loads(await client.recv()) == {"error": "Message too large", "max_size": 10}
    assert (await closing(client))[0] == 1009


async def test_sixteen_mebibytes_over_the_limit_are_refused_while_still_being_sent(serve, open_client):
    client = await open_client(serve("echo"), "/echo")
    sending = asyncio.create_task(client.send(b"x" * (16 * 1024 * 1024)))
    assert json.loads(await client.recv())["error"] == "Message too large"
    assert (await closing(client))[0] == 1009
    await asyncio.gather(sending, return_exceptions=True)


async def test_more_fragments_than_allowed_are_closed_with_1008(serve, open_client):
    client = await open_client(serve("echo", "--max-fragments", "4"), "/echo")
    # The library ends every fragmented message with an empty frame of its own.
    await client.send(["1", "2", "3"])
    assert await client.recv() == "123"
    with pytest.raises(ConnectionClosed):
        await client.send(["1", "2", "3", "4", "5", "6"])
        await client.recv()
    assert await closing(client) == (1008, "Too many fragments")


@pytest.mark.parametrize("app", ["relay", "numbered", "typed"])
async def test_a_binary_frame_to_a_text_app_is_closed_with_1003(serve, open_client, tls, app):
    client = await open_client(serve(app, tls=tls))
    await client.send(b"\0\1")
    assert (await closing(client))[0] == 1003


async def test_an_unknown_path_is_accepted_and_closed_with_1008(serve, open_client, tls):
    server = serve(tls=tls)
    for path in ["/", "/nowhere", "/echo/more"]:
        client = await open_client(server, path)
        assert await closing(client) == (1008, "Unknown endpoint")


async def test_a_server_that_vanishes_is_seen_as_1006(serve, open_client, tls):
    server = serve("echo", tls=tls)
    client = await open_client(server, "/echo")
    await client.send("there?")
    assert await client.recv() == "there?"
    server.vanish()
    with pytest.raises(ConnectionClosed):
        await client.recv()
    assert client.close_code == 1006


async def test_a_stop_closes_every_client_with_1012_and_ends_the_process(serve, open_client, tls):
    server = serve(*LARGE, tls=tls)
    paths = ["/echo", "/broadcast", "/ws", "/numbered", "/typed"] * 4
    clients = [await open_client(server, path) for path in paths]
    server.terminate()
    codes = [(await closing(client))[0] for client in clients]
    assert codes == [1012] * len(paths)
    assert server.stopped() == 0
