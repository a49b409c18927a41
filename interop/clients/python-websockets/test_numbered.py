"""The app `numbered`: plain-text chat, the server numbers its clients. English always."""

import pytest


@pytest.fixture
def server(serve, tls):
    return serve(tls=tls)


async def joined(open_client, server, number, path="/numbered"):
    client = await open_client(server, path)
    assert await client.recv() == f"Welcome to chat! Your ID: {number}"
    return client


async def test_ids_start_at_one_and_the_others_hear_who_joined(server, open_client):
    first = await joined(open_client, server, 1)
    second = await joined(open_client, server, 2)
    assert await first.recv() == "User 2 joined"
    await joined(open_client, server, 3)
    assert await first.recv() == "User 3 joined"
    assert await second.recv() == "User 3 joined"


async def test_a_text_goes_to_the_others_with_the_senders_number(server, open_client):
    first = await joined(open_client, server, 1)
    second = await joined(open_client, server, 2)
    assert await first.recv() == "User 2 joined"
    await first.send("merhaba ğ")
    assert await second.recv() == "[1] merhaba ğ"
    await second.send("")
    assert await first.recv() == "[2] "


async def test_the_others_hear_who_left_however_it_happened(server, open_client):
    witness = await joined(open_client, server, 1)
    polite = await joined(open_client, server, 2)
    vanishing = await joined(open_client, server, 3)
    assert [await witness.recv() for _ in range(2)] == ["User 2 joined", "User 3 joined"]
    await polite.close()
    assert await witness.recv() == "User 2 left"
    vanishing.transport.abort()
    assert await witness.recv() == "User 3 left"


async def test_who_is_closed_for_a_binary_frame_left_too(server, open_client):
    witness = await joined(open_client, server, 1)
    offender = await joined(open_client, server, 2)
    assert await witness.recv() == "User 2 joined"
    await offender.send(b"\0")
    assert await witness.recv() == "User 2 left"


async def test_an_id_is_never_used_again(server, open_client):
    first = await joined(open_client, server, 1)
    second = await joined(open_client, server, 2)
    assert await first.recv() == "User 2 joined"
    await second.close()
    assert await first.recv() == "User 2 left"
    await joined(open_client, server, 3)
    await first.close()
    await joined(open_client, server, 4)


async def test_it_speaks_english_whatever_is_asked_for(serve, open_client):
    server = serve("--lang", "tr")
    await joined(open_client, server, 1, "/numbered?lang=tr")


async def test_ids_are_given_once_among_many(serve, open_client):
    server = serve("numbered")
    clients = [await open_client(server) for _ in range(50)]
    welcomes = [await client.recv() for client in clients]
    assert sorted(int(welcome.rpartition(" ")[2]) for welcome in welcomes) == list(range(1, 51))
