"""The app `relay`: a receipt to the sender, the text with a prefix to everyone else, and its way over HTTP."""

import asyncio
import urllib.parse

import pytest
from http_json import get, post


@pytest.fixture
def server(serve, tls):
    return serve(tls=tls)


async def over_http(call, *arguments, **options):
    """Runs a blocking HTTP request beside the event loop."""
    return await asyncio.to_thread(call, *arguments, **options)


async def test_the_sender_gets_a_receipt_and_everyone_else_the_text_with_a_prefix(server, open_client):
    sender, *others = [await open_client(server, "/ws") for _ in range(3)]
    await sender.send("Merhaba dünya")
    assert await sender.recv() == "Mesajınız: Merhaba dünya"
    assert [await other.recv() for other in others] == ["Başka bir istemciden: Merhaba dünya"] * 2


async def test_an_empty_text_is_relayed_too(server, open_client):
    sender = await open_client(server, "/ws")
    other = await open_client(server, "/ws")
    await sender.send("")
    assert await sender.recv() == "Mesajınız: "
    assert await other.recv() == "Başka bir istemciden: "


async def test_braces_in_a_text_stay_as_they_are(server, open_client):
    sender = await open_client(server, "/ws")
    await sender.send("{} {0} {{}}")
    assert await sender.recv() == "Mesajınız: {} {0} {{}}"


async def test_each_reader_gets_its_own_language(server, open_client):
    turkish = await open_client(server, "/ws?lang=tr")
    english = await open_client(server, "/ws?lang=en")
    await turkish.send("bir")
    assert await turkish.recv() == "Mesajınız: bir"
    assert await english.recv() == "From another client: bir"
    await english.send("two")
    assert await english.recv() == "Your message: two"
    assert await turkish.recv() == "Başka bir istemciden: two"


async def test_an_unknown_language_is_ignored(server, open_client):
    client = await open_client(server, "/ws?lang=xx")
    await client.send("a")
    assert await client.recv() == "Mesajınız: a"


async def test_accept_language_does_not_decide(server, open_client):
    client = await open_client(server, "/ws", additional_headers={"Accept-Language": "en"})
    await client.send("a")
    assert await client.recv() == "Mesajınız: a"


async def test_the_servers_language_is_the_default_and_the_query_still_wins(serve, open_client):
    server = serve("--lang", "en")
    english = await open_client(server, "/ws")
    turkish = await open_client(server, "/ws?lang=tr")
    await english.send("x")
    assert await english.recv() == "Your message: x"
    assert await turkish.recv() == "Başka bir istemciden: x"


async def test_an_oversized_text_is_told_and_closed_with_1009(server, open_client):
    client = await open_client(server, "/ws")
    await client.send("x" * 65_537)
    assert await client.recv() == '{"error":"Message too large","max_size":65536}'
    await client.wait_closed()
    assert client.close_code == 1009


async def test_get_send_answers_with_the_receipt_and_reaches_every_client(server, open_client):
    client = await open_client(server, "/ws")
    text = "Günaydın dünya"
    reply = await over_http(get, server, "/send/" + urllib.parse.quote(text))
    assert reply.status == 200
    assert reply.json == {"sent": text, "response": f"Mesajınız: {text}"}
    assert await client.recv() == f"Başka bir istemciden: {text}"


async def test_post_send_answers_with_the_receipt_and_reaches_every_client(server, open_client):
    client = await open_client(server, "/ws")
    reply = await over_http(post, server, "/send", {"message": "a/b?c\nğ"})
    assert reply.status == 200
    assert reply.json == {"sent": "a/b?c\nğ", "response": "Mesajınız: a/b?c\nğ"}
    assert await client.recv() == "Başka bir istemciden: a/b?c\nğ"


async def test_send_answers_without_any_client(server):
    reply = await over_http(get, server, "/send/hello")
    assert (reply.status, reply.json) == (200, {"sent": "hello", "response": "Mesajınız: hello"})


async def test_send_speaks_the_servers_language(serve):
    reply = await over_http(get, serve("relay", "--lang", "en"), "/send/hello")
    assert reply.json == {"sent": "hello", "response": "Your message: hello"}


async def test_send_without_a_relay_answers_500_with_a_detail(serve):
    server = serve("echo")
    for reply in [await over_http(get, server, "/send/x"), await over_http(post, server, "/send", {"message": "x"})]:
        assert reply.status == 500
        assert reply.json["detail"].startswith("WebSocket hatası: ")


async def test_a_post_that_is_no_message_is_refused(server):
    for body in [{}, {"message": 5}, []]:
        reply = await over_http(post, server, "/send", body)
        assert 400 <= reply.status < 500, body


async def test_the_start_page_counts_the_connected_clients(server, open_client):
    before = await over_http(get, server, "/")
    assert before.json == {"message": "WebSocket Sunucusu Çalışıyor", "connected_clients": 0}
    clients = [await open_client(server, path) for path in ("/ws", "/ws", "/echo")]
    reply = await over_http(get, server, "/", Accept="application/json")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("application/json")
    assert reply.json == {"message": "WebSocket Sunucusu Çalışıyor", "connected_clients": len(clients)}


async def test_an_unknown_page_answers_404(server):
    assert (await over_http(get, server, "/no/such/page")).status == 404
