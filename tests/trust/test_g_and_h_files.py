"""Cases 88, 94, 97 and 100 of the trust list; which test holds the other cases of sections G and H stands in
test_index.py."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from chat.clock import Clock
from chat.domain import world
from chat.domain.events import UserTurn
from chat.errors import EventsLost, StoreDamaged, StoreError
from chat.settings import Settings, load_settings
from chat.store import Store, store
from chat.store.verify import verify
from tests.support import stories
from tests.support.restoring import rows
from tests.support.server import Server
from tests.support.story import begin_story
from tests.web.conftest import JSON, Visitor


def test_case_88_an_open_umask_opens_nothing_that_the_program_writes(tmp_path: Path) -> None:
    """Database, write-ahead log, head, lock, log, backups and snapshots, in a folder that the program makes itself."""
    before = os.umask(0)
    try:
        with Server(tmp_path / "data") as server:
            chat_id = begin_story(server)
            server.request("POST", f"/chats/{chat_id}/turns", form={"prose": "I wait."})
            made = server.request("POST", "/backups", form={})
            assert made.status in (200, 201, 202), made.text
            found = {path: path.stat().st_mode for path in (tmp_path / "data").rglob("*")}
    finally:
        os.umask(before)
    found |= {path: path.stat().st_mode for path in [tmp_path / "data", *(tmp_path / "data").rglob("*")]}
    files = {path.name: stat.S_IMODE(mode) for path, mode in found.items() if stat.S_ISREG(mode)}
    folders = {path.name: stat.S_IMODE(mode) for path, mode in found.items() if stat.S_ISDIR(mode)}
    assert {"chat.db", "chat.db-wal", "head", "chat.log", *os.listdir(tmp_path / "data" / "backups")} <= {
        *files
    }
    assert {name: oct(mode) for name, mode in files.items() if mode != 0o600} == {}
    assert {name: oct(mode) for name, mode in folders.items() if mode != 0o700} == {}


async def left_by_a_kill(folder: Path, seed: int) -> Settings:
    """A data folder in which the last commits lie in the write-ahead log, and the index of that is gone."""
    playing = load_settings(data_dir=folder / "playing")
    playing.ensure_folders()
    running = await Store.open(playing, Clock(seed=seed))
    await running.execute(lambda state: [*stories.cast(), *stories.chat("a")])
    await running.checkpoint()
    for step in range(1, 13, 2):
        await running.execute(lambda state, s=step: stories.exchange("a", "a-1", s, f"Nets {seed}. " * 200))
    left = load_settings(data_dir=folder / "left")
    left.ensure_folders()
    for name in ("chat.db", "chat.db-wal", "head"):
        shutil.copy(playing.data_dir / name, left.data_dir / name)
    await running.close()
    return left


def _cut(wal: Path, other: Path) -> None:
    os.truncate(wal, wal.stat().st_size - 100)


def _flipped(wal: Path, other: Path) -> None:
    content = bytearray(wal.read_bytes())
    content[len(content) // 2] ^= 1
    wal.write_bytes(content)


def _gone(wal: Path, other: Path) -> None:
    wal.unlink()


def _another(wal: Path, other: Path) -> None:
    shutil.copy(other, wal)


@pytest.mark.parametrize("spoil", [_cut, _flipped, _gone, _another])
async def test_case_94_a_write_ahead_log_that_is_not_what_it_was_is_told_and_nothing_is_written(
    tmp_path: Path, spoil: Callable[[Path, Path], None]
) -> None:
    left, other = await left_by_a_kill(tmp_path / "one", 1), await left_by_a_kill(tmp_path / "other", 2)
    spoil(left.data_dir / "chat.db-wal", other.data_dir / "chat.db-wal")
    opened = await Store.open(left, Clock(), serving=True)
    try:
        assert isinstance(opened.fault, StoreDamaged), "it is not gone on from"
        assert spoil is _another or isinstance(opened.fault, EventsLost)
        with pytest.raises(StoreError):
            await opened.execute(lambda state: stories.felt("a", "a-1", 99, 1))
    finally:
        await opened.close()


async def test_case_94_without_its_index_the_write_ahead_log_is_read_to_its_end(tmp_path: Path) -> None:
    left = await left_by_a_kill(tmp_path, 1)
    opened = await Store.open(left, Clock(), serving=True)
    assert opened.fault is None
    async with opened.reading() as reader:
        assert await reader.one("select count(*) from turns") == (12,)
    await opened.close()
    assert verify(left) == []


async def test_case_97_a_reader_that_stays_is_told_of_and_what_it_kept_is_let_go(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log grows by what is written while somebody reads, however long that is; no hour needs to pass for it."""
    monkeypatch.setattr(store, "LOG_BYTES_WANTED", 100_000)
    chat = await visitor.chat()
    engine = visitor.engine
    while not await engine.store.checkpoint():  # what reads at that very moment puts it off
        await visitor.pause()
    assert (await visitor.json("/health"))["warnings"] == []
    path = engine.settings.db_path.absolute().as_uri()
    with closing(sqlite3.connect(f"{path}?mode=ro", uri=True, isolation_level=None)) as other:
        other.execute("begin")
        seen = other.execute("select count(*) from event_log").fetchone()
        while engine.store.log_bytes <= 100_000:
            await visitor.say(chat, "Number by number. " * 100)
        await engine.store.checkpoint()
        facts = await visitor.json("/health")
        assert facts["write_ahead_log_bytes"] > 100_000
        assert "another program keeps reading" in " ".join(facts["warnings"])
        assert other.execute("select count(*) from event_log").fetchone() == seen
    answer = await visitor.post(f"/chats/{chat}/turns", JSON, prose="And on.")
    assert answer.status_code == 202
    await visitor.settled(chat)
    while not await engine.store.checkpoint():  # a page that reads at that very moment puts it off
        await visitor.pause()
    facts = await visitor.json("/health")
    assert (facts["write_ahead_log_bytes"], facts["warnings"]) == (0, [])


async def test_case_100_a_fold_that_raises_refuses_what_needs_it_and_touches_neither_log_nor_tables(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat, other = await visitor.chat(), await visitor.chat()
    await visitor.say(chat, "I wait.")
    await visitor.engine.store.checkpoint()
    settings, turns = visitor.engine.settings, await visitor.turns(chat)
    before = rows(settings)

    def broken(*_: object) -> NoReturn:
        raise RuntimeError("This cannot be folded.")

    with monkeypatch.context() as patch:
        patch.setitem(world._CASES, UserTurn, broken)
        refused = await visitor.post(f"/chats/{chat}/turns", JSON, prose="I wait again.")
        assert refused.status_code == 500
        assert "your story is as it was before" in refused.text
        with pytest.raises(RuntimeError):
            await visitor.engine.store.rebuild()
        assert await visitor.turns(chat) == turns
        assert (await visitor.json("/ready"))["checks"]["current"]
        assert rows(settings) == before
    await visitor.say(chat, "I wait again.")
    await visitor.say(other, "And here.")
    await visitor.engine.store.checkpoint()
    assert verify(settings) == []
