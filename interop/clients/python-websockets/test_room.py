"""The app `room`: the URL names the room and the user."""

import json
from urllib.parse import quote

import pytest
from json_client import JsonClient
from rooms import ROOM_TYPES, TEXTS, error, room_path, timeless
from websockets.exceptions import InvalidStatus

LANGS = pytest.mark.parametrize("lang", ["tr", "en"])


@pytest.fixture
def server(serve):
    return serve()


def told(kind, who, lang="tr", room="genel"):
    """That somebody joined or left."""
    return {"type": kind, "user_id": who, "username": who, "room_id": room, "message": TEXTS[lang][kind].format(who)}


def message(who, content, room="genel"):
    return {"type": "message", "user_id": who, "username": who, "content": content, "room_id": room}


async def hears(client, expected):
    heard = await client.next()
    assert (timeless(heard) if "timestamp" in heard else heard) == expected


@LANGS
async def test_who_joins_hears_it_first_and_then_who_is_there(serve, open_client, in_room, tls, lang):
    server = serve(tls=tls)
    witness = await in_room(server, "ahmet", "genel", lang=lang)
    query = {"user_id": "u1", "username": "Ayşe", "lang": lang}
    joiner = JsonClient(await open_client(server, room_path("genel", **query)))
    joined = {**told("user_joined", "Ayşe", lang), "user_id": "u1"}
    await hears(joiner, joined)
    members = await joiner.next()
    members["members"].sort()
    assert members == {"type": "room_members", "members": ["ahmet", "u1"], "count": 2}
    await hears(witness, joined)
    await joiner.hears_nothing()
    await witness.hears_nothing()


@LANGS
@pytest.mark.parametrize("how", ["close", "lost"])
async def test_the_others_hear_who_left_however_it_happened(in_room, server, lang, how):
    witness = await in_room(server, "ahmet", "genel", lang=lang)
    leaver = await in_room(server, "ayşe", "genel")
    await hears(witness, told("user_joined", "ayşe", lang))
    if how == "close":
        await leaver.client.close()
    else:
        leaver.client.transport.abort()
    await hears(witness, told("user_left", "ayşe", lang))
    await witness.hears_nothing()


async def test_the_same_user_may_be_there_any_number_of_times(in_room, open_client, server):
    first = await in_room(server, "ayşe", "genel")
    second = JsonClient(await open_client(server, room_path("genel", user_id="ayşe", username="ayşe")))
    for client in (first, second):
        await hears(client, told("user_joined", "ayşe"))
    await hears(second, {"type": "room_members", "members": ["ayşe", "ayşe"], "count": 2})
    await first.send({"type": "message", "content": "a"})
    for client in (first, second):
        await hears(client, message("ayşe", "a"))
    await second.client.close()
    await hears(first, told("user_left", "ayşe"))
    await first.send({"type": "message", "content": "b"})
    await hears(first, message("ayşe", "b"))


async def test_a_message_goes_to_everyone_in_the_room_and_to_nobody_else(in_room, serve, tls):
    server = serve(tls=tls)
    ayse = await in_room(server, "ayşe", "genel")
    ahmet = await in_room(server, "ahmet", "genel", lang="en")
    other = await in_room(server, "other", "başka")
    await hears(ayse, told("user_joined", "ahmet"))
    for sent, content in [
        ({"type": "message", "content": "Merhaba!"}, "Merhaba!"),
        ({"content": "no type"}, "no type"),
        ({"type": None, "content": "null"}, "null"),
        ({"type": "message", "content": ""}, ""),
        ({"type": "message"}, ""),
        ({}, ""),
        ({"type": "message", "content": "mine", "user_id": "x", "room_id": "başka"}, "mine"),
        ("plain text", "plain text"),
        ("", ""),
        ("{broken", "{broken"),
        ("[1, 2]", "[1, 2]"),
        ("5", "5"),
        ('"quoted"', '"quoted"'),
        ("📻\n🇹🇷", "📻\n🇹🇷"),
    ]:
        await ayse.send(sent)
        for client in (ayse, ahmet):
            await hears(client, message("ayşe", content))
    await other.hears_nothing()


async def test_typing_comes_to_everyone_else(in_room, server):
    ayse = await in_room(server, "ayşe", "genel")
    ahmet = await in_room(server, "ahmet", "genel")
    await hears(ayse, told("user_joined", "ahmet"))
    await ayse.send({"type": "typing"})
    await hears(ahmet, {"type": "typing", "user_id": "ayşe", "username": "ayşe", "room_id": "genel"})
    await ayse.hears_nothing()


async def test_pings_are_answered_and_heartbeats_accepted_silently(in_room, server):
    client = await in_room(server, "ayşe", "genel")
    await client.send({"type": "heartbeat"})
    await client.send({"type": "pong"})
    assert await client.ask({"type": "ping"}) == {"type": "pong"}
    await (await client.client.ping("how far?"))


