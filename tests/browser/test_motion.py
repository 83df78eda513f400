"""Who asked their system for less motion gets none, in any theme; everyone else sees that a reply is on its way."""

from __future__ import annotations

import threading

import pytest
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.browser.test_access import themed
from tests.support.peer import Peer
from tests.support.peer_acts import Reply
from tests.support.server import Server

RUNNING = (
    "() => [...new Set(document.getAnimations().map((one) => one.animationName ?? one.transitionProperty))]"
)
MOVING = """() => {
  const told = [];
  for (const element of document.querySelectorAll("*")) {
    for (const part of ["", "::before", "::after"]) {
      const style = getComputedStyle(element, part || undefined);
      const moves = style.transitionProperty !== "none" && parseFloat(style.transitionDuration) > 0;
      if (style.animationName !== "none") told.push(style.animationName);
      if (moves) told.push("transition");
      if (style.scrollBehavior === "smooth") told.push("scroll");
    }
  }
  return [...new Set(told)];
}"""
"""All that would move if it came to be shown, running or not."""


@pytest.mark.parametrize(
    ("theme", "sign"), [("light", "breathe"), ("dark", "breathe"), ("phosphor", "cursor-blink")]
)
async def test_nothing_moves_for_who_asked_for_less_motion(
    page: Page, told: Server, peer: Peer, theme: str, sign: str
) -> None:
    await themed(page, told, theme, 1440)
    await desk.open_chat(page, told, desk.begin_story(told))
    await page.click("#drawer-panel summary")
    first_word = threading.Event()
    peer.script(Reply(desk.counted(3), rest=first_word, rest_from=0))
    await desk.say(page, "Who is there?")
    await expect(page.locator(".turn.running .typing")).to_be_visible()
    await expect(page.locator("#composer[aria-busy]")).to_have_count(0)
    await page.emulate_media(reduced_motion="no-preference")
    assert sign in await page.evaluate(RUNNING)
    assert {sign, "fade-in", "transition"} <= set(await page.evaluate(MOVING))
    await page.emulate_media(reduced_motion="reduce")
    assert await page.evaluate(RUNNING) == []
    assert await page.evaluate(MOVING) == []
    first_word.set()
    await desk.answered(page)
