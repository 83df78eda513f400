"""A data folder of its own for each test, a seeded clock, and an open store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chat.clock import Clock
from chat.settings import Settings, load_settings
from chat.store import Store, backup
from chat.store.backup_folder import Backup
from tests.support import stories
from tests.support.restoring import play


@pytest.fixture
def clock() -> Clock:
    return Clock(seed=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data")


@pytest.fixture
async def store(settings: Settings, clock: Clock) -> AsyncIterator[Store]:
    """Two bots and two chats, nothing said yet."""
    opened = await Store.open(settings, clock)
    await opened.execute(lambda state: [*stories.cast(), *stories.chat("a"), *stories.chat("b")])
    yield opened
    await opened.close()


@pytest.fixture
async def told(store: Store) -> Store:
    """Three exchanges in chat a, one in chat b."""
    for step in (1, 3, 5):
        await store.execute(lambda state, step=step: stories.exchange("a", "a-1", step))
    await store.execute(lambda state: stories.exchange("b", "b-1", 1, "Nets dry on the wall."))
    return store


@pytest.fixture
async def kept(settings: Settings) -> Backup:
    """A backup of two exchanges in chat a, after which the story went on for three more, and one in chat b."""
    await play(settings, range(1, 5, 2))
    made = await asyncio.to_thread(backup.make, settings, Clock(), "daily")
    await play(settings, range(5, 11, 2))
    await play(settings, range(1, 3, 2), "b")
    return made
