"""What a player does at the desk of a chat, and what they see there."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.async_api import Page, expect

from tests.support.peer import Received
from tests.support.peer_acts import Act, Answer, Reply
from tests.support.server import Server

PACE_S = 0.02  # between the words of the model the tests play against
BOX, SEND = "#composer textarea", "#send"
PROSE = "In the kitchen of an old inn, late at night. I sit by the stove; she is peeling apples."


def counted(words: int) -> str:
    """A text in which every lost, doubled or moved word shows."""
    return " ".join(f"w{number:04}" for number in range(words)) + "."


def narrator(text: str, pace_s: float = 0.01) -> Callable[[Received], Act]:
    """A model that answers each turn with `text`, at a pace, and reads kickoffs as empty."""

    def answer(received: Received) -> Act:
        return Answer({}) if received.schema_name else Reply(text, pace_s=pace_s)

    return answer


def begin_story(server: Server, bot_id: str = "") -> str:
    """A new chat, made as a script makes one; returns its id."""
    bot = bot_id or server.request("GET", "/bots").json["bots"][0]["id"]
    read = server.request("POST", f"/bots/{bot}/kickoff", form={"prose": PROSE, "action": "parse"})
    assert read.status in (200, 303), read.text
    made = server.request("POST", f"/bots/{bot}/kickoff", form={"action": "confirm"})
    assert made.status in (200, 201), made.text
    chat_id: str = made.json["chat_id"]
    return chat_id


async def open_chat(page: Page, server: Server, chat_id: str) -> None:
    await page.goto(f"{server.url}/chats/{chat_id}")
    await expect(page.locator(BOX)).to_be_visible()


async def say(page: Page, text: str) -> None:
    """Writes and sends; returns when the words stand in the story."""
    before = await page.locator(".turn.you").count()
    await page.fill(BOX, text)
    await page.click(SEND)
    await expect(page.locator(".turn.you")).to_have_count(before + 1)


async def answered(page: Page, timeout_s: float = 20) -> str:
    """The last reply, once it is stored and the desk is open again."""
    await expect(page.locator(SEND)).to_be_enabled(timeout=timeout_s * 1000)
    await expect(page.locator(".turn.running")).to_have_count(0)
    return await last_reply(page)


async def growing(page: Page, characters: int = 1) -> str:
    """The words of the running reply so far, once there are at least this many."""
    place = page.locator(".turn.running [data-growing]")
    await expect(place).to_have_text(re.compile(rf"[\s\S]{{{characters},}}"), timeout=20_000)
    return await place.inner_text()


async def last_reply(page: Page) -> str:
    return await page.locator(".turn.bot .prose").last.inner_text()


async def transcript(page: Page) -> list[str]:
    """Every turn on the page, in order: who, and what."""
    return await page.eval_on_selector_all(
        "#transcript .turn",
        "turns => turns.map((turn) => `${turn.id} ${turn.querySelector('.prose').innerText}`)",
    )
