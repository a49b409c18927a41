"""HTTP: every row of the contract, in both languages, as the OpenAPI document describes it."""

import asyncio
import json
import re
import urllib.parse

import openapi_spec_validator
import pytest
from http_json import get, post, request
from openapi import Document
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MESSAGES = "/api/rooms/{room_id}/messages"
MEMBERS = "/api/rooms/{room_id}/members"


@pytest.fixture
def server(serve, tls):
    return serve(tls=tls)


@pytest.fixture
async def document(server):
    return await beside(Document, server)


async def beside(call, *arguments, **options):
    """Runs what blocks beside the event loop."""
    return await asyncio.to_thread(call, *arguments, **options)


async def heard(client, kind):
    """What comes next of this type."""
    while True:
        message = json.loads(await client.recv())
        if message["type"] == kind:
            return message


async def join(client, room):
    await client.send(json.dumps({"type": "join_room", "room_id": room, "id": 1}))
    await heard(client, "ok")


@pytest.mark.parametrize("lang", ["tr", "en"])
async def test_the_document_is_valid(server, lang):
    reply = await beside(get, server, "/openapi.json", Accept_Language=lang)
    openapi_spec_validator.validate(reply.json)
    assert reply.json["openapi"].startswith("3.1.")


async def test_a_message_of_http_reaches_every_dialect_with_equal_content(server, document, open_client):
    room = await open_client(server, "/ws/chat/genel?user_id=r&username=R%C4%B1za")
    rooms = await open_client(server, "/ws/s?username=Suna&lang=en")
    await heard(room, "room_members")
    await join(rooms, "genel")
    text = "Günaydın 🎈\n{}"
    said = {"message": text, "username": "Ayşe"}
    reply = await beside(document.ask, "POST", "/api/rooms/genel/messages", MESSAGES, said)
    assert reply.status == 200
    position = reply.json
    assert position["seq"] == 1 and isinstance(position["epoch"], str)
    message = await heard(room, "message")
    chat = await heard(rooms, "chat")
    assert (message["content"], chat["message"]) == (text, text)
    assert (message["user_id"], chat["client_id"]) == ("http", "http")
    assert message["username"] == chat["username"] == "Ayşe"
    assert message["timestamp"] == chat["timestamp"] and ISO.fullmatch(chat["timestamp"])
    assert {"epoch": chat["epoch"], "seq": chat["seq"]} == position

    await room.send("from room")
    await heard(rooms, "chat")
    await rooms.send(json.dumps({"type": "get_history", "room_id": "genel"}))
    over_websocket = await heard(rooms, "message_history")
    assert over_websocket["messages"][0] == chat
    over_http = await beside(document.ask, "GET", "/api/rooms/genel/messages", MESSAGES)
    assert over_http.json == over_websocket


async def test_the_rooms_are_listed_with_their_users(server, document, open_client):
    for room in ("b", "a"):
        for _ in range(2):
            await join(await open_client(server, "/ws/s?username=Suna"), room)
    users = [{"client_id": "s", "username": "Suna"}]
    listed = [{"room_id": room, "member_count": 1, "members": users} for room in ("a", "b")]
    reply = await beside(document.ask, "GET", "/rooms")
    assert reply.json == {"rooms": listed, "page": 1, "total_pages": 1}
    reply = await beside(document.ask, "GET", "/rooms?page=2&per_page=1", "/rooms")
    assert reply.json == {"rooms": listed[1:], "page": 2, "total_pages": 2}
    reply = await beside(document.ask, "GET", "/rooms?page=3&per_page=1", "/rooms")
    assert reply.json == {"rooms": [], "page": 3, "total_pages": 2}
    reply = await beside(document.ask, "GET", "/api/stats")
    assert reply.json == {"total_connections": 4, "total_rooms": 2, "rooms": {"a": 2, "b": 2}}


async def test_members_are_connections_with_their_own_rooms(server, document, open_client):
    first = await open_client(server, "/ws/s?username=Suna")
    second = await open_client(server, "/ws/s?username=Suna")
    for client, room in [(first, "a"), (second, "a"), (first, "b c")]:
        await join(client, room)
    reply = await beside(document.ask, "GET", "/api/rooms/a/members", MEMBERS)
    assert (reply.json["room_id"], reply.json["count"]) == ("a", 2)
    for member, rooms in zip(reply.json["members"], [["a", "b c"], ["a"]], strict=True):
        assert ISO.fullmatch(member.pop("connected_at"))
        assert member == {"user_id": "s", "username": "Suna", "rooms": rooms}
    reply = await beside(document.ask, "GET", "/api/rooms/x/members", MEMBERS)
    assert (reply.status, reply.json) == (200, {"room_id": "x", "members": [], "count": 0})


async def test_history_is_paged_from_the_newest(server, document):
    path = "/api/rooms/" + urllib.parse.quote("a/ğ", safe="") + "/messages"
    for number in range(1, 8):
        reply = await beside(post, server, path, {"message": str(number)})
        assert reply.json["seq"] == number
    for query, page, texts in [("", 1, "1234567"), ("?per_page=3", 1, "567"), ("?page=3&per_page=3", 3, "1")]:
        reply = await beside(document.ask, "GET", path + query, MESSAGES)
        answer = reply.json
        assert answer["type"] == "message_history"
        assert (answer["room_id"], answer["page"]) == ("a/ğ", page)
        assert answer["total_pages"] == (3 if query else 1)
        assert [message["message"] for message in answer["messages"]] == list(texts)
        assert {message["username"] for message in answer["messages"]} == {"server"}


