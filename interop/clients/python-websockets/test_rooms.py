"""The app `rooms`: one connection, many rooms, commands in JSON."""

import pytest
from json_client import JsonClient
from rooms import ROOMS_COMMANDS, TEXTS, UUID, error, timeless

LANGS = pytest.mark.parametrize("lang", ["tr", "en"])


@pytest.fixture
def server(serve):
    return serve()


def chat(room, who, message):
    return {"type": "chat", "room_id": room, "client_id": who, "username": who, "message": message}


async def hears(client, room, who, message):
    """The next message is this chat; returns its position."""
    heard = timeless(await client.next())
    position = heard.pop("epoch"), heard.pop("seq")
    assert heard == chat(room, who, message)
    return position


@LANGS
async def test_who_joins_is_told_and_announced_each_time(in_rooms, server, lang):
    witness = await in_rooms(server, "ahmet", "genel", lang=lang)
    joiner = await in_rooms(server, "ayşe", lang=lang)
    for _ in range(2):
        await joiner.join("genel")
        await witness.is_told("genel", TEXTS[lang]["joined"].format("ayşe"))
    await joiner.hears_nothing()


async def test_everyone_is_told_in_the_language_of_his_own(in_rooms, server):
    turkish = await in_rooms(server, "ahmet", "genel", lang="tr")
    english = await in_rooms(server, "john", "genel", lang="en")
    await turkish.is_told("genel", "john odaya katıldı")
    await in_rooms(server, "ayşe", "genel", lang="tr")
    await turkish.is_told("genel", "ayşe odaya katıldı")
    await english.is_told("genel", "ayşe joined the room")


@LANGS
@pytest.mark.parametrize("how", ["command", "close", "lost"])
async def test_the_others_hear_who_left_however_it_happened(in_rooms, server, lang, how):
    witness = await in_rooms(server, "ahmet", "genel", lang=lang)
    leaver = await in_rooms(server, "ayşe", "genel", lang=lang)
    await witness.is_told("genel", TEXTS[lang]["joined"].format("ayşe"))
    if how == "command":
        await leaver.send({"type": "leave_room", "room_id": "genel"})
        await leaver.is_told("genel", TEXTS[lang]["you_left"].format("genel"))
    elif how == "close":
        await leaver.client.close()
    else:
        leaver.client.transport.abort()
    await witness.is_told("genel", TEXTS[lang]["left"].format("ayşe"))
    await witness.hears_nothing()
    if how == "command":
        await witness.send({"type": "room_message", "room_id": "genel", "message": "a"})
        await leaver.hears_nothing()


@pytest.mark.parametrize("kind", ["room_message", "chat"])
async def test_a_message_goes_to_everyone_in_the_room_and_to_nobody_else(in_rooms, serve, tls, kind):
    server = serve(tls=tls)
    ayse = await in_rooms(server, "ayşe", "genel")
    ahmet = await in_rooms(server, "ahmet", "genel")
    other = await in_rooms(server, "other", "başka")
    await ayse.is_told("genel", "ahmet odaya katıldı")
    epochs = set()
    for seq, text in enumerate(["Merhaba!", "📻 🇹🇷", "a\nb\0c", " x "], 1):
        await ayse.send({"type": kind, "room_id": "genel", "message": text, "username": "somebody else"})
        for client in (ayse, ahmet):
            epoch, number = await hears(client, "genel", "ayşe", text)
            epochs.add(epoch)
            assert number == seq
    assert len(epochs) == 1 and all(isinstance(epoch, str) for epoch in epochs)
    await other.hears_nothing()


async def test_a_room_message_may_be_empty(in_rooms, server):
    client = await in_rooms(server, "ayşe", "genel")
    for fields in ({"message": ""}, {"message": "  "}, {}):
        await client.send({"type": "room_message", "room_id": "genel", **fields})
        await hears(client, "genel", "ayşe", fields.get("message", ""))


