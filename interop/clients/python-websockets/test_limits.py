"""What a server was told to limit: how its clients see that."""

import pytest
from rooms import error, room_path
from websockets.exceptions import InvalidStatus

LANGS = pytest.mark.parametrize("lang", ["tr", "en"])
ROOM = {"room_id": "genel"}

SAYS = {
    "tr": {
        "rooms": "En çok 1 odada olabilirsiniz",
        "full": "Oda dolu: en çok 1 bağlantı olabilir",
        "large": "Mesaj çok büyük: en çok 4 bayt",
        "name": "{}: en çok 5 karakterlik bir ad bekleniyordu",
        "history": "Geçmişi çok sık istediniz; {} saniye sonra yeniden deneyin",
    },
    "en": {
        "rooms": "You may be in at most 1 rooms",
        "full": "The room is full: at most 1 connections may be in it",
        "large": "The message is too large: at most 4 bytes",
        "name": "{}: expected a name of at most 5 characters",
        "history": "You asked for the history too often; try again in {} seconds",
    },
}


def limit(said):
    return error(said) | {"code": "limit"}


@LANGS
async def test_a_request_beyond_a_limit_is_answered_with_limit(serve, in_rooms, lang):
    say = SAYS[lang]
    limits = "--max-rooms-per-connection=1 --max-members-per-room=1 --max-publish-size=4 --history-rate=1/60s"
    server = serve(*limits.split(), "--max-name-length=5")
    client = await in_rooms(server, "ayşe", "genel", lang=lang)
    assert await client.request("join_room", room_id="two") == limit(say["rooms"])
    other = await in_rooms(server, "can", lang=lang)
    assert await other.request("join_room", **ROOM) == limit(say["full"])
    long = await other.request("join_room", room_id="abcdef")
    assert long == error(say["name"].format("room_id")) | {"code": "bad_request"}
    for message, done in [("abc", True), ("abcd", True), ("abcde", False)]:
        answer = await client.request("room_message", **ROOM, message=message)
        assert answer["type"] == "ok" if done else answer == limit(say["large"])
    assert (await client.request("get_history", **ROOM))["type"] == "message_history"
    refused = await client.request("get_history", **ROOM)
    seconds = refused.pop("retry_after")
    assert 1 <= seconds <= 60
    assert refused == limit(say["history"].format(seconds))


@LANGS
async def test_who_finds_a_room_full_is_refused_or_told_by_the_close_frame(serve, open_client, in_room, lang):
    server = serve("--max-members-per-room", "1")
    first = await in_room(server, "ayşe", "genel")
    path = room_path("genel", user_id="can", username="can")
    with pytest.raises(InvalidStatus) as refused:
        await open_client(server, path, additional_headers={"Accept-Language": lang})
    assert refused.value.response.status_code == 503
    assert SAYS[lang]["full"] in refused.value.response.body.decode()
    ours = await open_client(server, path, subprotocols=["telsiz.v1"])
    await ours.wait_closed()
    assert (ours.close_code, ours.close_reason) == (1013, "Room is full")
    await first.hears_nothing()
