"""A chat page whose server is the test: fragments come from here and facts are told by hand, in any order.

It holds the program's own scripts to the contract of the stream; how the real pages look is tested elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Page, Route

STATIC = Path(__file__).parents[2] / "chat/web/static"
ORIGIN = "http://127.0.0.1:9"  # nothing listens there; every request is answered by the route below
PATIENCE_S = 20
SHARED_WORKER = """
globalThis.SharedWorker = class {
  constructor() {
    this.port = { postMessage: (word) => (globalThis.words ??= []).push(word) };
    globalThis.tell = (kind, data) => this.port.onmessage({ data: { kind, data } });
    globalThis.say = (state) => this.port.onmessage({ data: state });
  }
};
"""


def turn(turn_id: str, text: str, head: int, *, running: bool = False, name: str = "Mara") -> str:
    growing = " data-growing" if running else ""
    return (
        f'<article id="turn-{turn_id}" class="turn{" running" if running else ""}" data-turn="{turn_id}"'
        f' data-head="{head}" aria-label="{name}"><div class="prose" hx-disable{growing}>{text}</div></article>'
    )


def status(head: int, sentence: str = "", *, stop: str = "") -> str:
    form = f'<form id="stop" method="post" action="/chats/c1/turns/{stop}/stop"><button>Stop</button></form>'
    return (
        f'<div id="status" role="status" data-status="idle" data-head="{head}">'
        f'<p class="status-text">{sentence}</p>{form if stop else ""}</div>'
    )


class Mockup:
    """`answers` maps (method, path) to a fragment, or to a function that makes one; `posted` holds what was
    sent, `fetched` what each request for parts asked for.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.answers: dict[tuple[str, str], str | Callable[[], str]] = {}
        self.statuses: dict[tuple[str, str], int] = {}
        self.holds: dict[str, asyncio.Event] = {}
        self.asked: list[str] = []
        self.fetched: list[str] = []
        self.posted: list[tuple[str, str]] = []
        self.down = False

    async def open(self, *turns: str, head: int = 10, shared: bool = True) -> None:
        html = (
            '<!doctype html><html lang="en"><title>c1</title><script type="module" src="/static/app.js"></script>'
            f'<body data-page="chat" data-chat="c1" data-head="{head}" data-epoch="e1">'
            '<nav id="rail" data-head="10"><a href="/bots">Bots</a></nav>'
            f'<div id="page-scroll"><div id="transcript" data-head="{head}">{"".join(turns)}</div></div>'
            f'<div id="notices"></div>{status(head)}'
            '<form id="composer" method="post" action="/chats/c1/turns" data-chat="c1">'
            '<input type="hidden" name="idempotency_key" value="k0"><textarea name="prose"></textarea>'
            '<button id="send">Send</button></form></body></html>'
        )
        self.answers[("GET", "/chats/c1")] = html
        self.answers[("GET", "/chats/c1/notice")] = '<div hx-swap-oob="innerHTML:#notices"></div>'
        self.answers[("GET", "/chats/c1/steps")] = '<div id="steps"></div>'
        self.answers[("GET", "/chats/c1/draft")] = '{"prose": ""}'
        if shared:
            await self.page.add_init_script(SHARED_WORKER)
        await self.page.route("**/*", self._serve)
        await self.page.goto(f"{ORIGIN}/chats/c1")

    async def tell(self, kind: str, **data: Any) -> None:
        await self.page.evaluate("([kind, data]) => tell(kind, data)", [kind, {"chat": "c1", **data}])

    async def committed(
        self, head: int, *turns: str, kinds: tuple[str, ...], parts: tuple[str, ...] = ()
    ) -> None:
        told = {"head": head, "kinds": list(kinds), "parts": ["transcript", *parts], "turns": list(turns)}
        await self.tell("event", **told)

    async def words(self, name: str) -> list[Any]:
        """What the page said to its connection."""
        found: list[Any] = await self.page.evaluate(
            "name => (globalThis.words ?? []).filter(w => w[name])", name
        )
        return found

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for what the page does by itself; a busy machine may take its time."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await self.page.wait_for_timeout(20)

    async def _serve(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/chats/c1/parts":
            await self._serve_parts(route)
            return
        key = (route.request.method, path)
        if path.startswith("/static/"):
            await route.fulfill(path=STATIC / path.removeprefix("/static/"))
            return
        self.asked.append(path)
        if route.request.method != "GET":
            self.posted.append((path, route.request.post_data or ""))
        if path in self.holds:
            await self.holds[path].wait()
        if self.down:
            await route.abort()
            return
        answer = self.answers.get(key, "")
        body = answer() if callable(answer) else answer
        code = self.statuses.get(key, 200 if body else 404)
        await route.fulfill(status=code, body=body, content_type="text/html; charset=utf-8")

    async def _serve_parts(self, route: Route) -> None:
        """Several answers in one, each under the address it has of its own; what has none is left out."""
        query = urlsplit(route.request.url).query
        self.fetched.append(query)
        wanted = parse_qs(query)
        places = [f"/chats/c1/turns/{one}" for one in wanted.get("turn", [])]
        places += ["/rail" if name == "rail" else f"/chats/c1/{name}" for name in wanted.get("part", [])]
        self.asked += places
        for hold in [self.holds[place] for place in places if place in self.holds]:
            await hold.wait()
        if self.down:
            await route.abort()
            return
        answers = [self.answers.get(("GET", place), "") for place in places]
        body = "".join(answer() if callable(answer) else answer for answer in answers)
        await route.fulfill(status=200, body=body, content_type="text/html; charset=utf-8")


def field(body: str, name: str) -> str:
    """One field of a posted form."""
    return parse_qs(body, keep_blank_values=True)[name][0]