@LANGS
async def test_a_chat_may_not_be_blank(in_rooms, server, lang):
    client = await in_rooms(server, "ayşe", "genel", lang=lang)
    for fields in ({"message": ""}, {"message": " \n\t"}, {}):
        answer = await client.ask({"type": "chat", "room_id": "genel", **fields})
        assert answer == error(TEXTS[lang]["blank"])


@LANGS
@pytest.mark.parametrize("kind", ["room_message", "chat", "typing", "leave_room", "get_history"])
async def test_only_a_member_may(in_rooms, server, lang, kind):
    member = await in_rooms(server, "ahmet", "genel")
    client = await in_rooms(server, "ayşe", "başka", lang=lang)
    command = {"type": kind, "room_id": "genel", "message": "a"}
    assert await client.ask(command) == error(TEXTS[lang]["not_member"])
    await member.hears_nothing()


async def test_rooms_are_listed_with_their_users_as_long_as_somebody_is_there(in_rooms, server):
    async def listed():
        answer = await watcher.ask({"type": "get_rooms"})
        assert answer.pop("type") == "room_list" and set(answer) == {"rooms"}
        return {room["room_id"]: room["member_count"] for room in answer["rooms"] if len(room) == 2}

    watcher = await in_rooms(server, "watcher")
    assert await listed() == {}
    tab = await in_rooms(server, "ayşe", "genel", "başka")
    await in_rooms(server, "ayşe", "genel")
    await in_rooms(server, "ahmet", "genel")
    assert await listed() == {"genel": 2, "başka": 1}
    assert (await tab.request("leave_room", room_id="başka"))["type"] == "ok"
    assert await listed() == {"genel": 2}


async def test_the_members_of_a_room_are_listed_each_id_once(in_rooms, server):
    first = await in_rooms(server, "ayşe", "genel")
    await in_rooms(server, "ayşe", "genel")
    await in_rooms(server, "u1", "genel", username="Ahmet")
    await in_rooms(server, "elsewhere", "başka")
    answer = await first.request("get_room_members", room_id="genel")
    members = sorted(answer.pop("members"), key=lambda member: member["client_id"])
    assert answer == {"type": "room_members", "room_id": "genel"}
    assert members == [{"client_id": "ayşe", "username": "ayşe"}, {"client_id": "u1", "username": "Ahmet"}]
    await first.send({"type": "get_room_members", "room_id": "nobody"})
    first.kept.clear()
    assert await first.next() == {"type": "room_members", "room_id": "nobody", "members": []}


async def test_users_are_those_who_share_a_room_and_the_asker(in_rooms, server):
    ayse = await in_rooms(server, "ayşe", "genel")
    me = {"ayşe": {"name": "ayşe", "status": "online"}}
    assert await ayse.ask({"type": "get_users"}) == {"type": "user_list", "users": me}
    ahmet = await in_rooms(server, "u1", "genel", "özel", username="Ahmet")
    await in_rooms(server, "stranger", "özel")
    assert (await ahmet.request("set_status", status="away"))["type"] == "ok"
    answer = await ayse.request("get_users")
    assert answer == {"type": "user_list", "users": {**me, "u1": {"name": "Ahmet", "status": "away"}}}


async def test_a_status_comes_once_to_each_connection_that_shares_rooms_and_to_the_asker(in_rooms, server):
    ayse = await in_rooms(server, "ayşe", "genel", "özel")
    tab = await in_rooms(server, "ayşe", "genel")
    await ayse.is_told("genel", "ayşe odaya katıldı")
    ahmet = await in_rooms(server, "ahmet", "genel", "özel")
    for client, rooms in ((ayse, ["genel", "özel"]), (tab, ["genel"])):
        for room in rooms:
            await client.is_told(room, "ahmet odaya katıldı")
    stranger = await in_rooms(server, "stranger", "başka")
    for status in ("away", "online"):
        await ayse.send({"type": "set_status", "status": status})
        for client in (ayse, tab, ahmet):
            assert await client.next() == {"type": "status", "client_id": "ayşe", "username": "ayşe", "status": status}
    for client in (ayse, tab, ahmet, stranger):
        await client.hears_nothing()


