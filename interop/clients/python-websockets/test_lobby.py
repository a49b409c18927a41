"""The app `lobby`: one room, nicknames, flat messages."""

import pytest
from json_client import JsonClient

WELCOME = {"tr": "Hoşgeldin {}! Odada {} kişi var.", "en": "Welcome {}! There are {} people in the room."}
TAKEN = {"tr": "'ahmet' takma adı zaten kullanımda.", "en": "The nick 'ahmet' is already in use."}


def flat(kind, nick, text=""):
    return {"type": kind, "nick": nick, "text": text}


@pytest.fixture
def server(serve, tls):
    return serve(tls=tls)


@pytest.fixture
def lobby(open_client, server):
    async def open_one(query=""):
        return JsonClient(await open_client(server, f"/chat{query}"))

    return open_one


async def joined(lobby, nick):
    client = await lobby()
    info = await client.ask(flat("join", nick))
    assert (info["type"], info["nick"]) == ("info", "server")
    return client


@pytest.mark.parametrize("lang", ["tr", "en"])
async def test_who_joins_is_welcomed_and_announced(lobby, lang):
    ahmet = await joined(lobby, "ahmet")
    second = await lobby(f"?lang={lang}")
    assert await second.ask(flat("join", "ayşe")) == flat("info", "server", WELCOME[lang].format("ayşe", 2))
    assert await ahmet.next() == flat("join", "ayşe")


async def test_a_first_message_without_a_type_is_a_join(lobby):
    client = await lobby()
    assert await client.ask({"nick": "ahmet"}) == flat("info", "server", WELCOME["tr"].format("ahmet", 1))


@pytest.mark.parametrize(("nick", "becomes"), [(" ali ", "ali"), ("ğ" * 21, "ğ" * 20), ("  ", "anonim"), (None, "anonim")])
async def test_a_nick_is_trimmed_and_cut_and_never_empty(lobby, nick, becomes):
    client = await lobby()
    assert (await client.ask(flat("join", nick)))["text"] == WELCOME["tr"].format(becomes, 1)
    chat = await client.ask({"type": "chat", "text": "a"})
    assert chat["nick"] == becomes


async def test_a_chat_goes_to_everyone_with_the_nick_of_the_connection(lobby):
    ahmet, ayse = await joined(lobby, "ahmet"), await joined(lobby, "ayşe")
    assert await ahmet.next() == flat("join", "ayşe")
    for sent, text in [("Merhaba!", "Merhaba!"), ("", ""), ("ğ" * 501, "ğ" * 500)]:
        await ahmet.send(flat("chat", "somebody else", sent))
        for client in (ahmet, ayse):
            assert await client.next() == flat("chat", "ahmet", text)


async def test_the_others_hear_who_left_however_it_happened(lobby):
    witness = await joined(lobby, "witness")
    for leave in ("close", "abort"):
        client = await joined(lobby, leave)
        assert await witness.next() == flat("join", leave)
        if leave == "close":
            await client.client.close()
        else:
            client.client.transport.abort()
        assert await witness.next() == flat("leave", leave)


@pytest.mark.parametrize("lang", ["tr", "en"])
async def test_a_nick_that_is_taken_is_refused_and_its_holder_notices_nothing(lobby, lang):
    holder = await joined(lobby, "ahmet")
    second = await lobby(f"?lang={lang}")
    assert await second.ask(flat("join", "ahmet")) == flat("error", "server", TAKEN[lang])
    assert await second.closed() == (1008, "Nick taken")
    assert await holder.ask({"type": "chat", "text": "here"}) == flat("chat", "ahmet", "here")


@pytest.mark.parametrize("lang", ["tr", "en"])
@pytest.mark.parametrize("first", ["no json", "[]", {"type": "chat", "text": "a"}, {"type": "x"}])
async def test_whoever_says_something_else_first_is_closed(lobby, first, lang):
    client = await lobby(f"?lang={lang}")
    await client.hears_nothing()
    error = await client.ask(first)
    assert (error["type"], error["nick"]) == ("error", "server")
    assert error["text"].startswith({"tr": "Önce odaya katılın", "en": "Join first"}[lang])
    assert await client.closed() == (1008, "Join first")


async def test_a_nick_with_control_characters_is_refused(lobby):
    client = await lobby()
    assert (await client.ask(flat("join", "a\x07b")))["type"] == "error"
    assert await client.closed() == (1008, "Invalid nick")


@pytest.mark.parametrize(
    "wrong", [flat("join", "again"), "no json", "[]", {"type": "x"}, {"type": "chat", "text": 5}, {"type": 5}]
)
async def test_an_error_leaves_the_connection_open(lobby, wrong):
    client = await joined(lobby, "ahmet")
    error = await client.ask(wrong)
    assert (error["type"], error["nick"]) == ("error", "server")
    assert error["text"]
    assert await client.ask({"type": "chat", "text": "a"}) == flat("chat", "ahmet", "a")
