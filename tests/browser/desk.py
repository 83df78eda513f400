"""What a player does at the desk of a chat, and what they see there."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from tests.support.server import Server
from tests.support.story import PACE_S as PACE_S
from tests.support.story import PROSE as PROSE
from tests.support.story import begin_story as begin_story
from tests.support.story import counted as counted
from tests.support.story import narrator as narrator

BOX, SEND = "#composer textarea", "#send"

# A press counts for two seconds at the longest (press.js); this machine may need more for what a test does meanwhile.
PRESSED_FOR_LONG = """
const later = globalThis.setTimeout;
globalThis.setTimeout = (work, delay, ...rest) => later(work, delay === 2000 ? 60_000 : delay, ...rest);
"""


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
    await expect(page.locator("#composer[aria-busy]")).to_have_count(0)
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
    """Every turn on the page, in order: who, and what; off screen too, where a browser renders no text."""
    return await page.eval_on_selector_all(
        "#transcript .turn",
        "turns => turns.map((turn) => `${turn.id} ${turn.querySelector('.prose').textContent.trim()}`)",
    )
