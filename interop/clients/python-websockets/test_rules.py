"""The rules for every app: origins, sub-protocols, rates."""

import json

import pytest
from http_json import get, request
from json_client import JsonClient
from websockets.exceptions import InvalidStatus

ERRORS = {
    "/chat": lambda said: {"type": "error", "nick": "server", "text": said},
    "/envelope": lambda said: {"type": "error", "payload": {"message": said}},
    "/typed": lambda said: {"type": "system", "level": "error", "message": said},
    "/metrics": lambda said: {"type": "error", "message": said},
}
PATHS = ["/echo", "/broadcast", "/ws", "/numbered", "/no/app", *ERRORS]


async def answer(client):
    """The next message that `stats` does not send by itself."""
    while "cpu_usage" in (message := await client.next()):
        pass
    return message


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", ["https://example.com", "null"])
async def test_a_page_from_elsewhere_is_refused_and_the_log_says_what_to_set(serve, open_client, path, origin):
    server = serve()
    with pytest.raises(InvalidStatus) as refused:
        await open_client(server, path, origin=origin)
    response = refused.value.response
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"
    assert f"--allow-origin {origin}" in json.loads(response.body)["detail"]
    assert "--allow-origin" in server.said() and origin in server.said()


@pytest.mark.parametrize(
    ("flags", "origin"),
    [
        ([], "http://localhost:5173"),
        ([], None),
        (["--allow-origin", "https://example.com"], "https://example.com"),
        (["--allow-origin", "null"], "null"),
        (["--allow-origin", "*"], "https://example.com"),
    ],
)
async def test_pages_of_this_machine_and_those_that_were_named_are_heard(serve, open_client, flags, origin):
    client = await open_client(serve(*flags), "/echo", origin=origin)
    await client.send("a")
    assert await client.recv() == "a"


async def test_cors_follows_the_same_list(serve):
    server = serve("--allow-origin", "https://example.com")
    for origin, allowed in [("https://example.com", True), ("https://b.example", False)]:
        reply = get(server, "/health", Origin=origin)
        assert reply.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        reply = request(server, "OPTIONS", "/send", headers=preflight)
        assert reply.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert request(server, "POST", "/send", {"message": "a"}, {"Origin": origin}).status == (200 if allowed else 403)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("offered", "selected"),
    [(["chat", "bearer.abc", "telsiz.v1"], "telsiz.v1"), (["chat", "bearer.abc"], "bearer.abc"), (["chat"], None)],
)
async def test_our_sub_protocol_is_selected_else_one_with_a_token(serve, open_client, path, offered, selected):
    client = await open_client(serve(), path, subprotocols=offered)
    assert client.subprotocol == selected


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("tr", "Çok sık mesaj gönderdiniz; {} saniye sonra yeniden deneyin"),
        ("en", "Too many messages; try again in {} seconds"),
    ],
)
@pytest.mark.parametrize("path", ERRORS)
async def test_the_1201st_message_in_a_minute_is_rejected_and_the_connection_stays(serve, open_client, path, lang, said):
    client = JsonClient(await open_client(serve(), f"{path}?lang={lang}"))
    for _ in range(1200):
        await client.send({"type": "ping"})
    for _ in range(1200):
        assert await answer(client) == {"type": "pong"}
    for _ in range(2):
        await client.send({"type": "ping"})
        told = await answer(client)
        wait = told.pop("retry_after")
        assert told.pop("error") == "Rate limit exceeded"
        assert isinstance(wait, int) and 1 <= wait <= 60
        english = said if path != "/envelope" else "Too many messages; try again in {} seconds"
        assert told == ERRORS[path](english.format(wait))


async def test_the_limit_can_be_switched_off(serve, open_client):
    client = JsonClient(await open_client(serve("--rate-limit", "off"), "/typed"))
    for _ in range(1300):
        await client.send({"type": "ping"})
    for _ in range(1300):
        assert await client.next() == {"type": "pong"}


@pytest.mark.parametrize("app", ["lobby", "envelope", "typed", "stats"])
async def test_the_schema_of_an_app_is_served(serve, app):
    schema = get(serve(), f"/schemas/{app}.json").json
    assert schema["title"] == app
    assert {"FromClient", "FromServer"} <= set(schema["$defs"])
