"""A large copy is examined in a process of its own, which finds what would be found here and says it the same way."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from chat.errors import StoreDamaged
from chat.settings import Settings
from chat.store import backup, trial
from chat.store.foreign import Facts
from tests.support import pages
from tests.support.restoring import play

HERE, APART = 0, trial.APART_FROM_BYTES


@pytest.fixture
async def copy(settings: Settings, tmp_path: Path) -> Path:
    await play(settings, range(1, 21, 2))
    backup.copy_consistently(settings.db_path, tmp_path / "copy.db")
    return tmp_path / "copy.db"


def tried(path: Path, size: int) -> Facts:
    with trial.ready(size) as trying:
        assert (trying._process is None) == (size == HERE)
        return trying.examine(path)


def test_another_process_finds_the_same_as_this_one(copy: Path) -> None:
    assert tried(copy, APART) == tried(copy, HERE)
    pages.spoil(copy, pages.root_of(copy, "turns"))
    said = []
    for size in (HERE, APART):
        with pytest.raises(StoreDamaged, match="damaged") as refusal:
            tried(copy, size)
        said.append((refusal.value.message, refusal.value.next_step))
    assert said[0] == said[1]


def test_where_no_process_can_be_started_it_is_done_here(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> NoReturn:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refused)
    with trial.ready(APART) as trying:
        assert trying.examine(copy).chats == 2


def test_a_process_that_is_ended_is_no_verdict(copy: Path) -> None:
    with trial.ready(APART) as trying:
        assert trying._process
        trying._process.kill()
        trying._process.wait()
        assert trying.examine(copy).chats == 2


def test_no_process_is_left_when_there_was_nothing_to_examine() -> None:
    with pytest.raises(ZeroDivisionError), trial.ready(APART) as trying:
        raise ZeroDivisionError
    assert trying._process
    assert trying._process.returncode is not None