async def test_a_repeated_key_gets_the_first_position(server, document):
    body = {"message": "x", "idempotency_key": "k"}
    replies = [await beside(document.ask, "POST", "/api/rooms/a/messages", MESSAGES, body) for _ in range(2)]
    assert replies[0].json == replies[1].json
    other = await beside(document.ask, "POST", "/api/rooms/a/messages", MESSAGES, {"message": "x"})
    assert other.json["seq"] == 2


@pytest.mark.parametrize(
    ("lang", "expected"),
    [("tr", "bir metin bekleniyordu"), ("en", "expected a text")],
)
async def test_every_wrong_field_is_named_in_the_language_of_the_reader(document, lang, expected):
    body = {"message": 5, "username": "a\nb", "idempotency_key": "k" * 65}
    reply = await beside(document.ask, "POST", "/api/rooms/a/messages", MESSAGES, body, Accept_Language=lang)
    assert reply.status == 400
    assert [error["field"] for error in reply.json["errors"]] == ["message", "username", "idempotency_key"]
    assert expected in reply.json["detail"]
    reply = await beside(document.ask, "GET", "/rooms?page=0&per_page=x", "/rooms", Accept_Language=lang)
    assert [error["field"] for error in reply.json["errors"]] == ["page", "per_page"]
    reply = await beside(document.ask, "GET", "/api/rooms/%0A/messages", MESSAGES, Accept_Language=lang)
    assert [error["field"] for error in reply.json["errors"]] == ["room_id"]


@pytest.mark.parametrize(
    ("lang", "titles"),
    [
        ("tr", ["Bulunamadı", "Bu yöntem kullanılamaz", "WebSocket gerekli", "İçerik çok büyük", "İzin yok"]),
        ("en", ["Not Found", "Method Not Allowed", "Upgrade Required", "Content Too Large", "Forbidden"]),
    ],
)
async def test_errors_are_problems_in_the_language_of_the_reader(server, lang, titles):
    large = {"message": "x" * 65_537}
    for (method, path, body, headers, status), title in zip(
        [
            ("GET", "/no/such/page", None, {}, 404),
            ("DELETE", "/rooms", None, {}, 405),
            ("GET", "/echo", None, {}, 426),
            ("POST", "/api/rooms/a/messages", large, {}, 413),
            ("POST", "/api/rooms/a/messages", {"message": "x"}, {"Origin": "https://example.com"}, 403),
        ],
        titles,
        strict=True,
    ):
        reply = await beside(request, server, method, path, body, {"Accept-Language": lang, **headers})
        assert reply.status == status
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.json == {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": reply.json["detail"],
        }


async def test_what_is_refused_is_in_no_history(server):
    path = "/api/rooms/a/messages"
    refused = await beside(request, server, "POST", path, {"message": "x"}, {"X-Forwarded-For": "192.0.2.1"})
    assert refused.status == 403 and "TELSIZ_API_KEY" in refused.json["detail"]
    assert (await beside(get, server, path)).json["messages"] == []


async def test_send_is_as_described(document):
    reply = await beside(document.ask, "GET", "/send/x?lang=en", "/send/{message}")
    assert reply.json == {"sent": "x", "response": "Your message: x"}
    reply = await beside(document.ask, "POST", "/send", body={"message": "x"})
    assert reply.json == {"sent": "x", "response": "Mesajınız: x"}


async def test_metrics_are_readable_by_prometheus(server, document, open_client):
    await join(await open_client(server, "/ws/a"), "a")
    reply = await beside(document.ask, "GET", "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(reply.text)}
    assert all(family.documentation and family.type != "unknown" for family in families.values())

    def value(name, **labels):
        samples = (sample for family in families.values() for sample in family.samples)
        [found] = [sample.value for sample in samples if sample.name == name and sample.labels == labels]
        return found

    assert families["telsiz_connections"].type == "gauge"
    assert value("telsiz_connections", app="rooms") == 1
    assert value("telsiz_connections", app="echo") == 0
    assert value("telsiz_rooms") == value("telsiz_room_members") == value("telsiz_ready") == 1
    assert value("telsiz_messages_received_total", app="rooms") == 1
    assert value("telsiz_messages_sent_total", app="rooms") == 2
    assert value("telsiz_received_bytes_total", app="rooms") > 20
    assert value("process_resident_memory_bytes") > 1 << 20
    buckets = [sample.value for sample in families["telsiz_delivery_lag_seconds"].samples if "le" in sample.labels]
    assert families["telsiz_delivery_lag_seconds"].type == "histogram"
    assert buckets == sorted(buckets) and buckets[-1] == value("telsiz_delivery_lag_seconds_count")


async def test_connections_are_listed_and_ended_as_described(server, document, open_client):
    client = await open_client(server, "/ws/a?username=Ali")
    await join(client, "oda")
    reply = await beside(document.ask, "GET", "/api/connections")
    [listed] = [each for each in reply.json["connections"] if each["user_id"] == "a"]
    assert (listed["app"], listed["username"], listed["rooms"], listed["queue"]) == ("rooms", "Ali", ["oda"], 0)
    template = "/api/connections/{id}"
    reply = await beside(document.ask, "DELETE", f"/api/connections/{listed['id']}", template)
    assert reply.json == {"id": listed["id"]}
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await client.recv()
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "Ended by the operator")
    reply = await beside(document.ask, "DELETE", f"/api/connections/{listed['id']}", template)
    assert reply.status == 404


async def test_the_rest_is_as_described(document):
    for path in ("/", "/health", "/ready", "/docs", "/openapi.json", "/schemas/room.json"):
        assert (await beside(document.ask, "GET", path)).status == 200
    page = await beside(document.ask, "GET", "/", Accept="text/html")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
