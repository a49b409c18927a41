"""`kill -9` under load: what was acknowledged or delivered is there afterwards, once, where it was."""

import asyncio
import collections
import os
import random

import pytest
from rooms import Member
from websockets.exceptions import ConnectionClosed

ROUNDS = int(os.environ.get("TELSIZ_KILL_ROUNDS", 20))
# One that a failed run printed plays the same choices again.
SEED = int(os.environ.get("TELSIZ_SEED") or random.randrange(2**32))
# As many messages as are tried in a room and a round: all of them are still in its history.
TRIES = 90
HISTORY = 100


class Room:
    """What its clients know of a room."""

    def __init__(self, name) -> None:
        self.name = name
        self.epoch = None
        # Of all rounds: number to text.
        self.acknowledged = {}
        self.delivered = {}
        # Of this round.
        self.tried = 0
        self.unanswered = []

    def note(self, known, epoch, seq, text) -> None:
        self.epoch = self.epoch or epoch
        assert epoch == self.epoch
        assert known.setdefault(seq, text) == text, f"{self.name} has two messages with number {seq}"


class Load:
    """Says so when so many messages are acknowledged."""

    def __init__(self, enough) -> None:
        self.left = enough
        self.enough = asyncio.Event()

    def acknowledged(self) -> None:
        self.left -= 1
        if self.left <= 0:
            self.enough.set()


async def publish(client, client_id, room, load, choices) -> None:
    """Publishes, some messages under way at a time, until the server dies."""
    under_way = {}
    window = choices.randint(1, 8)
    try:
        while True:
            while len(under_way) < window and room.tried < TRIES:
                room.tried += 1
                text = f"{client_id} {choices.getrandbits(64):x} {'x' * choices.choice([0, 100, 3000])}"
                key = text[:60] if choices.random() < 0.7 else None
                under_way[text] = key
                message = {"type": "room_message", "room_id": room.name, "message": text, "idempotency_key": key}
                await client.send({**message, "id": text[:60]})
            heard = await client.next()
            match heard["type"]:
                case "ok":
                    text = next(text for text in under_way if text[:60] == heard["id"])
                    room.note(room.acknowledged, heard["epoch"], heard["seq"], text)
                    del under_way[text]
                    load.acknowledged()
                case "chat":
                    room.note(room.delivered, heard["epoch"], heard["seq"], heard["message"])
                case kind:
                    assert kind == "system", heard
    except ConnectionClosed:
        room.unanswered += [(client_id, text, key) for text, key in under_way.items()]


async def history(client, room):
    """What the server has for who comes new: number to text."""
    client = await client("asker")
    joined = await client.request("join_room", room_id=room.name)
    assert joined["epoch"] == (room.epoch or joined["epoch"])
    page = await client.request("get_history", room_id=room.name, per_page=HISTORY)
    await client.client.close()
    assert all(message["epoch"] == joined["epoch"] for message in page["messages"])
    numbers = [message["seq"] for message in page["messages"]]
    newest = joined["seq"]
    assert numbers == list(range(max(1, newest - HISTORY + 1), newest + 1)), "a gap, or not the newest"
    return {message["seq"]: message["message"] for message in page["messages"]}


def is_as_known(room, there) -> None:
    """The server has what its clients know, once and in its place."""
    repeated = [text for text, count in collections.Counter(there.values()).items() if count > 1]
    assert repeated == []
    oldest = min(there, default=1)
    for name in ("acknowledged", "delivered"):
        known = {seq: text for seq, text in getattr(room, name).items() if seq >= oldest}
        lost = {seq: text for seq, text in known.items() if there.get(seq) != text}
        assert lost == {}, f"{name}, and not there as it was"


async def say_again(client, room, there) -> None:
    """Repeats what got no answer: what is there keeps its place, the rest comes behind all else."""
    places = {text: seq for seq, text in there.items()}
    after = max(there, default=0)
    for client_id, text, key in room.unanswered:
        if key is None:
            continue
        owner = await client(client_id)
        assert (await owner.request("join_room", room_id=room.name))["type"] == "ok"
        answer = await owner.request("room_message", room_id=room.name, message=text, idempotency_key=key)
        after += text not in places
        expected = places.get(text, after)
        assert answer == {"type": "ok", "epoch": room.epoch or answer["epoch"], "seq": expected}
        room.note(room.acknowledged, answer["epoch"], expected, text)


@pytest.mark.timeout(600)
async def test_nothing_acknowledged_or_delivered_is_lost_in_rounds_of_kills(serve, open_client):
    print(f"TELSIZ_SEED={SEED}")
    choices = random.Random(SEED)
    server = serve("--rate-limit", "off")
    rooms = [Room(f"oda {number}") for number in range(choices.randint(2, 4))]

    async def client(client_id):
        return Member(await open_client(server, f"/ws/{client_id}"))

    for round_number in range(ROUNDS):
        load = Load(choices.randint(1, TRIES * len(rooms) - 40))
        for room in rooms:
            room.tried, room.unanswered = 0, []
        publishers = []
        for number in range(3 * len(rooms)):
            publisher, room = await client(f"c{number}"), rooms[number % len(rooms)]
            assert (await publisher.request("join_room", room_id=room.name))["type"] == "ok"
            publishers.append((publisher, f"c{number}", room, load, random.Random(choices.random())))
        publishers = [asyncio.create_task(publish(*publisher)) for publisher in publishers]
        enough = asyncio.create_task(load.enough.wait())
        await asyncio.wait([enough, *publishers], timeout=60, return_when=asyncio.FIRST_COMPLETED)
        enough.cancel()
        server.vanish()
        await asyncio.gather(*publishers)
        assert load.enough.is_set(), "a publisher ended before the kill"

        server.start()
        for room in rooms:
            there = await history(client, room)
            is_as_known(room, there)
            await say_again(client, room, there)
            is_as_known(room, await history(client, room))
        unanswered = sum(len(room.unanswered) for room in rooms)
        print(f"round {round_number}: {len(publishers)} publishers, {unanswered} messages without an answer")
