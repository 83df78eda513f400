"""The real program on real files, with two chats that have been played, for faults of the machine under it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.settings import Settings, load_settings
from tests.faults.desk import Desk, answer
from tests.support.peer import Peer
from tests.support.restoring import play


@pytest.fixture(scope="session")
def model() -> Iterator[Peer]:
    with Peer(default=answer) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Stories that were played and closed; no server has them open."""
    found = load_settings(data_dir=tmp_path / "data")
    asyncio.run(_played(found))
    return found


@pytest.fixture
def desk(settings: Settings, model: Peer) -> Iterator[Desk]:
    """A program that is not started yet."""
    at = Desk(settings, model)
    yield at
    at.server.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, model: Peer) -> Iterator[Desk]:
    """A program that runs, for faults it gets over without a restart."""
    found = load_settings(data_dir=tmp_path_factory.mktemp("shared") / "data")
    asyncio.run(_played(found))
    at = Desk(found, model)
    at.server.start()
    at.say("a", "Let us begin.")
    yield at
    at.server.kill()


async def _played(settings: Settings) -> None:
    await play(settings, range(1, 41, 2))
    await play(settings, range(1, 11, 2), "b")
