"""A client that speaks JSON."""

import asyncio
import json

PATIENCE = 15


class JsonClient:
    """Wraps a client of `websockets`; nothing is waited for longer than `PATIENCE`."""

    def __init__(self, client) -> None:
        self.client = client

    async def send(self, message) -> None:
        """Sends text and bytes as they are, anything else as JSON."""
        await self.client.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def raw(self):
        return await asyncio.wait_for(self.client.recv(), PATIENCE)

    async def next(self):
        return json.loads(await self.raw())

    async def ask(self, message):
        await self.send(message)
        return await self.next()

    async def closed(self):
        """The code and the reason with which it was closed."""
        await asyncio.wait_for(self.client.wait_closed(), PATIENCE)
        return self.client.close_code, self.client.close_reason

    async def hears_nothing(self) -> None:
        """Whatever was on the way has come when a ping is answered."""
        assert await self.ask({"type": "ping"}) == {"type": "pong"}
