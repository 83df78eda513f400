"""Hostile text in every field stays text: no script runs and nothing is asked for elsewhere."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.peer import Peer
from tests.support.peer_acts import Status
from tests.support.server import Server
from tests.support.watch import Watch
from tests.trust import payloads as trust


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


FIELD_CHARS, TURN_CHARS = 300, 5_000
"""A field of a bot goes into every prompt and holds the beginning of the longest ones; the model says all of each."""


def payloads(port: int) -> list[str]:
    """Every one of every case."""
    return [text for case in trust.PAYLOADS for text in trust.payloads(case, f"localhost:{port}")]


def as_turns(texts: list[str]) -> list[str]:
    """The texts as turns none of which is too long for a prompt."""
    turns = [""]
    for piece in (text[at : at + TURN_CHARS] for text in texts for at in range(0, len(text), TURN_CHARS)):
        if len(turns[-1]) + len(piece) > TURN_CHARS:
            turns.append("")
        turns[-1] += f"{piece}\n"
    return turns


async def test_hostile_text_in_every_field_is_only_text(
    page: Page, watch: Watch, server: Server, sink: Sink
) -> None:
    hostile = "\n".join(text[:FIELD_CHARS] for text in payloads(sink.port))
    line = trust.one_line(payloads(sink.port)[2])
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
    for text in as_turns(payloads(sink.port)):
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
    page: Page, told: Server, sink: Sink, peer: Peer, rest: threading.Event
) -> None:
    rest.clear()
    await desk.open_chat(page, told, desk.begin_story(told))
    await desk.say(page, "Go on.")
    await desk.growing(page, 100)
    await inert(page)
    rest.set()
    await desk.answered(page)
    await inert(page)
    await page.reload()
    await inert(page)
    assert "self.owned=1" in await desk.last_reply(page)
    peer.script(Status(400, {"error": {"message": payloads(sink.port)[2]}}))
    await desk.say(page, "And then?")
    await expect(page.locator(".face-what")).to_contain_text("self.owned=1")
    await page.click("#drawer-panel > summary")
    await expect(page.locator("#reply")).to_be_visible()
    await inert(page)
    assert sink.hits == 0


INJECT = """(sink) => {
    self.blocked = [];
    document.addEventListener('securitypolicyviolation', (told) => self.blocked.push(told.blockedURI));
    const add = (tag, set) => document.body.append(Object.assign(document.createElement(tag), set));
    add('script', { textContent: 'self.owned = 1' });
    add('script', { src: sink });
    const box = document.createElement('div');
    box.innerHTML = '<button id="by-hand" onclick="self.owned = 1">x</button>';
    document.body.append(box);
    document.getElementById('by-hand').click();
}"""


async def test_case_27_a_script_put_into_the_page_by_hand_is_blocked_by_the_browser(
    page: Page, watch: Watch, server: Server, sink: Sink
) -> None:
    """And the same does run where there is no such policy, so it is the policy that holds it."""
    remote = f"http://localhost:{sink.port}/s.js"
    await desk.open_chat(page, server, desk.begin_story(server))
    await page.evaluate(INJECT, remote)
    for _ in range(100):  # the page allows no script of text, and so none that waits in it
        if await page.evaluate("self.blocked.length") >= 3:
            break
        await page.wait_for_timeout(50)
    assert sorted(await page.evaluate("self.blocked")) == [remote, "inline", "inline"]
    assert await page.evaluate("typeof self.owned") == "undefined"
    assert sink.hits == 0
    await page.goto("about:blank")
    async with page.expect_event("requestfailed"):
        await page.evaluate(INJECT, remote)
    assert await page.evaluate("self.owned") == 1
    assert sink.hits
    watch.errors.clear()


async def inert(page: Page) -> None:
    """Nothing of the text became an element that acts, and no script of its ran."""
    assert await page.evaluate("typeof self.owned") == "undefined"
    words = ".prose :is(script, img, svg, iframe, form, style, [hx-get])"
    prose = f"{words}, .face *:not(p, div, a, form, input, button, span)"
    assert await page.locator(prose).count() == 0
    foreign = await page.locator("script, img, iframe, link, base, meta[http-equiv]").evaluate_all(
        "found => found.map((e) => e.src || e.href || '').filter((url) => url && !url.startsWith(location.origin))"
    )
    assert not foreign
    assert await page.evaluate("typeof globalThis.htmx.process") == "function"
