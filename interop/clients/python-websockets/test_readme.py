"""The Python clients in the README, as they stand there."""

import asyncio
import os
import pathlib
import re
import sys

import pytest
from telsiz import PATIENCE, ROOT

README = pytest.mark.parametrize(("page", "lang"), [("README.md", "en"), ("README.tr.md", "tr")])


def programs(page):
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


class Terminal:
    """A program that runs, and what is typed and printed there."""

    @classmethod
    async def run(cls, program, folder, server, *arguments):
        terminal = cls()
        file = pathlib.Path(folder) / "program.py"
        assert "127.0.0.1:8000" in program
        file.write_text(program.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}"))
        pipe = asyncio.subprocess.PIPE
        terminal.process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-u", file, *arguments],
            stdin=pipe,
            stdout=pipe,
            env={**os.environ, "PYTHONUTF8": "1"},
        )
        return terminal

    async def prints(self, *lines):
        for line in lines:
            printed = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
            assert printed.decode() == f"{line}\n"

    def type(self, line):
        self.process.stdin.write(f"{line}\n".encode())

    async def ends(self):
        self.process.stdin.close()
        assert await asyncio.wait_for(self.process.stdout.read(), PATIENCE) == b""
        assert await asyncio.wait_for(self.process.wait(), PATIENCE) == 0


@README
async def test_the_first_client_prints_its_receipt(serve, tmp_path, page, lang):
    terminal = await Terminal.run(programs(page)[0], tmp_path, serve())
    await terminal.prints({"en": "Your message: Merhaba!", "tr": "Mesajınız: Merhaba!"}[lang])
    await terminal.ends()


@README
async def test_two_chats_talk_and_the_server_knows_what_was_said_when_it_is_started_again(
    serve, in_rooms, tmp_path, page, lang
):
    server = serve()
    (program,) = (program for program in programs(page) if "join_room" in program)
    assert len([line for line in program.splitlines() if line.strip()]) == 10
    you_joined, joined, left = {
        "en": ("You joined room 'genel'", "{} joined the room", "{} left the room"),
        "tr": ("'genel' odasına katıldınız", "{} odaya katıldı", "{} odadan ayrıldı"),
    }[lang]

    ayse = await Terminal.run(program, tmp_path, server, "ayşe")
    await ayse.prints(f"*: {you_joined}")
    ahmet = await Terminal.run(program, tmp_path, server, "ahmet")
    await ahmet.prints(f"*: {you_joined}")
    await ayse.prints(f"*: {joined.format('ahmet')}")
    ayse.type("Merhaba!")
    for terminal in (ayse, ahmet):
        await terminal.prints("ayşe: Merhaba!")
    ahmet.type("Günaydın 📻")
    for terminal in (ayse, ahmet):
        await terminal.prints("ahmet: Günaydın 📻")
    await ahmet.ends()
    await ayse.prints(f"*: {left.format('ahmet')}")
    await ayse.ends()

    server.stop()
    server.start()
    reader = await in_rooms(server, "reader", "genel")
    history = (await reader.request("get_history", room_id="genel"))["messages"]
    said = [(message["username"], message["message"]) for message in history]
    assert said == [("ayşe", "Merhaba!"), ("ahmet", "Günaydın 📻")]