async def test_a_status_is_that_of_the_id_not_of_the_connection(in_rooms, server):
    first = await in_rooms(server, "ayşe", "genel")
    assert (await first.request("set_status", status="away"))["type"] == "ok"
    second = await in_rooms(server, "ayşe", "genel")
    users = (await second.request("get_users"))["users"]
    assert users == {"ayşe": {"name": "ayşe", "status": "away"}}


async def test_typing_comes_to_the_others_in_the_room(in_rooms, server):
    ayse = await in_rooms(server, "ayşe", "genel")
    ahmet = await in_rooms(server, "ahmet", "genel")
    await ayse.is_told("genel", "ahmet odaya katıldı")
    other = await in_rooms(server, "other", "başka")
    await ayse.send({"type": "typing", "room_id": "genel"})
    assert await ahmet.next() == {"type": "typing", "room_id": "genel", "client_id": "ayşe", "username": "ayşe"}
    await ayse.hears_nothing()
    await other.hears_nothing()


async def test_two_connections_of_one_id_join_and_receive_each_for_itself(in_rooms, server):
    first = await in_rooms(server, "ayşe", "genel")
    second = await in_rooms(server, "ayşe")
    await first.send({"type": "room_message", "room_id": "genel", "message": "a"})
    await hears(first, "genel", "ayşe", "a")
    await second.hears_nothing()
    assert await second.ask({"type": "chat", "room_id": "genel", "message": "b"}) == error("Bu odada değilsiniz")
    await second.join("genel")
    await first.is_told("genel", "ayşe odaya katıldı")
    await second.send({"type": "chat", "room_id": "genel", "message": "c"})
    for client in (first, second):
        await hears(client, "genel", "ayşe", "c")
    await first.client.close()
    await second.is_told("genel", "ayşe odadan ayrıldı")
    members = (await second.request("get_room_members", room_id="genel"))["members"]
    assert members == [{"client_id": "ayşe", "username": "ayşe"}]


async def test_a_takeover_closes_the_older_connections_of_the_id(in_rooms, server):
    older = [await in_rooms(server, "ayşe", "genel") for _ in range(2)]
    other = await in_rooms(server, "ahmet")
    newer = await in_rooms(server, "ayşe", takeover="1")
    for client in older:
        assert await client.closed() == (4009, "Replaced by a new connection")
    await newer.hears_nothing()
    await other.hears_nothing()
    beside = await in_rooms(server, "ayşe", takeover="0")
    await newer.hears_nothing()
    await beside.hears_nothing()


@pytest.mark.parametrize("path", ["/ws/", "/ws/undefined", "/ws/?username="])
async def test_a_client_without_an_id_gets_one_and_a_name(serve, open_client, path):
    server = serve()
    ids = set()
    for _ in range(2):
        client = JsonClient(await open_client(server, path))
        ((client_id, user),) = (await client.ask({"type": "get_users"}))["users"].items()
        assert UUID.fullmatch(client_id)
        assert user == {"name": f"User-{client_id[:8]}", "status": "online"}
        ids.add(client_id)
    assert len(ids) == 2


@pytest.mark.parametrize(("client_id", "name"), [("a", "User-a"), ("ğüşiöçıĞÜ", "User-ğüşiöçıĞ")])
async def test_a_client_without_a_name_is_called_after_its_id(serve, in_rooms, client_id, name):
    client = await in_rooms(serve(), client_id, username="")
    assert (await client.ask({"type": "get_users"}))["users"] == {client_id: {"name": name, "status": "online"}}


