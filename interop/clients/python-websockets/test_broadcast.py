"""The app `broadcast`: every message goes to all other connections of the mount, unchanged."""

import pytest


@pytest.fixture
def server(serve, tls):
    return serve(tls=tls)


async def test_a_message_reaches_all_others_unchanged_and_in_its_kind(server, open_client):
    sender, *others = [await open_client(server, "/broadcast") for _ in range(4)]
    for message in ["merhaba ğ", b"\0\xff", "", b""]:
        await sender.send(message)
        assert [await other.recv() for other in others] == [message] * 3


async def test_the_sender_does_not_get_its_own_message(server, open_client):
    first = await open_client(server, "/broadcast")
    second = await open_client(server, "/broadcast")
    await first.send("from the first")
    assert await second.recv() == "from the first"
    await second.send("from the second")
    assert await first.recv() == "from the second"


async def test_messages_of_one_sender_arrive_in_order(server, open_client):
    sender = await open_client(server, "/broadcast")
    receiver = await open_client(server, "/broadcast")
    sent = [str(number) for number in range(500)]
    for message in sent:
        await sender.send(message)
    assert [await receiver.recv() for _ in sent] == sent


async def test_a_fragmented_message_arrives_whole(server, open_client):
    sender = await open_client(server, "/broadcast")
    receiver = await open_client(server, "/broadcast")
    await sender.send(["one ", "two ", "three"])
    assert await receiver.recv() == "one two three"


async def test_who_left_or_vanished_keeps_nobody_from_receiving(server, open_client):
    sender = await open_client(server, "/broadcast")
    leaver = await open_client(server, "/broadcast")
    vanisher = await open_client(server, "/broadcast")
    stayer = await open_client(server, "/broadcast")
    await leaver.close()
    vanisher.transport.abort()
    for number in range(20):
        await sender.send(str(number))
    assert [await stayer.recv() for _ in range(20)] == [str(number) for number in range(20)]


async def test_other_mounts_hear_nothing(server, open_client):
    sender = await open_client(server, "/broadcast")
    witness = await open_client(server, "/broadcast")
    echo = await open_client(server, "/echo")
    await sender.send("for broadcast only")
    assert await witness.recv() == "for broadcast only"
    await echo.send("for echo")
    assert await echo.recv() == "for echo"


async def test_served_alone_all_paths_are_one_mount(serve, open_client):
    server = serve("broadcast")
    sender = await open_client(server, "/")
    receiver = await open_client(server, "/anything")
    await sender.send("hello")
    assert await receiver.recv() == "hello"


async def test_two_hundred_connections_all_hear(serve, open_client):
    server = serve("broadcast")
    sender, *others = [await open_client(server, compression=None) for _ in range(200)]
    await sender.send("to everyone")
    assert [await other.recv() for other in others] == ["to everyone"] * 199
