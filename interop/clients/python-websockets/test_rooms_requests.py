"""The app `rooms`: requests with an `id`, each of which gets exactly one answer that carries it."""

import pytest
from rooms import ROOMS_COMMANDS, TEXTS, error, timeless
from telsiz import MIB

LANGS = pytest.mark.parametrize("lang", ["tr", "en"])
ROOM = {"room_id": "genel"}


async def answers(client, command):
    """What comes until a ping behind the command is answered."""
    await client.send(command)
    await client.send({"type": "ping"})
    heard = []
    while (message := await client.next()) != {"type": "pong"}:
        heard.append(message)
    return heard


@pytest.mark.parametrize("request_id", [7, -1, 1.5, 12345678901234567890, "", "a", "x" * 64, "ğ" * 32], ids=str)
@pytest.mark.parametrize("kind", ["leave_room", "set_status", "typing"])
async def test_what_has_no_answer_of_its_own_is_answered_with_ok(plain, in_rooms, kind, request_id):
    client = await in_rooms(plain, "ayşe", "genel")
    heard = await answers(client, {"type": kind, **ROOM, "status": "away", "id": request_id})
    assert [message for message in heard if "id" in message] == [{"type": "ok", "id": request_id}]
    assert [message["type"] for message in heard if "id" not in message] == {
        "leave_room": ["system"],
        "set_status": ["status"],
        "typing": [],
    }[kind]


async def test_a_join_is_answered_with_the_newest_position(serve, in_rooms):
    client = await in_rooms(serve(), "ayşe")
    joined, ok = await answers(client, {"type": "join_room", **ROOM, "id": "j"})
    assert joined["type"] == "system"
    epoch = ok.pop("epoch")
    assert ok == {"type": "ok", "id": "j", **ROOM, "seq": 0, "recovered": False}
    assert isinstance(epoch, str) and epoch
    for seq in (1, 2):
        position = await client.request("room_message", **ROOM, message="a")
        assert position == {"type": "ok", "epoch": epoch, "seq": seq}
    again = await client.request("join_room", **ROOM)
    assert again == {"type": "ok", **ROOM, "epoch": epoch, "seq": 2, "recovered": False}


@pytest.mark.parametrize("kind", ["room_message", "chat"])
async def test_a_message_is_answered_with_its_position_beside_the_senders_own_chat(serve, in_rooms, kind):
    client = await in_rooms(serve(), "ayşe", "genel")
    for seq in (1, 2, 3):
        position = await client.request(kind, **ROOM, message=str(seq))
        own = timeless(await client.next())
        assert "id" not in own
        assert (own["message"], own["seq"], own["epoch"]) == (str(seq), seq, position["epoch"])
        assert position == {"type": "ok", "seq": seq, "epoch": own["epoch"]}
    await client.hears_nothing()


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("get_rooms", "room_list"),
        ("get_room_members", "room_members"),
        ("get_users", "user_list"),
        ("get_history", "message_history"),
    ],
)
async def test_what_has_an_answer_of_its_own_gets_it_with_the_id(plain, in_rooms, kind, answer):
    client = await in_rooms(plain, "ayşe", "genel")
    (asked,) = await answers(client, {"type": kind, **ROOM, "id": "x"})
    (plainly,) = await answers(client, {"type": kind, **ROOM})
    assert asked.pop("id") == "x"
    assert asked["type"] == answer
    assert asked == plainly


async def test_the_others_never_see_an_id(serve, in_rooms):
    server = serve()
    witness = await in_rooms(server, "ahmet", "genel")
    client = await in_rooms(server, "ayşe")
    await client.request("join_room", **ROOM)
    await client.request("chat", **ROOM, message="a")
    await client.request("typing", **ROOM)
    await client.request("set_status", status="away")
    await client.request("leave_room", **ROOM)
    heard = [await witness.next() for _ in range(5)]
    assert [message["type"] for message in heard] == ["system", "chat", "typing", "status", "system"]
    assert not any("id" in message for message in heard)


@LANGS
@pytest.mark.parametrize("kind", [kind for kind in ROOMS_COMMANDS.split(", ") if kind != "ping"])
@pytest.mark.parametrize("wrong", ["x" * 65, "ğ" * 33, True, [], {"a": 1}], ids=repr)
async def test_an_invalid_id_is_named_and_nothing_is_done(plain, in_rooms, lang, kind, wrong):
    witness = await in_rooms(plain, "witness", "genel", "wrong-id")
    client = await in_rooms(plain, "ayşe", "genel", lang=lang)
    assert (await witness.next())["type"] == "system"
    command = {"type": kind, "room_id": "wrong-id" if kind == "join_room" else "genel", "message": "a", "status": "away"}
    heard = await answers(client, {**command, "id": wrong})
    assert heard == [{**error(TEXTS[lang]["id"].format("id")), "code": "bad_request"}]
    await witness.hears_nothing()


