"""A real headless Chromium. A page that logs an error, or asks for anything elsewhere, fails its test."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from chat import cli
from tests.browser.desk import PACE_S, counted, narrator
from tests.support.peer import Peer
from tests.support.server import Server
from tests.support.watch import Watch

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE_MS = 20_000
"""How long a page may take to show what is expected; a busy machine is no fault of the page."""
expect.set_options(timeout=PATIENCE_MS)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def _chromium_path() -> str:
    for name in (os.environ.get("CHROMIUM_PATH", ""), *NAMES):
        if name and (found := shutil.which(name)):
            return found
    raise AssertionError("No Chromium was found. `make test` installs one; or set CHROMIUM_PATH to yours.")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests, because starting it takes longer than most of them; each test has a context of its own."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=_chromium_path(), args=QUIET)
        yield chromium
        await chromium.close()


@pytest.fixture
def watch() -> Iterator[Watch]:
    watched = Watch()
    yield watched
    assert not watched.left_the_machine
    assert not watched.errors


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, watch: Watch) -> AsyncIterator[Page]:
    """One tab. Another is `watch.over(await page.context.new_page())`."""
    context = await browser.new_context()
    yield watch.over(await context.new_page())
    await context.close()


@pytest.fixture
def server(tmp_path: Path, watch: Watch) -> Iterator[Server]:
    """The real program with nothing configured, so the demo plays. Pages may complain when it ends after the test."""
    with Server(tmp_path / "data", program=cli.main, is_measured=False) as running:
        yield running
        watch.is_watching = False


@pytest.fixture
def model_says() -> str:
    """What the model of `told` answers to every turn; a test file may say otherwise."""
    return counted(150)


@pytest.fixture
def rest() -> threading.Event:
    """Cleared, it keeps a reply of `peer` from its end: what is done meanwhile may take its time on a busy machine."""
    may_come = threading.Event()
    may_come.set()
    return may_come


@pytest.fixture
def peer(model_says: str, rest: threading.Event) -> Iterator[Peer]:
    """A model that always says the same, slowly enough to look on."""
    with Peer(default=narrator(model_says, PACE_S, rest)) as model:
        yield model


@pytest.fixture
def told(tmp_path: Path, peer: Peer, watch: Watch) -> Iterator[Server]:
    """The real program, connected to `peer`."""
    connection = {
        "CHAT_CONNECTION__BASE_URL": peer.base_url,
        "CHAT_CONNECTION__NARRATIVE_MODEL": "peer-model",
    }
    with Server(tmp_path / "data", settings=connection, program=cli.main, is_measured=False) as running:
        yield running
        watch.is_watching = False
