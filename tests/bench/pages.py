"""The page of a chat: its time with a short and a long story, and what a browser loads for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from statistics import median
from typing import Any

from tests.bench.figures import ROUNDS, Line, Scale, at_most, ms, summed, within
from tests.bench.served import Served, served
from tests.bench.stories import Story, story_of_turns

LENGTHS, LENGTHS_QUICK = (100, 10_000, 100_000), (100, 1_000, 10_000)
REQUESTS_MAX, BYTES_MAX_KB = 8, 120
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def measure(scale: Scale) -> list[Line]:
    lengths = LENGTHS_QUICK if scale.quick else LENGTHS
    stories = [story_of_turns(length) for length in lengths]
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(served(story)) for story in stories]
        rounds = _rounds(servers, stories, scale.of(40, 10))
        lines = [
            at_most(
                f"page of a chat of {length:,} turns",
                ms(median(taken[index] for taken in rounds)),
                f"{ms(median(taken[0] for taken in rounds))} at {lengths[0]}",
                summed([(taken[index], taken[0]) for taken in rounds])[2],
                1.1,
            )
            for index, length in enumerate(lengths)
            if index
        ]
        return lines + _loaded(servers[-1], stories[-1])


def _rounds(servers: list[Served], stories: list[Story], pages: int) -> list[list[float]]:
    """The median time of a page of each story, all taken in turn, for each round."""
    for server, story in zip(servers, stories, strict=True):
        for _ in range(10):
            _page(server, story)
    rounds = []
    for _ in range(ROUNDS):
        taken = [
            [_page(server, story) for server, story in zip(servers, stories, strict=True)]
            for _ in range(pages)
        ]
        rounds.append([median(column) for column in zip(*taken, strict=True)])
    return rounds


def _page(server: Served, story: Story) -> float:
    began = time.perf_counter()
    server.get(f"/chats/{story.chats[0]}")
    return time.perf_counter() - began


def _loaded(server: Served, story: Story) -> list[Line]:
    """What a real browser asks for, and how many bytes come, when it opens the page for the first time."""
    found = os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, _BROWSERS)), None)
    if not found:
        print("  skipped: what a browser loads, because there is no Chromium (set CHROMIUM_PATH)")
        return []
    requests, size = asyncio.run(_browse(found, f"http://127.0.0.1:{server.port}/chats/{story.chats[0]}"))
    return [
        within(
            "requests of a first load", f"{requests}", "stream included", requests, REQUESTS_MAX, "requests"
        ),
        within(
            "bytes of a first load, on the wire", f"{size / 1000:.1f} kB", "", size / 1000, BYTES_MAX_KB, "kB"
        ),
    ]


async def _browse(chromium: str, url: str) -> tuple[int, int]:
    from playwright.async_api import async_playwright

    requests: list[str] = []
    sizes: list[float] = []

    def note(event: dict[str, Any]) -> None:
        sizes.append(event["encodedDataLength"])

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium)
        context = await browser.new_context()
        context.on("request", lambda request: requests.append(request.url))
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        await session.send("Network.enable")
        session.on("Network.loadingFinished", note)
        session.on("Network.dataReceived", lambda event: None)
        await page.goto(url)
        await page.wait_for_timeout(1500)
        await browser.close()
    return len(requests), int(sum(sizes))