async def test_an_id_of_null_is_none(plain, in_rooms):
    client = await in_rooms(plain, "ayşe", "genel")
    assert await answers(client, {"type": "typing", **ROOM, "id": None}) == []


@LANGS
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ({"type": "join_room"}, "bad_request", ("room", "room_id")),
        ({"type": "chat", **ROOM, "message": ""}, "bad_request", ("blank",)),
        ({"type": "room_message", **ROOM, "message": 5}, "bad_request", ("text", "message")),
        ({"type": "join_room", **ROOM, "since": 5}, "bad_request", ("since", "since")),
        ({"type": "chat", **ROOM, "message": "a", "idempotency_key": ""}, "bad_request", ("key", "idempotency_key")),
        ({"type": "get_history", **ROOM, "page": 0}, "bad_request", ("whole", "page")),
        ({"type": "set_status", "status": "x"}, "bad_request", ("one_of", "status", "online, away")),
        ({"type": "no_such_type"}, "unknown_type", ("one_of", "type", ROOMS_COMMANDS)),
        ({}, "unknown_type", ("one_of", "type", ROOMS_COMMANDS)),
        *[
            ({"type": kind, "room_id": "not-mine", "message": "a"}, "not_member", ("not_member",))
            for kind in ("room_message", "chat", "typing", "leave_room", "get_history")
        ],
    ],
    ids=lambda value: str(value)[:60],
)
async def test_an_error_carries_the_id_and_a_code(plain, in_rooms, lang, command, code, said):
    client = await in_rooms(plain, "ayşe", "genel", lang=lang)
    text, *fields = said
    message = error(TEXTS[lang][text].format(*fields))
    assert await answers(client, {**command, "id": 0}) == [{**message, "id": 0, "code": code}]
    assert await answers(client, command) == [message], "without an id there is no code"


@LANGS
async def test_one_too_many_is_told_with_its_id_and_the_code_limit(serve, in_rooms, lang):
    client = await in_rooms(serve(), "ayşe", lang=lang)
    for _ in range(1200):
        await client.send({"type": "ping"})
    for _ in range(1200):
        assert await client.next() == {"type": "pong"}
    for fields in ({"id": "x"}, {"id": 5}, {}, {"id": []}):
        answer = await client.ask({"type": "join_room", **ROOM, **fields})
        wait = answer.pop("retry_after")
        assert isinstance(wait, int) and 1 <= wait <= 60
        known = {**fields, "code": "limit"} if fields.get("id") else {}
        assert answer == {**error(TEXTS[lang]["too_often"].format(wait)), "error": "Rate limit exceeded", **known}


@LANGS
async def test_an_oversized_message_is_told_in_the_apps_own_shape_too(serve, in_rooms, lang, tls):
    client = await in_rooms(serve(tls=tls), "ayşe", "genel", lang=lang)
    answer = await client.ask({"type": "chat", **ROOM, "message": "x" * 65_536, "id": 1})
    said = TEXTS[lang]["too_large"].format(65_536)
    assert answer == {**error(said), "error": "Message too large", "max_size": 65_536}
    assert (await client.closed())[0] == 1009


async def test_a_binary_message_is_closed_with_1003(serve, in_rooms, tls):
    client = await in_rooms(serve(tls=tls), "ayşe", "genel")
    await client.send(b'{"type":"ping"}')
    assert await client.closed() == (1003, "Text messages only")


async def test_what_cannot_be_stored_is_told_with_the_code_internal_and_the_connection_stays(serve, in_rooms):
    server = serve(largest_file=4 * MIB)
    for lang, said in (("tr", "Mesaj kaydedilemedi"), ("en", "The message could not be stored")):
        client = await in_rooms(server, f"ayşe-{lang}", "genel", lang=lang)
        told = {"type": "error", "code": "internal", "message": said}
        while (answer := await client.request("chat", **ROOM, message="x" * 60_000)) != told:
            assert answer["type"] == "ok", answer
        assert await client.request("typing", **ROOM) == {"type": "ok"}
