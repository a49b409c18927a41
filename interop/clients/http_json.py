"""HTTP requests to a server under test."""

import http.client
import json


class Reply:
    """A status, headers, and a body that may be JSON."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)


def request(server, method: str, path: str, body=None, headers: dict[str, str] | None = None) -> Reply:
    headers = dict(headers or {})
    if body is not None:
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
    if server.tls:
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=15, context=server.ssl)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=15)
    try:
        connection.request(method, path, body, headers)
        return Reply(connection.getresponse())
    finally:
        connection.close()


def get(server, path: str, **headers: str) -> Reply:
    return request(server, "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def post(server, path: str, body) -> Reply:
    return request(server, "POST", path, body)
