"""A TCP proxy that cuts connections at random, in the middle of a frame as likely as not."""

import asyncio
import random

# How many bytes a connection carries before it is cut. The least is enough for a handshake and some messages.
CARRIES = (600, 12_000)


class CuttingProxy:
    """Stands before `server`. While the server is away, new connections wait."""

    def __init__(self, server, seed) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.cuts = 0
        self.there = asyncio.Event()
        self.there.set()
        self.transports = set()

    async def __aenter__(self):
        self.listener = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self.listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.listener.close()
        for transport in self.transports:
            transport.abort()

    async def restart_server(self) -> None:
        """Kills the server and starts it again."""
        self.there.clear()
        self.server.vanish()
        await asyncio.to_thread(self.server.start)
        self.there.set()

    async def _carry(self, from_client, to_client) -> None:
        try:
            await self.there.wait()
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.server.port)
        except OSError:
            to_client.transport.abort()
            return
        ends = [to_client.transport, to_server.transport]
        self.transports.update(ends)
        left = [self.random.randint(*CARRIES)]
        pumps = [self._pump(from_client, to_server, left), self._pump(from_server, to_client, left)]
        pumps = [asyncio.create_task(pump) for pump in pumps]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self.cuts += left == [0]
            self._cut(*ends)

    async def _pump(self, source, sink, left) -> None:
        try:
            while data := await source.read(1024):
                data = data[: left[0]]
                left[0] -= len(data)
                sink.write(data)
                if left[0] == 0:
                    return
                await sink.drain()
        except OSError:
            pass

    def _cut(self, client, server) -> None:
        how = self.random.choice(["reset", "end", "unnoticed by the server"])
        if how == "end":
            client.close()
            server.close()
        else:
            client.abort()
        if how == "reset":
            server.abort()
