"""The server under Python `websocket-client`, in its blocking and in its event style."""

import json
import ssl

import pytest
import websocket
from telsiz import CERTIFICATES, LARGE, MIB, PATIENCE
from websocket import ABNF


@pytest.fixture
def open_client():
    """Opens blocking clients. They end with the test."""
    clients = []

    def open_one(server, path="/", **options):
        client = websocket.create_connection(
            server.url(path), timeout=PATIENCE, sslopt=trust(server), http_proxy_host=None, **options
        )
        clients.append(client)
        return client

    yield open_one
    for client in clients:
        client.shutdown()


def trust(server):
    return {"ca_certs": str(CERTIFICATES / "ca.pem"), "cert_reqs": ssl.CERT_REQUIRED} if server.tls else None


def close_frame(client):
    """The next frame, which must be a close: its code and reason."""
    opcode, frame = client.recv_data_frame(control_frame=True)
    assert opcode == ABNF.OPCODE_CLOSE
    return int.from_bytes(frame.data[:2], "big"), frame.data[2:].decode()


@pytest.fixture
def client(serve, open_client, tls):
    return open_client(serve("echo", *LARGE, tls=tls), "/echo")


@pytest.mark.parametrize("text", ["merhaba", "Günaydın, İstanbul!", "\U0001f4fb", ""])
def test_text_comes_back(client, text):
    client.send(text)
    assert client.recv_data() == (ABNF.OPCODE_TEXT, text.encode())


@pytest.mark.parametrize("data", [b"", bytes(range(256))], ids=["empty", "every-byte"])
def test_binary_comes_back(client, data):
    client.send_binary(data)
    assert client.recv_data() == (ABNF.OPCODE_BINARY, data)


def test_a_fragmented_message_comes_back_whole(client):
    client.send_frame(ABNF.create_frame("mer", ABNF.OPCODE_TEXT, 0))
    client.ping("between")
    client.send_frame(ABNF.create_frame("ha", ABNF.OPCODE_CONT, 0))
    client.send_frame(ABNF.create_frame("ba", ABNF.OPCODE_CONT, 1))
    opcode, pong = client.recv_data_frame(control_frame=True)
    assert (opcode, pong.data) == (ABNF.OPCODE_PONG, b"between")
    assert client.recv() == "merhaba"


def test_one_mebibyte_comes_back(client):
    data = bytes(range(256)) * (MIB // 256)
    client.send_binary(data)
    assert client.recv() == data
    client.send("x" * MIB)
    assert client.recv() == "x" * MIB


def test_a_ping_is_answered_with_its_own_payload(client):
    client.ping("are you there?")
    opcode, frame = client.recv_data_frame(control_frame=True)
    assert (opcode, frame.data) == (ABNF.OPCODE_PONG, b"are you there?")


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (3000, "hoşça kal"), (4999, "bitti")])
def test_a_close_is_echoed_with_code_and_reason(client, code, reason):
    client.send_close(code, reason.encode())
    assert close_frame(client) == (code, reason)


def test_an_oversized_message_is_told_and_closed_with_1009(serve, open_client):
    client = open_client(serve("echo"), "/echo")
    client.send("x" * 65_537)
    assert client.recv() == '{"error":"Message too large","max_size":65536}'
    assert close_frame(client)[0] == 1009


def test_a_binary_frame_to_a_text_app_is_closed_with_1003(serve, open_client):
    for path in ["/ws", "/typed"]:
        client = open_client(serve(), path)
        client.send_binary(b"\0")
        assert close_frame(client)[0] == 1003


def test_an_unknown_path_is_closed_with_1008(serve, open_client, tls):
    client = open_client(serve(tls=tls), "/nowhere")
    assert close_frame(client) == (1008, "Unknown endpoint")


def test_a_refused_handshake_shows_its_status(serve, open_client):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        open_client(serve("echo"), "/echo", header={"Sec-WebSocket-Version": "8"})
    assert refused.value.status_code == 426
    assert refused.value.resp_headers["sec-websocket-version"] == "13"


def test_a_server_that_vanishes_is_a_lost_connection(serve, open_client, tls):
    server = serve("echo", tls=tls)
    client = open_client(server, "/echo")
    server.vanish()
    with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionResetError)):
        client.recv()


def test_a_stop_closes_with_1012(serve, open_client, tls):
    server = serve(tls=tls)
    clients = [open_client(server, path) for path in ("/echo", "/broadcast", "/typed")]
    server.terminate()
    assert [close_frame(client)[0] for client in clients] == [1012] * 3


def test_relay_and_numbered_talk_between_two_clients(serve, open_client):
    server = serve()
    first, second = open_client(server, "/ws"), open_client(server, "/ws?lang=en")
    first.send("selam")
    assert first.recv() == "Mesajınız: selam"
    assert second.recv() == "From another client: selam"
    one, two = open_client(server, "/numbered"), open_client(server, "/numbered")
    assert [one.recv(), one.recv(), two.recv()] == [
        "Welcome to chat! Your ID: 1",
        "User 2 joined",
        "Welcome to chat! Your ID: 2",
    ]


class Recorder:
    """An event-style client that writes down what happens to it and answers each message with the next."""

    def __init__(self, server, path, messages, then):
        self.events, self.messages, self.then = [], list(messages), then
        self.app = websocket.WebSocketApp(
            server.url(path),
            on_open=self.opened,
            on_message=self.received,
            on_error=lambda _, error: self.events.append(("error", type(error).__name__)),
            on_close=lambda _, code, reason: self.events.append(("close", code, reason)),
        )
        self.app.run_forever(sslopt=trust(server))

    def opened(self, _):
        self.events.append("open")
        self.go_on()

    def received(self, _, message):
        self.events.append(message)
        self.go_on()

    def go_on(self):
        if self.messages:
            self.app.send(self.messages.pop(0))
        else:
            self.then(self.app)


def test_the_event_style_sees_open_messages_and_close(serve, tls):
    server = serve("echo", tls=tls)
    recorder = Recorder(server, "/echo", ["bir", "iki"], then=lambda app: app.close(status=3000, reason=b"bitti"))
    assert recorder.events[:3] == ["open", "bir", "iki"]
    assert recorder.events[-1][0] == "close"


def test_the_event_style_sees_the_servers_close_code(serve):
    server = serve()
    oversized = json.dumps({"type": "chat", "message": "x" * 70_000})
    recorder = Recorder(server, "/typed", [oversized], then=lambda _: None)
    assert recorder.events[0] == "open"
    assert json.loads(recorder.events[1])["error"] == "Message too large"
    assert recorder.events[-1][:2] == ("close", 1009)