@LANGS
@pytest.mark.parametrize(
    ("wrong", "text", "field"),
    [
        ({"type": "no_such_type"}, "one_of", "type"),
        ({"type": 5, "content": "a"}, "one_of", "type"),
        ({"type": "message", "content": 5}, "text", "content"),
        ({"content": ["a"]}, "text", "content"),
        ({"type": "message", "content": {"a": 1}}, "text", "content"),
    ],
    ids=str,
)
async def test_an_error_names_the_field_and_nothing_else_happens(in_room, server, lang, wrong, text, field):
    witness = await in_room(server, "ahmet", "genel")
    client = await in_room(server, "ayşe", "genel", lang=lang)
    await hears(witness, told("user_joined", "ayşe"))
    assert await client.ask(wrong) == error(TEXTS[lang][text].format(field, ROOM_TYPES))
    await client.hears_nothing()
    await witness.hears_nothing()


@LANGS
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/ws/chat/genel?", ["user_id", "username"]),
        ("/ws/chat/genel?user_id=a", ["username"]),
        ("/ws/chat/genel?username=a", ["user_id"]),
        (f"/ws/chat/genel?user_id={'x' * 129}&username=a", ["user_id"]),
        (f"/ws/chat/genel?user_id=a&username={quote('ğ' * 129)}", ["username"]),
        ("/ws/chat/genel?user_id=a%0Ab&username=a%00b", ["user_id", "username"]),
        (f"/ws/chat/{'x' * 129}?user_id=a&username=a", ["room_id"]),
        ("/ws/chat/a%7Fb?user_id=a&username=a", ["room_id"]),
        (f"/ws/{'x' * 129}?username=a", ["client_id"]),
        (f"/ws/a?username={'x' * 129}", ["username"]),
        ("/ws/a%0Ab?username=a%0Ab", ["client_id", "username"]),
    ],
)
async def test_who_has_no_proper_name_is_refused_with_403(plain, open_client, lang, path, fields):
    with pytest.raises(InvalidStatus) as refused:
        # It is HTTP that answers, in the language that HTTP is asked for.
        await open_client(plain, path, additional_headers={"Accept-Language": lang})
    response = refused.value.response
    assert response.status_code == 403
    assert response.headers["Content-Type"] in ("application/json", "application/problem+json")
    said = TEXTS[lang]
    expected = [said["room" if field == "room_id" else "user"].format(field) for field in fields]
    assert json.loads(response.body)["detail"] == "; ".join(expected)


async def test_a_name_may_be_empty_or_have_128_characters(plain, open_client):
    for user_id, username, room in [("", "", "bir"), ("x" * 128, "ğ" * 128, "ş" * 128), ("a&b=c", "d/e?f#", "a/b?c#d%")]:
        client = JsonClient(await open_client(plain, room_path(room, user_id=user_id, username=username)))
        joined = {**told("user_joined", username, room=room), "user_id": user_id}
        await hears(client, joined)
        await hears(client, {"type": "room_members", "members": [user_id], "count": 1})


@LANGS
async def test_an_oversized_message_is_told_in_the_apps_own_shape_too(in_room, serve, tls, lang):
    client = await in_room(serve(tls=tls), "ayşe", "genel", lang=lang)
    await client.send("x" * 65_536)
    assert len((await client.next())["content"]) == 65_536
    said = error(TEXTS[lang]["too_large"].format(65_536))
    assert await client.ask("x" * 65_537) == {**said, "error": "Message too large", "max_size": 65_536}
    assert (await client.closed())[0] == 1009


@LANGS
async def test_one_too_many_is_told_when_to_try_again(in_room, server, lang):
    client = await in_room(server, "ayşe", "genel", lang=lang)
    for _ in range(1200):
        await client.send({"type": "ping"})
    for _ in range(1200):
        assert await client.next() == {"type": "pong"}
    answer = await client.ask("one too many")
    wait = answer.pop("retry_after")
    assert isinstance(wait, int) and 1 <= wait <= 60
    assert answer == {**error(TEXTS[lang]["too_often"].format(wait)), "error": "Rate limit exceeded"}


async def test_a_binary_message_is_closed_with_1003_and_announced_as_a_leave(in_room, server):
    witness = await in_room(server, "ahmet", "genel")
    client = await in_room(server, "ayşe", "genel")
    await hears(witness, told("user_joined", "ayşe"))
    await client.send(b"Merhaba!")
    assert await client.closed() == (1003, "Text messages only")
    await hears(witness, told("user_left", "ayşe"))


@pytest.mark.parametrize(
    ("path", "room"), [("/", "genel"), ("/any/path", "genel"), ("/ws", "genel"), ("/ws/chat/özel", "özel"), ("/ws/a", "genel")]
)
async def test_alone_it_serves_every_path(serve, open_client, path, room):
    server = serve("room")
    client = JsonClient(await open_client(server, f"{path}?user_id=ayşe&username=ayşe"))
    await hears(client, told("user_joined", "ayşe", room=room))
    with pytest.raises(InvalidStatus):
        await open_client(server, path)
