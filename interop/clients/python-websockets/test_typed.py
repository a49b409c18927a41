"""The app `typed`: messages are validated, each is answered to its sender alone."""

import json
import re

import pytest

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
CHAT = {"type": "chat", "room_id": "genel", "user_id": "u1", "username": "Ayşe", "message": "Merhaba!"}


class Client:
    """A client that speaks JSON."""

    def __init__(self, client) -> None:
        self.client = client

    async def ask(self, message):
        await self.client.send(message if isinstance(message, str) else json.dumps(message))
        return json.loads(await self.client.recv())


@pytest.fixture
async def typed(serve, open_client, tls):
    return Client(await open_client(serve(tls=tls), "/typed"))


def is_error(answer, field):
    """An answer that names one field and what was expected there."""
    assert answer["type"] == "system"
    assert answer["message"] == "Geçersiz mesaj formatı"
    assert answer["level"] == "error"
    assert [error["field"] for error in answer["errors"]] == [field]
    assert all(isinstance(error["expected"], str) and error["expected"] for error in answer["errors"])
    return True


async def test_a_chat_comes_back_with_the_time_filled_in(typed):
    answer = await typed.ask(CHAT)
    assert ISO.fullmatch(answer["timestamp"])
    assert answer == {**CHAT, "timestamp": answer["timestamp"]}


async def test_a_chat_that_brings_its_time_comes_back_as_it_is(typed):
    chat = {**CHAT, "timestamp": "2024-05-01T12:00:00.000Z"}
    assert await typed.ask(chat) == chat


@pytest.mark.parametrize("blank", ["", "   ", "\n\t"])
async def test_a_blank_chat_is_invalid(typed, blank):
    answer = await typed.ask({**CHAT, "message": blank})
    assert answer["message"] == "Geçersiz mesaj formatı"
    assert (answer["type"], answer["level"]) == ("system", "error")
    assert answer["errors"] == [{"field": "message", "expected": "Mesaj boş olamaz"}]


@pytest.mark.parametrize("field", ["room_id", "user_id", "username"])
async def test_a_chat_without_a_field_is_told_which(typed, field):
    assert is_error(await typed.ask({name: value for name, value in CHAT.items() if name != field}), field)


@pytest.mark.parametrize(
    ("field", "value"),
    [("room_id", 5), ("user_id", None), ("username", ["a"]), ("message", {"a": 1}), ("message", 7), ("timestamp", 12)],
)
async def test_a_chat_with_an_ill_typed_field_is_told_which(typed, field, value):
    assert is_error(await typed.ask({**CHAT, field: value}), field)


async def test_joining_and_leaving_are_confirmed(typed):
    joined = await typed.ask({"type": "join_room", "room_id": "genel"})
    left = await typed.ask({"type": "leave_room", "room_id": "genel"})
    assert joined == {"type": "system", "message": "genel odasına katılma işlemi başarılı", "level": "info"}
    assert left == {"type": "system", "message": "genel odasına ayrılma işlemi başarılı", "level": "info"}


@pytest.mark.parametrize("kind", ["join_room", "leave_room"])
async def test_joining_and_leaving_need_a_room(typed, kind):
    assert is_error(await typed.ask({"type": kind}), "room_id")
    assert is_error(await typed.ask({"type": kind, "room_id": 1}), "room_id")


@pytest.mark.parametrize("room", ["", "x" * 129, "a\nb"], ids=["empty", "129-characters", "control-character"])
async def test_a_room_needs_a_proper_name(typed, room):
    assert is_error(await typed.ask({"type": "join_room", "room_id": room}), "room_id")


async def test_a_room_name_of_128_characters_is_proper(typed):
    room = "ğ" * 128
    answer = await typed.ask({"type": "join_room", "room_id": room})
    assert answer["message"] == f"{room} odasına katılma işlemi başarılı"


async def test_a_system_message_comes_back_with_its_level_filled_in(typed):
    answer = await typed.ask({"type": "system", "message": "bakım"})
    assert answer == {"type": "system", "message": "bakım", "level": "info"}


@pytest.mark.parametrize("level", ["info", "warning", "error"])
async def test_a_system_message_keeps_its_level(typed, level):
    message = {"type": "system", "message": "bakım", "level": level}
    assert await typed.ask(message) == message


async def test_a_system_message_with_another_level_is_told_so(typed):
    assert is_error(await typed.ask({"type": "system", "message": "x", "level": "loud"}), "level")


@pytest.mark.parametrize("message", [{"type": "no_such_type"}, {"message": "no type"}, {"type": 5}, {}])
async def test_an_unknown_or_missing_type_is_told_so(typed, message):
    assert is_error(await typed.ask(message), "type")


@pytest.mark.parametrize("text", ["no json", "{", "", '{"type":"chat"'])
async def test_what_is_no_json_is_told_so_without_fields(typed, text):
    answer = await typed.ask(text)
    assert answer == {"type": "system", "message": "Geçersiz mesaj formatı", "level": "error", "errors": []}


@pytest.mark.parametrize("text", ["[]", "5", "null", '"chat"'])
async def test_json_that_is_no_object_is_an_error_too(typed, text):
    answer = await typed.ask(text)
    assert (answer["type"], answer["message"], answer["level"]) == ("system", "Geçersiz mesaj formatı", "error")


async def test_fields_that_nobody_knows_are_ignored(typed):
    answer = await typed.ask({"type": "join_room", "room_id": "genel", "colour": "blue"})
    assert answer["level"] == "info"


async def test_an_error_leaves_the_connection_open(typed):
    await typed.ask("no json")
    assert (await typed.ask({"type": "join_room", "room_id": "a"}))["level"] == "info"


async def test_a_ping_gets_a_pong_and_heartbeats_are_accepted_silently(typed):
    await typed.client.send('{"type":"heartbeat"}')
    await typed.client.send('{"type":"pong"}')
    assert await typed.ask({"type": "ping"}) == {"type": "pong"}


async def test_nobody_else_is_answered(serve, open_client):
    server = serve()
    first = Client(await open_client(server, "/typed"))
    second = Client(await open_client(server, "/typed"))
    await first.ask(CHAT)
    assert await second.ask({"type": "ping"}) == {"type": "pong"}


async def test_an_oversized_message_is_told_in_the_apps_own_shape_too(typed):
    answer = await typed.ask("x" * 65_537)
    assert (answer["error"], answer["max_size"]) == ("Message too large", 65_536)
    assert (answer["type"], answer["level"]) == ("system", "error")
    assert isinstance(answer["message"], str)
    await typed.client.wait_closed()
    assert typed.client.close_code == 1009


async def test_english_is_complete(serve, open_client):
    server = serve("typed", "--lang", "en")
    client = Client(await open_client(server))
    texts = [
        (await client.ask("no json"))["message"],
        (await client.ask({"type": "join_room", "room_id": "general"}))["message"],
        (await client.ask({"type": "leave_room", "room_id": "general"}))["message"],
        *[value for error in (await client.ask({**CHAT, "message": ""}))["errors"] for value in error.values()],
    ]
    assert all(text.isascii() for text in texts), texts
    assert "general" in texts[1] and "general" in texts[2] and texts[1] != texts[2]


async def test_the_query_chooses_the_language(serve, open_client):
    server = serve("typed", "--lang", "en")
    client = Client(await open_client(server, "/typed?lang=tr"))
    assert (await client.ask("no json"))["message"] == "Geçersiz mesaj formatı"
