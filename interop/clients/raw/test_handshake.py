"""Opening handshakes that no library would send, over a bare socket."""

import base64
import hashlib

import pytest
from wire import KEY, TEXT, UPGRADE, Answer, masked, request

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ECHO_OF_HI = b"\x81\x02hi"


def send(server, head: bytes, body=True) -> Answer:
    with server.connection() as connection, connection.makefile("rb") as stream:
        connection.sendall(head)
        return Answer(stream, body)


def ask(server, **changes) -> Answer:
    """Sends an upgrade with some headers changed (or left out: `None`) and reads the answer."""
    changed = {name.replace("_", "-"): value for name, value in changes.items()}
    return send(server, request(headers={**UPGRADE, **changed}))


@pytest.fixture
def server(serve):
    return serve("echo")


def test_a_proper_upgrade_is_accepted_with_the_right_accept_header(server):
    answer = ask(server)
    accept = base64.b64encode(hashlib.sha1(KEY.encode() + GUID).digest()).decode()
    assert answer.status == 101
    assert answer.headers["sec-websocket-accept"] == accept
    assert answer.headers["upgrade"].lower() == "websocket"
    assert answer.headers["connection"].lower() == "upgrade"
    assert "sec-websocket-extensions" not in answer.headers
    assert "sec-websocket-protocol" not in answer.headers


def test_tokens_match_in_any_case_and_in_lists(server):
    assert ask(server, Connection="keep-alive, UPGRADE", Upgrade="WebSocket").status == 101


def test_header_names_match_in_any_case(server):
    assert send(server, request(headers={name.lower(): value for name, value in UPGRADE.items()})).status == 101


@pytest.mark.parametrize("version", ["8", "12", "14"])
def test_another_version_is_answered_with_426_and_the_version_we_speak(server, version):
    answer = ask(server, Sec_WebSocket_Version=version)
    assert answer.status == 426
    assert answer.headers["sec-websocket-version"] == "13"
    assert b"13" in answer.body


@pytest.mark.parametrize("version", [None, "", "x"], ids=["missing", "empty", "no-number"])
def test_no_proper_version_is_refused_and_told_the_version_we_speak(server, version):
    answer = ask(server, Sec_WebSocket_Version=version)
    assert answer.status in (400, 426)
    assert answer.body != b""


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD"])
def test_an_upgrade_by_another_method_is_answered_with_405(server, method):
    answer = send(server, request(method), body=method != "HEAD")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "key",
    [None, "", "c2hvcnQ=", "not base64 at all!!!!!!!", base64.b64encode(bytes(17)).decode()],
    ids=["missing", "empty", "short", "not-base64", "17-bytes"],
)
def test_a_key_that_is_not_sixteen_bytes_of_base64_is_answered_with_400(server, key):
    answer = ask(server, Sec_WebSocket_Key=key)
    assert answer.status == 400
    assert b"key" in answer.body.lower()


def test_two_keys_are_answered_with_400(server):
    head = request().removesuffix(b"\r\n") + f"Sec-WebSocket-Key: {KEY}\r\n\r\n".encode()
    assert send(server, head).status == 400


def test_a_missing_host_is_answered_with_400(server):
    assert ask(server, Host=None).status == 400


def test_a_head_past_eight_kibibytes_is_answered_with_431(server):
    assert ask(server, X_Long="x" * 9000).status == 431


def test_a_long_head_below_eight_kibibytes_is_accepted(server):
    assert ask(server, X_Long="x" * 7500).status == 101


def test_what_is_no_http_is_answered_with_400(server):
    assert send(server, b"BLABLA\r\n\r\n").status == 400


def test_a_head_that_comes_byte_by_byte_is_accepted(server):
    with server.connection() as connection, connection.makefile("rb") as stream:
        for byte in request():
            connection.sendall(bytes([byte]))
        assert Answer(stream).status == 101


def test_frames_that_come_with_the_handshake_are_not_lost(server):
    with server.connection() as connection, connection.makefile("rb") as stream:
        connection.sendall(request() + masked(TEXT, b"hi"))
        assert Answer(stream).status == 101
        assert stream.read(4) == ECHO_OF_HI


def test_an_upgrade_after_a_plain_request_on_the_same_connection_is_accepted(server):
    with server.connection() as connection, connection.makefile("rb") as stream:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert Answer(stream).status == 200
        connection.sendall(request() + masked(TEXT, b"hi"))
        assert Answer(stream).status == 101
        assert stream.read(4) == ECHO_OF_HI


def test_a_refused_handshake_leaves_the_server_as_it_was(server):
    assert ask(server, Sec_WebSocket_Version="8").status == 426
    assert ask(server).status == 101
