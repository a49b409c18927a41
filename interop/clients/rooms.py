"""Clients of `room` and `rooms`, and what these say."""

import re
from urllib.parse import quote, urlencode

from json_client import JsonClient

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

TEXTS = {
    "tr": {
        "you_joined": "'{}' odasına katıldınız",
        "joined": "{} odaya katıldı",
        "you_left": "'{}' odasından ayrıldınız",
        "left": "{} odadan ayrıldı",
        "user_joined": "{} sohbete katıldı",
        "user_left": "{} sohbetten ayrıldı",
        "blank": "Mesaj boş olamaz",
        "no_json": "JSON formatında mesaj göndermelisiniz",
        "not_member": "Bu odada değilsiniz",
        "no_object": "bir JSON nesnesi bekleniyordu",
        "text": "{}: bir metin bekleniyordu",
        "room": "{}: 1-128 karakterlik, denetim karakteri içermeyen bir metin bekleniyordu",
        "user": "{}: en çok 128 karakterlik, denetim karakteri içermeyen bir metin bekleniyordu",
        "one_of": "{}: {} değerlerinden biri bekleniyordu",
        "whole": "{}: 1 ile 9007199254740991 arasında bir tam sayı bekleniyordu",
        "since": "{}: epoch (metin) ve seq (tam sayı) alanları olan bir nesne bekleniyordu",
        "key": "{}: 1-64 baytlık bir metin bekleniyordu",
        "id": "{}: bir sayı ya da en çok 64 baytlık bir metin bekleniyordu",
        "too_large": "Mesaj çok büyük: en çok {} bayt",
        "too_often": "Çok sık mesaj gönderdiniz; {} saniye sonra yeniden deneyin",
    },
    "en": {
        "you_joined": "You joined room '{}'",
        "joined": "{} joined the room",
        "you_left": "You left room '{}'",
        "left": "{} left the room",
        "user_joined": "{} joined the chat",
        "user_left": "{} left the chat",
        "blank": "Message cannot be empty",
        "no_json": "You must send a message in JSON format",
        "not_member": "You are not in this room",
        "no_object": "expected a JSON object",
        "text": "{}: expected a text",
        "room": "{}: expected a text of 1 to 128 characters without control characters",
        "user": "{}: expected a text of at most 128 characters without control characters",
        "one_of": "{}: expected one of {}",
        "whole": "{}: expected a whole number from 1 to 9007199254740991",
        "since": "{}: expected an object with epoch (a text) and seq (an integer)",
        "key": "{}: expected a text of 1 to 64 bytes",
        "id": "{}: expected a number or a text of at most 64 bytes",
        "too_large": "The message is too large: at most {} bytes",
        "too_often": "Too many messages; try again in {} seconds",
    },
}

ROOMS_COMMANDS = "join_room, leave_room, room_message, chat, get_rooms, get_room_members, get_users, set_status, typing, get_history, ping"
ROOM_TYPES = "message, typing, ping"


def error(said):
    return {"type": "error", "message": said}


def timeless(message):
    """A message without its timestamp, which must be one."""
    assert ISO.fullmatch(message.pop("timestamp")), message
    return message


def rooms_path(client_id, **query):
    return f"/ws/{quote(client_id, safe='')}?{urlencode(query)}"


def room_path(room, **query):
    return f"/ws/chat/{quote(room, safe='')}?{urlencode(query)}"


class Member(JsonClient):
    """A client of `rooms`. What comes before an answer that is waited for is kept for `next`."""

    def __init__(self, client, lang="tr") -> None:
        super().__init__(client)
        self.say = TEXTS[lang]
        self.kept = []
        self.last_id = 0

    async def next(self):
        return self.kept.pop(0) if self.kept else await super().next()

    async def request(self, kind, **fields):
        """Sends a command with an `id`, and returns the answer to it without the `id`."""
        self.last_id += 1
        await self.send({"type": kind, **fields, "id": self.last_id})
        while True:
            answer = await super().next()
            if answer.get("id") == self.last_id:
                del answer["id"]
                return answer
            self.kept.append(answer)

    async def is_told(self, room, said):
        """The next message is this line about a room."""
        line = {"type": "system", "message": said, "level": "info", "room_id": room}
        assert timeless(await self.next()) == line

    async def join(self, room):
        """Joins. When the ping behind that is answered, all know of it."""
        await self.send({"type": "join_room", "room_id": room})
        await self.send({"type": "ping"})
        await self.is_told(room, self.say["you_joined"].format(room))
        while (message := await super().next()) != {"type": "pong"}:
            self.kept.append(message)

    async def hears_nothing(self) -> None:
        assert self.kept == []
        await super().hears_nothing()
