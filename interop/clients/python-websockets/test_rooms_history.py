"""The app `rooms`: what was said, what was missed, and saying it again."""

import asyncio

import pytest

ROOM = {"room_id": "genel"}


@pytest.fixture
def server(serve):
    return serve()


async def publish(client, count, first=1):
    """Publishes numbers, one after the other; returns the position of each."""
    positions = []
    for number in range(first, first + count):
        ok = await client.request("room_message", **ROOM, message=str(number))
        assert ok.pop("type") == "ok"
        positions.append(ok)
    client.kept.clear()
    return positions


async def page(client, **fields):
    answer = await client.request("get_history", **ROOM, **fields)
    assert set(answer) == {"type", "room_id", "page", "total_pages", "messages"}
    assert (answer["type"], answer["room_id"]) == ("message_history", "genel")
    return answer["page"], answer["total_pages"], [int(message["message"]) for message in answer["messages"]]


async def missed(client):
    """The numbers that came until a ping is answered."""
    await client.send({"type": "ping"})
    heard = []
    while (message := await client.next()) != {"type": "pong"}:
        if message["type"] == "chat":
            heard.append(int(message["message"]))
    return heard


async def test_a_page_of_history_has_the_chats_as_they_were_delivered(server, in_rooms):
    writer = await in_rooms(server, "ayşe", "genel")
    delivered = []
    for text in ("bir", "", "📻"):
        delivered.append(await writer.ask({"type": "room_message", **ROOM, "message": text}))
    reader = await in_rooms(server, "ahmet", "genel")
    expected = {"type": "message_history", **ROOM, "page": 1, "total_pages": 1, "messages": delivered}
    assert await reader.ask({"type": "get_history", **ROOM}) == expected


async def test_page_1_is_the_newest_and_within_a_page_the_oldest_is_first(server, in_rooms):
    client = await in_rooms(server, "ayşe", "genel")
    assert await page(client) == (1, 1, [])
    assert await page(client, page=7) == (7, 1, [])
    await publish(client, 7)
    assert await page(client, per_page=3) == (1, 3, [5, 6, 7])
    assert await page(client, page=2, per_page=3) == (2, 3, [2, 3, 4])
    assert await page(client, page=3, per_page=3) == (3, 3, [1])
    assert await page(client, page=4, per_page=3) == (4, 3, [])
    assert await page(client, page=2**53 - 1, per_page=3) == (2**53 - 1, 3, [])
    assert await page(client, per_page=7) == (1, 1, [1, 2, 3, 4, 5, 6, 7])


async def test_a_page_is_of_50_or_at_most_100_and_the_newest_100_are_kept(server, in_rooms):
    client = await in_rooms(server, "ayşe", "genel")
    await publish(client, 130)
    assert await page(client) == (1, 2, list(range(81, 131)))
    assert await page(client, page=2) == (2, 2, list(range(31, 81)))
    for per_page in (100, 101, 1_000_000):
        assert await page(client, per_page=per_page) == (1, 1, list(range(31, 131)))
    assert await page(client, page=2, per_page=500) == (2, 1, [])


@pytest.mark.parametrize("seq", [0, 1, 4, 5])
async def test_who_says_what_it_knows_gets_what_it_missed_in_order(server, in_rooms, seq):
    writer = await in_rooms(server, "ayşe", "genel")
    epoch = (await publish(writer, 5))[-1]["epoch"]
    reader = await in_rooms(server, "ahmet")
    joined = await reader.request("join_room", **ROOM, since={"epoch": epoch, "seq": seq})
    assert joined == {"type": "ok", **ROOM, "epoch": epoch, "seq": 5, "recovered": True}
    assert await missed(reader) == list(range(seq + 1, 6))
    await publish(writer, 1, first=6)
    while (message := await reader.next())["type"] != "chat":
        pass
    assert message["message"] == "6"


async def test_what_was_missed_looks_as_it_was_delivered(server, in_rooms):
    writer = await in_rooms(server, "ayşe", "genel")
    delivered = await writer.ask({"type": "chat", **ROOM, "message": "Merhaba!"})
    reader = await in_rooms(server, "ahmet")
    await reader.send({"type": "join_room", **ROOM, "since": {"epoch": delivered["epoch"], "seq": 0}})
    await reader.is_told("genel", "'genel' odasına katıldınız")
    assert await reader.next() == delivered


@pytest.mark.parametrize("why", ["another epoch", "beyond the newest", "no since"])
async def test_who_cannot_be_brought_up_to_date_is_told_and_gets_only_what_is_new(server, in_rooms, why):
    writer = await in_rooms(server, "ayşe", "genel")
    epoch = (await publish(writer, 5))[-1]["epoch"]
    reader = await in_rooms(server, "ahmet")
    since = {
        "another epoch": {"since": {"epoch": epoch + "x", "seq": 2}},
        "beyond the newest": {"since": {"epoch": epoch, "seq": 6}},
        "no since": {},
    }[why]
    joined = await reader.request("join_room", **ROOM, **since)
    assert joined == {"type": "ok", **ROOM, "epoch": epoch, "seq": 5, "recovered": False}
    assert await missed(reader) == []
    await publish(writer, 1, first=6)
    while (message := await reader.next())["type"] != "chat":
        pass
    assert message["message"] == "6"


