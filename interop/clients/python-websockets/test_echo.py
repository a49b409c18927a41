"""What a Python client sends to `telsiz serve echo` comes back."""

import asyncio
import random

import pytest
from telsiz import LARGE, MIB
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

TEXTS = ["merhaba", "Günaydın, İstanbul! ığüşöç", "\U0001f4fb\U0001f1f9\U0001f1f7", "\0", "x" * 125, "x" * 126, "x" * 65535, "x" * 65536]


@pytest.fixture
async def client(serve, open_client, tls):
    return await open_client(serve("echo", *LARGE, tls=tls), "/echo")


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: f"{len(text.encode())}-bytes-{ord(text[0])}")
async def test_text_comes_back_as_the_same_text(client, text):
    await client.send(text)
    assert await client.recv() == text


async def test_every_byte_value_comes_back_as_binary(client):
    data = bytes(range(256))
    await client.send(data)
    assert await client.recv() == data


async def test_empty_text_and_empty_binary_keep_their_kind(client):
    await client.send("")
    await client.send(b"")
    assert [await client.recv(), await client.recv()] == ["", b""]


async def test_a_fragmented_text_comes_back_whole(client):
    await client.send(["mer", "", "ha", "ba ", "dünya"])
    assert await client.recv() == "merhaba dünya"


async def test_a_character_split_between_fragments_is_joined(client):
    sign = "ğ".encode()
    await client.send([sign[:1], sign[1:]], text=True)
    assert await client.recv() == "ğ"


async def test_a_fragmented_binary_comes_back_whole(client):
    await client.send([b"\0\1", b"", b"\2", b"\xff" * 70_000])
    assert await client.recv() == b"\0\1\2" + b"\xff" * 70_000


async def test_a_ping_between_fragments_is_answered_before_the_message_ends(client):
    release = asyncio.Event()

    async def fragments():
        yield "one "
        await release.wait()
        yield "two"

    sending = asyncio.create_task(client.send(fragments()))
    try:
        pong = await client.ping()
        await asyncio.wait_for(pong, 5)
    finally:
        release.set()
    await sending
    assert await client.recv() == "one two"


async def test_one_mebibyte_of_text_and_of_binary_come_back(client):
    text = "Telsiz—" * (MIB // len("Telsiz—".encode()))
    data = bytes(range(256)) * (MIB // 256)
    await client.send(text)
    assert await client.recv() == text
    await client.send(data)
    assert await client.recv() == data


async def test_a_thousand_messages_sent_at_once_come_back_in_order(client):
    sent = [str(number) if number % 2 else number.to_bytes(4) for number in range(1000)]

    async def send_all():
        for message in sent:
            await client.send(message)

    sending = asyncio.create_task(send_all())
    assert [await client.recv() for _ in sent] == sent
    await sending


async def test_a_ping_is_answered_with_its_own_payload(client):
    pongs = [await client.ping(payload) for payload in (b"first", b"second", b"x" * 125)]
    assert await asyncio.wait_for(pongs[-1], 5) >= 0


async def test_an_unasked_pong_is_ignored(client):
    await client.pong(b"nobody asked")
    await client.send("still here")
    assert await client.recv() == "still here"


async def test_compression_is_agreed_on_without_takeover(client):
    assert client.response.headers["Sec-WebSocket-Extensions"] == (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    )


async def test_a_compression_offer_can_be_declined(serve, open_client):
    client = await open_client(serve("echo", "--deflate", "off"), "/echo")
    assert "Sec-WebSocket-Extensions" in client.request.headers
    assert "Sec-WebSocket-Extensions" not in client.response.headers
    await client.send("x" * 10_000)
    assert await client.recv() == "x" * 10_000


@pytest.mark.parametrize("server_bits", [None, 8, 9, 15])
@pytest.mark.parametrize("client_bits", [True, 9, 15])
async def test_messages_survive_every_window(serve, open_client, server_bits, client_bits):
    offer = ClientPerMessageDeflateFactory(server_max_window_bits=server_bits, client_max_window_bits=client_bits)
    client = await open_client(serve("echo"), "/echo", compression=None, extensions=[offer])
    agreed = client.response.headers["Sec-WebSocket-Extensions"]
    assert server_bits is None or f"server_max_window_bits={server_bits}" in agreed
    for size in [1, 1000, 1024, 20_000, 60_000]:
        for message in ["ğ" * (size // 2), random.Random(size).randbytes(size), b"ab" * (size // 2)]:
            await client.send(message)
            assert await client.recv() == message


async def test_a_sub_protocol_nobody_knows_is_not_selected(serve, open_client):
    client = await open_client(serve("echo"), "/echo", subprotocols=["nobody.knows"])
    assert client.subprotocol is None


async def test_an_app_served_alone_answers_on_every_path(serve, open_client):
    server = serve("echo")
    for path in ["/", "/echo", "/some/other/path?with=query"]:
        client = await open_client(server, path)
        await client.send(path)
        assert await client.recv() == path
