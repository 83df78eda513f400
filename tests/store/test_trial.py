"""A large copy is examined in a process of its own, which finds what would be found here and says it the same way."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from chat.errors import StoreDamaged
from chat.settings import Settings
from chat.store import backup, foreign, trial
from tests.support import pages
from tests.support.restoring import play


@pytest.fixture
async def copy(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a database that counts as large."""
    monkeypatch.setattr(trial, "APART_FROM_BYTES", 0)
    await play(settings, range(1, 21, 2))
    backup.copy_consistently(settings.db_path, tmp_path / "copy.db")
    return tmp_path / "copy.db"


def test_it_finds_the_same_as_here_and_what_is_damaged(copy: Path) -> None:
    with foreign.opened(copy) as conn:
        here = foreign.examine(conn, whole_file=True)
    assert trial.examine(copy) == here
    pages.spoil(copy, pages.root_of(copy, "turns"))
    with pytest.raises(StoreDamaged, match="damaged"):
        trial.examine(copy)


def test_where_no_process_can_be_started_it_is_done_here(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> NoReturn:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "run", refused)
    assert trial.examine(copy).chats == 2
