"""Somebody who reads nothing and sets up nothing: from the first page to the first reply."""

from __future__ import annotations

import time

from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.server import Server

PRESSES_MOST = 2
PATIENCE_S = 60
"""Longer than this nobody waits, however busy the machine is; the time is a figure of `make bench` (first-reply)."""


async def test_a_user_who_skips_everything_has_a_reply_after_two_presses(page: Page, server: Server) -> None:
    began, presses = time.monotonic(), 0
    await page.goto(server.url)
    await page.get_by_role("button", name="Step in").click()
    presses += 1
    await expect(page.locator("#composer")).to_be_visible()
    await expect(page.locator(".turn.opening .prose")).to_contain_text("Cape Ferrow")
    await expect(page.locator(".demo-tag")).to_be_visible()
    await page.fill(desk.BOX, '"May I come in? My lantern has gone out."')
    await page.click(desk.SEND)
    presses += 1
    assert await desk.answered(page)
    assert presses <= PRESSES_MOST
    assert time.monotonic() - began < PATIENCE_S
