"""A large copy is examined in a process of its own, which finds what would be found here and says it the same way."""

from __future__ import annotations

import asyncio
import hashlib
import io
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from chat.clock import Clock
from chat.errors import StoreDamaged
from chat.settings import Settings
from chat.store import Store, backup, log, trial
from chat.store.trial import Trial, Tried
from tests.support import pages, stories
from tests.support.restoring import play

HERE, APART = 0, trial.APART_FROM_BYTES
LONG = "Nets dry on the wall. " * 600 + "And the last one is torn."


@pytest.fixture
async def copy(settings: Settings, tmp_path: Path) -> Path:
    await play(settings, range(1, 21, 2))
    store = await Store.open(settings, Clock())
    await store.execute(lambda state: stories.exchange("a", "a-1", 21, LONG))
    await store.close()
    backup.copy_consistently(settings.db_path, tmp_path / "copy.db")
    return tmp_path / "copy.db"


@contextmanager
def ready(path: Path, size: int) -> Iterator[Trial]:
    with path.open("rb", buffering=0) as source, trial.ready(source, size) as trying:
        assert (trying._process is None) == (size == HERE)
        yield trying


def tried(path: Path, size: int) -> Tried:
    scratch = path.with_name(f"scratch-{size}.db")
    with ready(path, size) as trying:
        try:
            trying.begin(scratch)
            return trying.found(scratch)
        finally:
            assert scratch.read_bytes() == path.read_bytes()
            scratch.unlink()


def test_another_process_finds_the_same_as_this_one(copy: Path) -> None:
    whole = tried(copy, APART)
    assert whole == tried(copy, HERE)
    assert whole.sha256 == hashlib.sha256(copy.read_bytes()).hexdigest()
    assert whole.size == copy.stat().st_size
    assert whole.must_be_whole().chats == 2
    pages.spoil(copy, pages.root_of(copy, "turns"))
    damaged = tried(copy, APART)
    assert damaged == tried(copy, HERE)
    with pytest.raises(StoreDamaged, match="damaged"):
        damaged.must_be_whole()


def stored(path: Path, column: str, kind: str = "user_turn") -> bytes:
    """What the log holds in a column of the last event of a kind."""
    conn = sqlite3.connect(path)
    last = f"select cast({column} as blob) from event_log where kind = ? order by id desc limit 1"
    value: bytes = conn.execute(last, (kind,)).fetchone()[0]
    conn.close()
    return value


def of_the_log(column: str, kind: str = "user_turn") -> Callable[[Path], int]:
    """Where such a value begins in the file."""
    return lambda path: path.read_bytes().rindex(stored(path, column, kind))


def of_words(words: bytes) -> Callable[[Path], int]:
    """Where these words stand in the log; the tables made from it hold them too."""

    def found(path: Path) -> int:
        content, spoiled = path.read_bytes(), path.with_name("spoiled.db")
        before, at = said(path), content.find(words)
        while at >= 0:
            spoiled.write_bytes(content[:at] + b"?" + content[at + 1 :])
            if said(spoiled) != before:
                return at
            at = content.find(words, at + 1)
        raise AssertionError("The log does not hold them.")

    return found


def said(path: Path) -> list[tuple[bytes]]:
    conn = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        return conn.execute("select cast(payload_json as blob) from event_log order by id").fetchall()
    finally:
        conn.close()


def of_a_page(name: str, offset: int) -> Callable[[Path], int]:
    return lambda path: (pages.root_of(path, name) - 1) * pages.page_size(path) + offset


ONE_BYTE: dict[str, Callable[[Path], int]] = {
    "a letter of the words": of_words(b"The lamp is lit"),
    "a letter far down in long words": of_words(b"And the last one is torn."),
    "the kind": of_the_log("kind", "memory_written"),
    "the salt": of_the_log("salt"),
    "the hash": of_the_log("hash"),
    "the hash of the last event": lambda path: path.read_bytes().rindex(last_hash(path)),
    "the type of a page of the log": of_a_page("event_log", 0),
    "the type of a page of an index": of_a_page("event_log_stream", 0),
    "the count of cells of a table": of_a_page("memories", 4),
    "a pointer into a page of a table": of_a_page("branches", 8),
    "the count of pages of the file": lambda path: 31,
}


