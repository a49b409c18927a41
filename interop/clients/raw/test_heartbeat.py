"""A peer that never answers pings is dropped; over a bare socket, since every library answers."""

from wire import PING, PONG, TEXT, Socket, masked

# The first ping comes within 20 s, and 20 s later at the latest what was not answered ends.
PATIENCE = 45


def test_who_never_answers_a_ping_is_closed_with_1011_and_who_does_stays(serve):
    server = serve("echo")
    with Socket(server, patience=PATIENCE) as silent, Socket(server, patience=PATIENCE) as lively:
        opcode, payload = lively.frame()
        assert opcode == PING
        lively.send(masked(PONG, payload))
        assert silent.frame()[0] == PING
        assert silent.close_frame() == (1011, "keepalive ping timeout")
        lively.send(masked(TEXT, b"still here"))
        while (frame := lively.frame())[0] == PING:
            pass
        assert frame == (TEXT, b"still here")
