"""Frames over a bare socket, for what no library would send."""

import struct

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def request(method="GET", target="/echo", headers=UPGRADE) -> bytes:
    """The head of a request; a header whose value is `None` is left out."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
    return f"{method} {target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


class Answer:
    """The head of an answer, and the body that its Content-Length announces."""

    def __init__(self, stream, body=True) -> None:
        line = stream.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        self.status = int(line.split()[1])
        self.headers = {}
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        self.body = stream.read(int(self.headers.get("content-length", 0))) if body else b""


def masked(opcode: int, payload: bytes, bits: int = FIN) -> bytes:
    """One frame as a client sends it, with a masking key of zeros."""
    if len(payload) < 126:
        head = bytes([bits | opcode, 0x80 | len(payload)])
    elif len(payload) < 65_536:
        head = bytes([bits | opcode, 0x80 | 126]) + struct.pack("!H", len(payload))
    else:
        head = bytes([bits | opcode, 0x80 | 127]) + struct.pack("!Q", len(payload))
    return head + bytes(4) + payload


class Socket:
    """An open WebSocket connection without a library."""

    def __init__(self, server, target="/echo", patience=15) -> None:
        self.connection = server.connection()
        self.connection.settimeout(patience)
        self.stream = self.connection.makefile("rb")
        self.send(request(target=target))
        assert Answer(self.stream).status == 101

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def frame(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload. Servers of these tests send no fragments."""
        first, length = self.stream.read(2)
        assert first & 0xF0 == FIN, "reserved bits or a fragment"
        if length == 126:
            (length,) = struct.unpack("!H", self.stream.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.stream.read(8))
        return first & 0x0F, self.stream.read(length)

    def close_frame(self) -> tuple[int, str]:
        """The next frame, which must be a close with a code."""
        opcode, payload = self.frame()
        assert opcode == CLOSE
        return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    def ended(self) -> bool:
        """Whether the peer ended the stream here: waits for it, and fails on more bytes."""
        return self.stream.read(1) == b""

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.stream.close()
        self.connection.close()
