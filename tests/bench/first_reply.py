"""Somebody who reads nothing and sets up nothing: from the first page to the first whole reply of the demo."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.browsed import chromium
from tests.bench.figures import Line, Scale, within
from tests.support.server import Server

FIRST_REPLY_S = 30
WORDS = '"May I come in? My lantern has gone out."'


def measure(scale: Scale) -> list[Line]:
    taken = asyncio.run(_evenings(scale.of(3, 1)))
    worst = max(taken)
    return [
        within(
            "first page to first whole reply, all skipped",
            f"{worst:.1f} s at worst",
            f"median {median(taken):.1f} s",
            worst,
            FIRST_REPLY_S,
            "s",
        )
    ]


async def _evenings(rounds: int) -> list[float]:
    """Each with a fresh data folder and a browser that has never seen the program."""
    async with chromium() as browser:
        return [await _evening(browser) for _ in range(rounds)]


async def _evening(browser: Any) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="chat-bench-first-") as name,
        Server(Path(name) / "data", is_measured=False) as server,
    ):
        context = await browser.new_context()
        page = await context.new_page()
        began = time.perf_counter()
        await page.goto(server.url)
        await page.get_by_role("button", name="Step in").click()
        await page.locator("#prose").fill(WORDS)
        await page.locator("#send").click()
        await page.locator(".turn.you").wait_for()
        await page.locator(".turn.bot:not(.opening, .running) .prose").wait_for()
        taken = time.perf_counter() - began
        assert await page.locator(".turn.bot:not(.opening) .prose").inner_text()
        assert not await page.locator(".face").count()
        await context.close()
        return taken