async def test_a_log_that_no_longer_reaches_back_recovers_nobody(server, in_rooms):
    writer = await in_rooms(server, "ayşe", "genel")
    epoch = (await publish(writer, 105))[-1]["epoch"]
    reader = await in_rooms(server, "ahmet")
    for seq, reaches in ((4, False), (5, True), (105, True), (0, False)):
        joined = await reader.request("join_room", **ROOM, since={"epoch": epoch, "seq": seq})
        assert (joined["seq"], joined["recovered"]) == (105, reaches)
        assert await missed(reader) == (list(range(seq + 1, 106)) if reaches else [])


async def test_a_member_that_joins_again_gets_what_it_says_it_missed(server, in_rooms):
    client = await in_rooms(server, "ayşe", "genel")
    epoch = (await publish(client, 3))[-1]["epoch"]
    joined = await client.request("join_room", **ROOM, since={"epoch": epoch, "seq": 1})
    assert joined["recovered"] is True
    assert await missed(client) == [2, 3]
    await publish(client, 1, first=4)
    assert (await page(client))[2] == [1, 2, 3, 4]


async def test_a_server_in_memory_that_was_started_again_has_another_epoch(serve, in_rooms):
    first, second = serve("--memory"), serve("--memory")
    writer = await in_rooms(first, "ayşe", "genel")
    known = (await publish(writer, 2))[-1]
    client = await in_rooms(second, "ayşe")
    joined = await client.request("join_room", **ROOM, since=known)
    assert joined["recovered"] is False and joined["epoch"] != known["epoch"]


async def test_what_was_missed_comes_before_anything_newer(server, in_rooms):
    """Readers come and go while a writer goes on: none may see a gap, a repeat or another order."""
    writer = await in_rooms(server, "ayşe", "genel")
    known = (await publish(writer, 1))[0]
    names, last = ["a", "b", "c"], 500
    progress, moved = dict.fromkeys(names, 1), asyncio.Event()

    async def write():
        for number in range(2, last + 1):
            # The log keeps 100: nobody may fall further behind.
            while number - min(progress.values()) > 80:
                moved.clear()
                await moved.wait()
            await writer.send({"type": "room_message", **ROOM, "message": str(number)})

    async def read(name):
        position = known
        while position["seq"] < last:
            reader = await in_rooms(server, name)
            joined = await reader.request("join_room", **ROOM, since=position)
            assert joined["recovered"] is True
            for seq in range(position["seq"] + 1, min(position["seq"] + 15, last) + 1):
                while (message := await reader.next())["type"] != "chat":
                    pass
                assert (message["seq"], message["message"]) == (seq, str(seq))
                position = {"epoch": message["epoch"], "seq": seq}
                progress[name] = seq
                moved.set()
            reader.client.transport.abort()

    await asyncio.wait_for(asyncio.gather(write(), *map(read, names)), 50)


@pytest.mark.parametrize("kind", ["room_message", "chat"])
@pytest.mark.parametrize("key", ["k", "x" * 64, "ğ" * 32])
async def test_a_repeat_gets_the_first_position_and_is_not_sent_again(server, in_rooms, kind, key):
    client = await in_rooms(server, "ayşe", "genel")
    first = await client.request(kind, **ROOM, message="a", idempotency_key=key)
    assert (await client.next())["message"] == "a"
    await client.request(kind, **ROOM, message="between")
    assert (await client.next())["message"] == "between"
    for text in ("a", "another text"):
        assert await client.request(kind, **ROOM, message=text, idempotency_key=key) == first
    await client.send({"type": kind, **ROOM, "message": "a", "idempotency_key": key})
    await client.hears_nothing()
    history = (await client.request("get_history", **ROOM))["messages"]
    assert [message["message"] for message in history] == ["a", "between"]


async def test_a_key_is_that_of_one_client_in_one_room(server, in_rooms):
    ayse = await in_rooms(server, "ayşe", "genel", "başka")
    other_tab = await in_rooms(server, "ayşe", "genel")
    ahmet = await in_rooms(server, "ahmet", "genel")

    async def say(client, room):
        return (await client.request("chat", room_id=room, message="a", idempotency_key="k"))["seq"]

    assert await say(ayse, "genel") == 1
    assert await say(ahmet, "genel") == 2
    assert await say(ayse, "başka") == 1
    assert await say(other_tab, "genel") == 1
    assert await say(ahmet, "genel") == 2


async def test_repeats_that_race_each_other_end_up_once(server, in_rooms):
    tabs = [await in_rooms(server, "ayşe", "genel") for _ in range(5)]
    asked = [tab.request("chat", **ROOM, message="a", idempotency_key="k") for tab in tabs]
    answers = await asyncio.gather(*asked)
    assert [answer["seq"] for answer in answers] == [1] * 5
    assert len((await tabs[0].request("get_history", **ROOM))["messages"]) == 1


async def test_what_was_said_outlives_the_server(serve, in_rooms):
    server = serve()
    writer = await in_rooms(server, "ayşe", "genel")
    known = await publish(writer, 3)
    before = (await writer.request("get_history", **ROOM))["messages"]
    repeated = await writer.request("chat", **ROOM, message="once", idempotency_key="k")
    for stop in (server.stop, server.vanish):
        # In a thread: a stop waits for what the clients here say to it.
        await asyncio.to_thread(stop)
        server.start()
        reader = await in_rooms(server, "ayşe")
        joined = await reader.request("join_room", **ROOM, since=known[0])
        assert (joined["epoch"], joined["seq"], joined["recovered"]) == (known[0]["epoch"], 4, True)
        reader.kept.clear()
        history = [await reader.next() for _ in range(3)]
        assert history[:2] == before[1:]
        assert await reader.request("chat", **ROOM, message="once", idempotency_key="k") == repeated
        assert (await reader.request("get_history", **ROOM))["messages"] == [before[0], *history]
