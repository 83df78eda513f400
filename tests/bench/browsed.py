"""A real Chromium for figures: pages with a clock of their own, and what their main thread was busy with."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.bench.figures import Skipped

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def chromium_path() -> str:
    found = os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, _NAMES)), None)
    if not found:
        raise Skipped("there is no Chromium (set CHROMIUM_PATH)")
    return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    path = chromium_path()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_OPTIONS)
        yield browser
        await browser.close()


class Tab:
    """One page, with the counters of its main thread."""

    def __init__(self, page: Any, session: Any) -> None:
        self.page, self._session = page, session

    @classmethod
    async def open(cls, context: Any, url: str) -> Tab:
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        await page.goto(url)
        return cls(page, session)

    async def busy_s(self) -> float:
        """Seconds the main thread has worked since the page was opened."""
        found = await self._session.send("Performance.getMetrics")
        return float(next(one["value"] for one in found["metrics"] if one["name"] == "TaskDuration"))
