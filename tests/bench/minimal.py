"""The least an engine of stories can be: it commits, tells its tabs, builds a prompt of fifty turns, renders and swaps.

    python -m tests.bench.minimal UPSTREAM_PORT DATABASE        prints its port, then serves until its input closes

One chat and one page, whose elements are named as the program's are, so that both are looked at with the same eyes.
What is shown is sent to the page rendered; nothing is checked, resumed, remembered or worked out. It tells what a
database, a browser and the ways between them take on this machine, at this hour.
"""

from __future__ import annotations

import asyncio
import html
import os
import socket
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

HISTORY, PROMPT_TURNS = 100, 50
_TABLE = "create table turns (id integer primary key, role text not null, text text not null)"
_ADD = "insert into turns (role, text) values (?, ?)"
_LATEST = "select id, role, text from turns order by id desc limit ?"
_PAGE = """<!doctype html>
<html lang="en"><head><title>Minimal</title><style>
body { max-width: 46rem; margin: auto; font: 1rem/1.5 serif }
</style></head><body>
<main id="transcript">TURNS</main>
<form id="composer"><textarea id="prose"></textarea><button id="send">Send</button></form>
<script>
const story = document.getElementById("transcript"), box = document.getElementById("prose");
const parsed = (text) => Object.assign(document.createElement("template"), { innerHTML: text }).content;
const facts = new EventSource("/events");
const put = (id, text) => {
  const there = document.getElementById(id);
  there ? there.replaceWith(parsed(text)) : story.append(parsed(text));
};
facts.addEventListener("turn", ({ data }) => { const { id, text } = JSON.parse(data); put(id, text); });
facts.addEventListener("token", ({ data }) => {
  const { id, text } = JSON.parse(data);
  document.getElementById(id).querySelector(".prose").append(text);
});
document.getElementById("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  fetch("/turns", { method: "POST", body: box.value });
  box.value = "";
});
</script></body></html>"""
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


class Engine:
    def __init__(self, database: Path, upstream_port: int) -> None:
        self._upstream = f"http://127.0.0.1:{upstream_port}/v1/chat/completions"
        self._conn = sqlite3.connect(database, isolation_level=None)
        self._conn.executescript(f"pragma journal_mode = wal; pragma synchronous = full; {_TABLE};")
        self._tabs: list[asyncio.Queue[bytes]] = []
        self._session: aiohttp.ClientSession | None = None
        self._replies: set[asyncio.Task[None]] = set()
        for number in range(HISTORY):
            self._conn.execute(_ADD, ("bot" if number % 2 else "you", "Words of a turn. " * 20))

    def page(self) -> str:
        rows = self._conn.execute(_LATEST, (PROMPT_TURNS,)).fetchall()
        return _PAGE.replace("TURNS", "".join(_rendered(*row) for row in reversed(rows)))

    async def events(self) -> AsyncIterator[bytes]:
        tab: asyncio.Queue[bytes] = asyncio.Queue()
        self._tabs.append(tab)
        yield b": open\n\n"
        while True:
            yield await tab.get()

    def say(self, words: str) -> None:
        self._store("you", words)
        task = asyncio.create_task(self._reply())
        self._replies.add(task)
        task.add_done_callback(self._replies.discard)

    async def _reply(self) -> None:
        self._session = self._session or aiohttp.ClientSession()
        rows = self._conn.execute(_LATEST, (PROMPT_TURNS,)).fetchall()
        roles = {"you": "user", "bot": "assistant"}
        messages = [{"role": roles[role], "content": text} for _, role, text in reversed(rows)]
        asked = {"model": "bench", "stream": True, "messages": messages}
        number, text = rows[0][0] + 1, ""
        async with self._session.post(self._upstream, json=asked) as answer:
            async for line in answer.content:
                if line.startswith(b"data: {") and (choices := _decode(line[6:])["choices"]):
                    piece = choices[0]["delta"].get("content") or ""
                    if not text:
                        self._tell("turn", id=f"t{number}", text=_rendered(number, "bot running", ""))
                    text += piece
                    self._tell("token", id=f"t{number}", text=piece)
        self._store("bot", text)

    def _store(self, role: str, text: str) -> None:
        number = self._conn.execute(_ADD, (role, text)).lastrowid or 0
        self._tell("turn", id=f"t{number}", text=_rendered(number, role, text))

    def _tell(self, kind: str, **fact: str) -> None:
        frame = b"event: " + kind.encode() + b"\ndata: " + _encode(fact) + b"\n\n"
        for tab in self._tabs:
            tab.put_nowait(frame)


def _rendered(number: int, role: str, text: str) -> str:
    paragraphs = "".join(f"<p>{html.escape(one)}</p>" for one in text.split("\n\n"))
    return f'<article id="t{number}" class="turn {role}"><div class="prose">{paragraphs}</div></article>'


def _app(engine: Engine) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(engine.page())

    @app.get("/events")
    async def events() -> StreamingResponse:
        return StreamingResponse(engine.events(), media_type="text/event-stream")

    @app.post("/turns")
    async def turns(request: Request) -> Response:
        engine.say((await request.body()).decode())
        return Response(status_code=202)

    return app


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    app = _app(Engine(Path(sys.argv[2]), int(sys.argv[1])))
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None, loop="uvloop"))
    threading.Thread(target=_end_with_input, daemon=True).start()
    server.run(sockets=[listener])


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)  # tabs are open, and nothing here has to be kept


if __name__ == "__main__":
    main()