def last_hash(path: Path) -> bytes:
    conn = sqlite3.connect(path)
    digest = log.head(conn).hash
    conn.close()
    return digest


@pytest.mark.parametrize("which", ONE_BYTE)
def test_one_changed_byte_of_a_copy_is_found(copy: Path, which: str) -> None:
    assert tried(copy, HERE).facts
    content = bytearray(copy.read_bytes())
    content[ONE_BYTE[which](copy)] ^= 1
    copy.write_bytes(content)
    damaged = tried(copy, HERE)
    assert damaged.facts is None
    assert damaged.message
    assert damaged.next_step


def test_where_no_process_can_be_started_it_is_done_here(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tried(copy, HERE)

    def refused(*_: object, **__: object) -> NoReturn:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refused)
    with copy.open("rb", buffering=0) as source, trial.ready(source, APART) as trying:
        trying.begin(copy.with_name("scratch.db"))
        assert trying.found(copy.with_name("scratch.db")) == whole


def test_a_process_that_is_ended_is_no_verdict(copy: Path) -> None:
    whole = tried(copy, HERE)
    scratch = copy.with_name("scratch.db")
    with ready(copy, APART) as trying:
        assert trying._process
        trying._process.kill()
        trying._process.wait()
        trying.begin(scratch)
        scratch.write_bytes(b"half of it")
        trying._source.seek(3)
        assert trying.found(scratch) == whole


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process for a trial is stopped as soon as it is there, and little patience is had with it."""
    started, found = trial._started, []

    def stopping(source: io.FileIO) -> subprocess.Popen[bytes] | None:
        process = started(source)
        assert process
        process.send_signal(signal.SIGSTOP)
        found.append(process)
        return process

    monkeypatch.setattr(trial, "_started", stopping)
    monkeypatch.setattr(trial, "PATIENCE_S", 0.01)
    return found


def test_a_process_that_gets_no_time_is_not_waited_for(
    copy: Path, stopped: list[subprocess.Popen[bytes]]
) -> None:
    whole = tried(copy, HERE)
    assert tried(copy, APART) == whole
    assert [one.returncode for one in stopped] == [-signal.SIGKILL]
    pages.spoil(copy, pages.root_of(copy, "turns"))
    assert tried(copy, APART).facts is None


async def test_a_backup_whose_trial_gets_no_time_is_verified_all_the_same(
    told: Store,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    stopped: list[subprocess.Popen[bytes]],
) -> None:
    monkeypatch.setattr(trial, "APART_FROM_BYTES", 0)
    made = await asyncio.to_thread(backup.make, settings, Clock(), "by-hand")
    assert backup.listing(settings) == [made]
    assert made.is_verified
    assert made.manifest
    kept = (settings.backups_dir / f"{made.name}.db").read_bytes()
    assert made.manifest.sha256 == hashlib.sha256(kept).hexdigest()
    assert [one.returncode for one in stopped] == [-signal.SIGKILL]
    assert list(settings.data_dir.glob("*.work")) == []
    assert list(settings.backups_dir.glob("*.part*")) == []


@pytest.mark.parametrize("apart_from", [0, 1 << 40])
async def test_a_byte_that_changes_between_the_copying_and_the_trial_keeps_the_backup_from_counting(
    told: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, apart_from: int
) -> None:
    made = backup.copy_consistently

    def spoilt(source: Path, target: Path) -> None:
        made(source, target)
        content = bytearray(target.read_bytes())
        content[of_the_log("salt")(target)] ^= 1
        target.write_bytes(content)

    monkeypatch.setattr(trial, "APART_FROM_BYTES", apart_from)
    monkeypatch.setattr(backup, "copy_consistently", spoilt)
    with pytest.raises(StoreDamaged, match="not as it was written"):
        await asyncio.to_thread(backup.make, settings, Clock(), "by-hand")
    assert backup.listing(settings) == []
    assert [path.name for path in settings.backups_dir.iterdir()] == [".lock"]
    assert list(settings.data_dir.glob("*.work")) == []


def test_no_process_is_left_when_there_was_nothing_to_try(copy: Path) -> None:
    with pytest.raises(ZeroDivisionError), ready(copy, APART) as trying:
        raise ZeroDivisionError
    assert trying._process
    assert trying._process.returncode is not None
