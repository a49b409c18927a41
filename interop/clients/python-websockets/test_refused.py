"""Handshakes that the server refuses, seen by Python `websockets`."""

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus


class OldClient(ClientConnection):
    """Asks for version 8 of the protocol."""

    async def handshake(self, *arguments, **options):
        send_request = self.protocol.send_request

        def send_old(request):
            del request.headers["Sec-WebSocket-Version"]
            request.headers["Sec-WebSocket-Version"] = "8"
            send_request(request)

        self.protocol.send_request = send_old
        await super().handshake(*arguments, **options)


async def test_another_version_is_refused_with_426(serve, open_client, tls):
    with pytest.raises(InvalidStatus) as refused:
        await open_client(serve("echo", tls=tls), "/echo", create_connection=OldClient)
    response = refused.value.response
    assert response.status_code == 426
    assert response.headers["Sec-WebSocket-Version"] == "13"
    assert response.body
