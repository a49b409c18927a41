"""Frames that no library would send, and what only a bare socket can see."""

import pytest
from wire import CLOSE, FIN, PING, PONG, TEXT, Socket, masked


@pytest.fixture
def socket(serve):
    with Socket(serve("echo")) as socket:
        yield socket


def closed_with(socket, code):
    """The server says why, and ends the connection once we have answered."""
    assert socket.close_frame()[0] == code
    socket.send(masked(CLOSE, code.to_bytes(2, "big")))
    return socket.ended()


def test_what_came_before_a_close_is_answered_before_it(socket):
    texts = [f"message {number}".encode() for number in range(100)]
    close = (3000).to_bytes(2, "big") + "hoşça kal".encode()
    socket.send(b"".join(masked(TEXT, text) for text in texts) + masked(CLOSE, close))
    assert [socket.frame() for _ in texts] == [(TEXT, text) for text in texts]
    assert socket.frame() == (CLOSE, close)
    assert socket.ended()


def test_what_comes_after_a_close_is_discarded(socket):
    socket.send(masked(CLOSE, b"\x03\xe8") + masked(TEXT, b"too late") + masked(PING, b"too late"))
    assert socket.frame() == (CLOSE, b"\x03\xe8")
    assert socket.ended()


def test_a_burst_of_pings_is_answered_at_least_with_the_newest(socket):
    socket.send(b"".join(masked(PING, str(number).encode()) for number in range(100)) + masked(TEXT, b"end"))
    pongs = []
    while (frame := socket.frame())[0] == PONG:
        pongs.append(int(frame[1]))
    assert frame == (TEXT, b"end")
    assert pongs == sorted(pongs)
    assert pongs[-1] == 99


def test_an_unmasked_frame_is_closed_with_1002(socket):
    socket.send(bytes([FIN | TEXT, 2]) + b"hi")
    assert closed_with(socket, 1002)


@pytest.mark.parametrize("bit", [0x40, 0x20, 0x10])
def test_a_reserved_bit_is_closed_with_1002(socket, bit):
    socket.send(masked(TEXT, b"x", FIN | bit))
    assert closed_with(socket, 1002)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])
def test_a_close_code_that_may_not_be_sent_is_answered_with_1002(socket, code):
    socket.send(masked(CLOSE, code.to_bytes(2, "big")))
    assert socket.close_frame()[0] == 1002
    assert socket.ended()


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok then \xc4"],
    ids=["no-lead", "overlong", "surrogate", "past-the-last", "cut-short"],
)
def test_text_that_is_no_utf8_is_closed_with_1007(socket, text):
    socket.send(masked(TEXT, text))
    assert closed_with(socket, 1007)


def test_bad_utf8_is_noticed_before_the_message_ends(socket):
    socket.send(masked(TEXT, b"good so far \xff", bits=0))
    assert closed_with(socket, 1007)


def test_a_header_that_claims_too_much_is_told_at_once(socket):
    claim = bytes([FIN | TEXT, 0xFF]) + (1 << 40).to_bytes(8, "big") + bytes(4)
    socket.send(claim + b"x")
    assert socket.frame() == (TEXT, b'{"error":"Message too large","max_size":65536}')
    assert socket.close_frame()[0] == 1009
