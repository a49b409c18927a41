"""Clients behind a proxy that cuts connections at random: at the end all of them have the same log."""

import asyncio
import os
import random

import pytest
from cutting_proxy import CuttingProxy
from rooms import Member
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

# One that a failed run printed plays the same choices again, as far as time allows.
SEED = int(os.environ.get("TELSIZ_SEED") or random.randrange(2**32))
CLIENTS = 10
EACH = 30
TOTAL = CLIENTS * EACH
# The log keeps 100 messages: nobody may fall further behind.
LAG = 60
ROOM = {"room_id": "genel"}
CUT = (WebSocketException, OSError, EOFError, TimeoutError)


class World:
    """What the clients of the test know of each other."""

    def __init__(self) -> None:
        self.talkers = []
        self.changed = asyncio.Event()

    def tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def until(self, condition) -> None:
        while not condition():
            await self.changed.wait()

    def newest(self) -> int:
        return max(len(talker.log) for talker in self.talkers)

    def may_publish(self) -> bool:
        everybody_is_there = all(talker.epoch for talker in self.talkers)
        return everybody_is_there and self.newest() - min(len(talker.log) for talker in self.talkers) < LAG


class Talker:
    """Publishes, repeats what was not acknowledged, listens, and comes back when it is cut off."""

    def __init__(self, name, proxy, world) -> None:
        self.name = name
        self.proxy = proxy
        self.world = world
        self.epoch = None
        self.log = []
        self.to_say = [f"{name} {number} {'x' * 200}" for number in range(EACH)]
        self.acknowledged = {}
        self.connections = 0
        self.tries = 0

    async def run(self) -> None:
        while len(self.log) < TOTAL or self.to_say:
            try:
                async with connect(f"ws://127.0.0.1:{self.proxy.port}/ws/{self.name}", proxy=None, close_timeout=1) as client:
                    self.connections += 1
                    await self.stay(Member(client))
            except CUT:
                pass

    async def stay(self, member) -> None:
        since = {"since": {"epoch": self.epoch, "seq": len(self.log)}} if self.epoch else {}
        joined = await member.request("join_room", **ROOM, **since)
        assert joined["recovered"] is bool(since), joined
        assert since or joined["seq"] == 0, joined
        assert joined["epoch"] == (self.epoch or joined["epoch"])
        self.epoch = joined["epoch"]
        self.world.tell()
        answers = asyncio.Queue()
        saying = asyncio.create_task(self.say(member, answers))
        try:
            while len(self.log) < TOTAL or self.to_say:
                message = await member.next()
                if message["type"] == "chat":
                    assert (message["seq"], message["epoch"]) == (len(self.log) + 1, self.epoch), "a gap or a repeat"
                    assert message["message"] not in self.log, "said twice"
                    self.log.append(message["message"])
                    self.world.tell()
                elif message["type"] == "ok":
                    self.acknowledged[self.to_say.pop(0)] = message["epoch"], message["seq"]
                    answers.put_nowait(message)
                else:
                    assert message["type"] == "system", message
        finally:
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)

    async def say(self, member, answers) -> None:
        while self.to_say:
            await self.world.until(self.world.may_publish)
            text = self.to_say[0]
            self.tries += 1
            await member.send({"type": "chat", **ROOM, "message": text, "idempotency_key": text[:20], "id": 0})
            await answers.get()


@pytest.mark.timeout(90)
@pytest.mark.parametrize("kills", [0, 2])
async def test_every_client_ends_with_the_same_log(serve, kills):
    print(f"TELSIZ_SEED={SEED}")
    server = serve("--rate-limit", "off")
    async with CuttingProxy(server, SEED) as proxy:
        world = World()
        world.talkers = [Talker(f"c{number}", proxy, world) for number in range(CLIENTS)]

        async def kill() -> None:
            for number in range(kills):
                await world.until(lambda: world.newest() >= TOTAL * (number + 1) // (kills + 1))
                await proxy.restart_server()

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for task in (kill(), *(talker.run() for talker in world.talkers)):
                group.create_task(task)
        print(f"{proxy.cuts} cuts, {[talker.connections for talker in world.talkers]} connections")
        tries = sum(talker.tries for talker in world.talkers)
        print(f"{tries} tries to say {TOTAL} messages")
        assert proxy.cuts > CLIENTS and tries > TOTAL, "too few to show anything"

    log = world.talkers[0].log
    assert len(set(log)) == len(log) == TOTAL
    for talker in world.talkers:
        assert talker.log == log
        assert len(talker.acknowledged) == EACH
        for text, (epoch, seq) in talker.acknowledged.items():
            assert (epoch, log[seq - 1]) == (talker.epoch, text)
        own = [text for text in log if text.startswith(f"{talker.name} ")]
        assert own == list(talker.acknowledged), "not in the order in which they were said"
