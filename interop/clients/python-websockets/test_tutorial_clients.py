"""Clients as tutorials write them: they know nothing of ours, reconnect in a loop, and sit in one room."""

import asyncio
import json

import pytest
from rooms import TEXTS
from telsiz import PATIENCE
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException


class Tutorial:
    """The loop that tutorials show."""

    def __init__(self, url, *hello) -> None:
        self.url = url
        self.hello = hello
        self.heard = asyncio.Queue()
        self.client = None

    async def run(self) -> None:
        while True:
            try:
                async with connect(self.url, proxy=None) as self.client:
                    for message in self.hello:
                        await self.client.send(json.dumps(message))
                    async for message in self.client:
                        self.heard.put_nowait(json.loads(message))
            except (OSError, WebSocketException):
                await asyncio.sleep(0.1)

    async def hears(self, kind, **fields) -> dict:
        """Waits for a message of this type with these fields; others may come before."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.heard.get()
                if message["type"] == kind and fields.items() <= message.items():
                    return message


@pytest.fixture
async def run():
    """Runs clients until the test ends."""
    tasks = []

    def start(*client):
        client = Tutorial(*client)
        tasks.append(asyncio.create_task(client.run()))
        return client

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("end", ["stop", "vanish"])
@pytest.mark.parametrize("lang", ["tr", "en"])
async def test_they_talk_and_are_together_again_after_the_server_was_away(serve, run, lang, end):
    server, say = serve(), TEXTS[lang]
    query = f"username=Ay%C5%9Fe&lang={lang}"
    in_room = run(server.url(f"/ws/chat/genel?user_id=u1&{query}"))
    await in_room.hears("room_members", members=["u1"], count=1)
    in_rooms = run(server.url(f"/ws/u2?username=Ahmet&lang={lang}"), {"type": "join_room", "room_id": "genel"})
    await in_rooms.hears("system", message=say["you_joined"].format("genel"))
    await in_room.hears("user_joined", user_id="u2", message=say["user_joined"].format("Ahmet"))

    async def talk(text):
        await in_room.client.send(text)
        await in_rooms.hears("chat", client_id="u1", username="Ayşe", message=text)
        await in_rooms.client.send(json.dumps({"type": "room_message", "room_id": "genel", "message": f"{text}!"}))
        for client in (in_room, in_rooms):
            kind, field = ("message", "content") if client is in_room else ("chat", "message")
            await client.hears(kind, username="Ahmet", **{field: f"{text}!"})

    await talk("önce")
    await asyncio.to_thread(getattr(server, end))
    server.start()
    await in_room.hears("room_members")
    await in_rooms.hears("system", message=say["you_joined"].format("genel"))
    await talk("sonra")
    await in_rooms.client.send(json.dumps({"type": "get_history", "room_id": "genel"}))
    history = (await in_rooms.hears("message_history"))["messages"]
    assert [message["message"] for message in history] == ["önce", "önce!", "sonra", "sonra!"]