@LANGS
async def test_what_is_no_command_is_told_so_and_the_connection_stays(in_rooms, server, lang):
    say = TEXTS[lang]
    client = await in_rooms(server, "ayşe", lang=lang)
    for text in ("no json", "", "{", "{'type':'ping'}"):
        assert await client.ask(text) == error(say["no_json"])
    for text in ("[]", "5", "null", '"join_room"'):
        assert await client.ask(text) == error(say["no_object"])
    for message in ({}, {"type": 5}, {"type": "no_such_type"}, {"message": "a"}, {"type": "join"}):
        assert await client.ask(message) == error(say["one_of"].format("type", ROOMS_COMMANDS))
    await client.join("genel")


@LANGS
@pytest.mark.parametrize(
    ("command", "field", "expected"),
    [
        *[
            ({"type": kind, **fields, "message": "a"}, "room_id", "room")
            for kind in ("join_room", "leave_room", "room_message", "chat", "get_room_members", "typing", "get_history")
            for fields in ({}, {"room_id": None}, {"room_id": 5}, {"room_id": ""}, {"room_id": "x" * 129}, {"room_id": "a\nb"})
        ],
        ({"type": "room_message", "room_id": "genel", "message": 5}, "message", "text"),
        ({"type": "chat", "room_id": "genel", "message": ["a"]}, "message", "text"),
        ({"type": "set_status"}, "status", "one_of"),
        ({"type": "set_status", "status": "busy"}, "status", "one_of"),
        ({"type": "set_status", "status": 1}, "status", "one_of"),
        *[
            ({"type": "get_history", "room_id": "genel", field: value}, field, "whole")
            for field in ("page", "per_page")
            for value in (0, -1, 1.5, "1")
        ],
        *[
            ({"type": "join_room", "room_id": "genel", "since": value}, "since", "since")
            for value in (5, "a", {}, {"epoch": "a"}, {"seq": 1}, {"epoch": "a", "seq": -1}, {"epoch": 1, "seq": 1})
        ],
        *[
            ({"type": "chat", "room_id": "genel", "message": "a", "idempotency_key": value}, "idempotency_key", "key")
            for value in (5, "", "ğ" * 33)
        ],
    ],
    ids=lambda value: str(value)[:60],
)
async def test_an_error_names_the_field_and_what_was_expected(plain, in_rooms, lang, command, field, expected):
    client = await in_rooms(plain, "ayşe", "genel", lang=lang)
    answer = await client.ask(command)
    assert answer == error(TEXTS[lang][expected].format(field, "online, away"))
    await client.hears_nothing()


async def test_a_room_may_be_called_anything_of_128_characters(in_rooms, server):
    client = await in_rooms(server, "ğ" * 128, username="ş" * 128)
    for room in ("ğ" * 128, " ", "a/b?c#d%", "📻"):
        await client.join(room)


async def test_fields_that_nobody_knows_are_ignored(in_rooms, server):
    client = await in_rooms(server, "ayşe")
    await client.send({"type": "join_room", "room_id": "genel", "colour": "blue", "seq": "x", "timestamp": 5})
    await client.is_told("genel", "'genel' odasına katıldınız")


async def test_pings_are_answered_before_and_after_a_join_and_heartbeats_accepted_silently(in_rooms, server):
    client = await in_rooms(server, "ayşe")
    for _ in range(2):
        await client.send({"type": "heartbeat"})
        await client.send({"type": "pong"})
        assert await client.ask({"type": "ping"}) == {"type": "pong"}
        await (await client.client.ping("how far?"))
        await client.join("genel")


@pytest.mark.parametrize("path", ["/", "/any/path?username=x", "/ws", "/ws/a/b/c", "/chat"])
async def test_alone_it_serves_every_path(serve, open_client, path):
    client = JsonClient(await open_client(serve("rooms"), path))
    (client_id,) = (await client.ask({"type": "get_users"}))["users"]
    assert UUID.fullmatch(client_id)


async def test_alone_it_still_reads_the_id_on_its_own_path(serve, in_rooms):
    client = await in_rooms(serve("rooms"), "ayşe")
    assert list((await client.ask({"type": "get_users"}))["users"]) == ["ayşe"]
