"""Hostile text in every field stays text: no script runs and nothing is asked for elsewhere."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.server import Server
from tests.support.watch import Watch


class Sink:
    """Listens, and counts who comes."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.hits = 0
        self.thread = threading.Thread(target=self._count, daemon=True)
        self.thread.start()

    def _count(self) -> None:
        while True:
            try:
                visitor, _ = self.socket.accept()
            except OSError:
                return
            self.hits += 1
            visitor.close()

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)


@pytest.fixture
def sink() -> Iterator[Sink]:
    listening = Sink()
    yield listening
    listening.close()


def payloads(port: int) -> list[str]:
    at = f"//localhost:{port}/x"
    return [
        f"<script>self.owned=1;fetch('http:{at}')</script>",
        f'<img src=http:{at} onerror="self.owned=1"><svg/onload=self.owned=1>',
        f"![a](http:{at}) ![b][c]\n\n[c]: {at}\n\n<img srcset='{at} 1x'><picture><source srcset={at}></picture>",
        "[x](javascript:self.owned=1) <javascript:self.owned=1>",
        f"<link rel=stylesheet href={at}><style>@import '{at}';*{{background:url({at})}}</style>",
        f"<base href=http:{at}><meta http-equiv=refresh content='0;url=http:{at}'><iframe src={at}></iframe>",
        f"<form id=htmx action={at}><input name=attributes></form><div hx-get={at} hx-trigger=load>x</div>",
        f"</textarea></div></article><img src={at}><details open ontoggle=self.owned=1>",
        "{{7*7}} ${7*7} {0.__class__} %(x)s {% include '/etc/passwd' %}",
        "\n\nevent: done\ndata: {}\n\nid: 1\rretry: 1\u2028</p>",
    ]


async def test_hostile_text_in_every_field_is_only_text(
    page: Page, watch: Watch, server: Server, sink: Sink
) -> None:
    hostile = "\n".join(payloads(sink.port))
    line = payloads(sink.port)[1]
    await page.goto(f"{server.url}/settings")
    await page.fill("#you input[name=name] >> nth=0", line)
    await page.fill("#you textarea[name=persona] >> nth=0", hostile)
    await page.click("#you button.primary >> nth=0")
    await page.goto(f"{server.url}/bots/new")
    for name in ("name", "traits", "initial_relationship_to_you"):
        await page.fill(f"[name={name}]", line)
    for name in ("persona", "appearance", "voice_samples", "backstory", "kickoff_prose"):
        await page.fill(f"[name={name}]", hostile)
    await page.click("main button.primary")
    await page.click("button[value=parse]")
    for field in ("title", "place_name", "feeling_summary"):
        await page.fill(f"[name={field}]", line)
    for field in ("facts", "opening"):
        await page.fill(f"[name={field}]", hostile)
    await page.click("button[value=confirm]")
    await expect(page.locator("#composer")).to_be_visible()
    for text in payloads(sink.port):
        await desk.say(page, text)
        await desk.answered(page)
    chat = page.url
    for path in (
        chat,
        f"{server.url}/chats",
        f"{server.url}/bots",
        f"{server.url}/settings",
        f"{server.url}/chats/new",
    ):
        await page.goto(path)
        await page.wait_for_timeout(50)
        await inert(page)
    assert sink.hits == 0
    assert not watch.left_the_machine


@pytest.fixture
def model_says(sink: Sink) -> str:
    return "\n\n".join(payloads(sink.port))


async def test_a_hostile_model_owns_nothing_while_it_streams_nor_afterwards(
    page: Page, told: Server, sink: Sink
) -> None:
    await desk.open_chat(page, told, desk.begin_story(told))
    await desk.say(page, "Go on.")
    await desk.growing(page, 100)
    await inert(page)
    await desk.answered(page)
    await inert(page)
    await page.reload()
    await inert(page)
    assert "self.owned=1" in await desk.last_reply(page)
    assert sink.hits == 0


async def inert(page: Page) -> None:
    """Nothing of the text became an element that acts, and no script of its ran."""
    assert await page.evaluate("typeof self.owned") == "undefined"
    prose = ".prose script, .prose img, .prose svg, .prose iframe, .prose form, .prose [hx-get], .prose style"
    assert await page.locator(prose).count() == 0
    foreign = await page.locator("script, img, iframe, link, base, meta[http-equiv]").evaluate_all(
        "found => found.map((e) => e.src || e.href || '').filter((url) => url && !url.startsWith(location.origin))"
    )
    assert not foreign
    assert await page.evaluate("typeof globalThis.htmx.process") == "function"
