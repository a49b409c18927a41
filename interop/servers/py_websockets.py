"""A peer for our client, on Python `websockets`. README.md in the folder above says what each path does."""

import argparse
import asyncio
import http
import json
import socket
import ssl
import struct
import sys
import time
import urllib.parse

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

BIG = bytes(range(256)) * 4096


class Connection(ServerConnection):
    """A connection that can stop listening to its peer."""

    deaf = False

    def data_received(self, data: bytes) -> None:
        if not self.deaf:
            super().data_received(data)


class Peer:
    """The behaviours, by path."""

    def __init__(self) -> None:
        self.latest: ServerConnection | None = None

    async def handle(self, connection: ServerConnection) -> None:
        path, _, argument = self.path(connection).lstrip("/").partition("/")
        behaviour = getattr(self, "on_" + path.replace("-", "_"), None)
        if path != "last-close":
            self.latest = connection
        try:
            if behaviour is None:
                await connection.close(1008, "no such behaviour")
            else:
                await behaviour(connection, argument)
        except ConnectionClosed:
            pass

    @staticmethod
    def path(connection: ServerConnection) -> str:
        return urllib.parse.urlsplit(connection.request.path).path

    def answer(self, connection: ServerConnection, request):
        """Refuses a handshake, or lets it go on by returning nothing."""
        if urllib.parse.urlsplit(request.path).path != "/refuse":
            return None
        response = connection.respond(http.HTTPStatus.FORBIDDEN, '{"error":"not today"}')
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        response.headers["X-Refused-By"] = "peer"
        return response

    def choose(self, connection: ServerConnection, offered) -> str | None:
        wanted = self.path(connection) == "/subprotocol" and "chat" in offered
        return "chat" if wanted else None

    async def on_echo(self, connection, _):
        async for message in connection:
            await connection.send(message)

    async def on_fragments(self, connection, _):
        async def text():
            yield "mer"
            yield ""
            await connection.ping(b"between")
            yield "ha"
            yield "ba"

        await connection.send(text())
        await connection.send([b"\0\1", b"\2"])
        await self.on_echo(connection, _)

    async def on_close(self, connection, code):
        await connection.close(int(code), f"closed with {code}")

    async def on_ping(self, connection, _):
        start = time.perf_counter()
        await (await connection.ping(b"how far?"))
        await connection.send(json.dumps({"rtt_ms": (time.perf_counter() - start) * 1000}))
        await self.on_echo(connection, _)

    async def on_vanish(self, connection, how):
        await connection.recv()
        if how == "reset":
            plain = connection.transport.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.transport.abort()

    async def on_subprotocol(self, connection, _):
        await connection.send(str(connection.subprotocol))
        await self.on_echo(connection, _)

    async def on_silent(self, connection, _):
        connection.deaf = True
        await connection.wait_closed()

    async def on_big(self, connection, _):
        await connection.send(BIG)
        await self.on_echo(connection, _)

    async def on_headers(self, connection, _):
        headers = {name.lower(): value for name, value in connection.request.headers.raw_items()}
        await connection.send(json.dumps(headers))
        await self.on_echo(connection, _)

    async def on_last_close(self, connection, _):
        await self.latest.wait_closed()
        end = {"code": self.latest.close_code, "reason": self.latest.close_reason}
        await connection.send(json.dumps(end))


async def run(options: argparse.Namespace) -> None:
    tls = None
    if options.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.cert, options.key)
    peer = Peer()
    server = await serve(
        peer.handle,
        "127.0.0.1",
        0,
        ssl=tls,
        process_request=peer.answer,
        select_subprotocol=peer.choose,
        create_connection=Connection,
        max_size=None,
        ping_interval=None,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    if options.until_stdin_ends:
        await asyncio.to_thread(sys.stdin.buffer.read)
        # Whoever started this is gone: no close frames, no waiting.
        return
    await asyncio.Future()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cert", help="serve TLS with this certificate chain")
    parser.add_argument("--key", help="the key of the certificate")
    parser.add_argument("--until-stdin-ends", action="store_true", help="end when standard input does")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
