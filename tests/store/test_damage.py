"""Pages written over by a failing disk (TRUST 93), one of each kind: noticed, written over by nothing, and mended
without losing an event wherever the log is whole."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from chat.clock import Clock
from chat.domain.memories import scope_token
from chat.engine.doctor import examine
from chat.errors import EventsLost, StoreDamaged, StoreError
from chat.settings import Settings
from chat.store import Store, backup, maintenance, mend, views
from chat.store.maintenance import list_events
from chat.store.verify import verify
from tests.support import pages, stories
from tests.support.restoring import play, rows

LONG = "Nets dry on the wall. " * 60


async def _played(settings: Settings) -> None:
    """Long enough for pages of every kind, free ones included, and with a backup."""
    await play(settings, range(1, 61, 2))
    await play(settings, range(1, 11, 2), "b")
    store = await Store.open(settings, Clock())
    for step in range(61, 91, 2):
        await store.execute(lambda state, s=step: stories.exchange("a", "a-1", s, LONG))
    await store.save_draft("composer:a", "Not yet said. " * 2_000)
    await store.save_draft("composer:a", None)
    await store.close()
    await asyncio.to_thread(backup.make, settings, Clock(), "daily")


async def _look_everywhere(store: Store) -> None:
    """What pages do: the list of chats, a story, a search. Stops at the first thing that cannot be read."""
    async with store.reading() as reader:
        await views.chat_list(reader)
        for chat_id in ("a", "b"):
            await views.transcript(reader, store.library, chat_id, limit=200)
            await views.world(reader, chat_id)
        await views.search_memories(reader, scope_token(stories.MIRA, "main"), '"nets"')
        await reader.all("select count(*), max(length(text)) from memories")
        await reader.all("select * from turns order by chat_id, branch_id, step")


def _leaf(name: str) -> Callable[[Path], int]:
    return lambda path: pages.leaves_of(path, name)[len(pages.leaves_of(path, name)) // 2]


OUTSIDE_THE_LOG: dict[str, Callable[[Path], int]] = {
    "a leaf of turns": _leaf("turns"),
    "the root of turns": lambda path: pages.root_of(path, "turns"),
    "a leaf of memories": _leaf("memories"),
    "the search index": _leaf("memories_fts_data"),
    "the chats": lambda path: pages.root_of(path, "chats"),
    "the projector": lambda path: pages.root_of(path, "projector"),
    "a free page": pages.first_free,
}
IN_THE_LOG: dict[str, Callable[[Path], int]] = {
    "the header": lambda path: 1,
    "a leaf of the log": _leaf("event_log"),
    "the root of the log": lambda path: pages.root_of(path, "event_log"),
    "the end of the log": lambda path: pages.leaves_of(path, "event_log")[-1],
}


@pytest.mark.parametrize("kind", OUTSIDE_THE_LOG)
async def test_damage_outside_the_log_is_noticed_and_mended_from_the_log(
    settings: Settings, kind: str
) -> None:
    await _played(settings)
    before = rows(settings)
    pages.spoil(settings.db_path, OUTSIDE_THE_LOG[kind](settings.db_path))
    assert verify(settings), "the damage is real"
    store = await Store.open(settings, Clock(), serving=True)
    if not store.warnings:  # else it was mended in opening it
        with suppress(StoreDamaged):
            await _look_everywhere(store)
            await store.execute(lambda state: stories.exchange("a", "a-1", 91, LONG))
        if store.fault is None:  # nothing has come upon it yet: a backup does, since it reads every page
            await asyncio.to_thread(_backup_refuses, settings)
            before = rows_of_log(settings)
        head = await asyncio.to_thread(mend.prepare, settings, Clock())
        await store.mend(partial(mend.decide, settings, Clock(), head))
    assert store.fault is None
    assert "no event is lost" in " ".join(store.warnings)
    await _look_everywhere(store)
    next_step = store.library and 1 + len(before["event_log"])
    await store.execute(lambda state: stories.exchange("b", "b-1", next_step))
    await store.close()
    assert verify(settings) == []
    assert rows(settings)["event_log"][: len(before["event_log"])] == before["event_log"]
    assert list(settings.data_dir.glob("chat.db.damaged-*"))


@pytest.mark.parametrize("kind", [kind for kind in OUTSIDE_THE_LOG if kind != "a free page"])
async def test_the_doctor_sees_damage_outside_the_log_and_a_rebuild_mends_it(
    settings: Settings, kind: str
) -> None:
    await _played(settings)
    before = rows(settings)["event_log"]
    pages.spoil(settings.db_path, OUTSIDE_THE_LOG[kind](settings.db_path))
    (said,) = [one for one in await asyncio.to_thread(examine, settings, Clock()) if one.what == "database"]
    assert not said.is_fine
    assert "no event is lost. `chat rebuild`" in said.says
    rebuilt = await asyncio.to_thread(maintenance.rebuild_all, settings, Clock())
    assert rebuilt.events == len(before)
    assert "no event is lost" in " ".join(rebuilt.warnings)
    assert verify(settings) == []
    assert rows(settings)["event_log"] == before


@pytest.mark.parametrize("kind", IN_THE_LOG)
async def test_the_doctor_names_the_backup_where_the_log_is_damaged_and_a_rebuild_changes_nothing(
    settings: Settings, kind: str
) -> None:
    await _played(settings)
    pages.spoil(settings.db_path, IN_THE_LOG[kind](settings.db_path))
    spoilt = settings.db_path.read_bytes()
    (said,) = [one for one in await asyncio.to_thread(examine, settings, Clock()) if one.what == "database"]
    assert not said.is_fine
    assert "`chat restore 2" in said.says
    with pytest.raises(StoreDamaged) as refused:
        await asyncio.to_thread(maintenance.rebuild_all, settings, Clock())
    assert "`chat restore 2" in refused.value.next_step
    assert verify(settings)[-1] == "`chat doctor` says what can be done about it."
    assert settings.db_path.read_bytes() == spoilt


def _backup_refuses(settings: Settings) -> None:
    with pytest.raises(StoreDamaged):
        backup.make(settings, Clock(), "by-hand")


def rows_of_log(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    return {"event_log": [tuple(line.values()) for line in list_events(settings, limit=-1)]}


@pytest.mark.parametrize("kind", IN_THE_LOG)
async def test_damage_in_the_log_stops_all_writing_and_names_the_backup(
    settings: Settings, kind: str
) -> None:
    await _played(settings)
    good = backup.newest_good(settings)
    assert good
    pages.spoil(settings.db_path, IN_THE_LOG[kind](settings.db_path))
    spoiled = settings.db_path.read_bytes()
    store = await Store.open(settings, Clock(), serving=True)
    with suppress(StoreDamaged):
        async with store.reading() as reader:
            await reader.all("select * from event_log")
    assert isinstance(store.fault, StoreDamaged)
    with pytest.raises(StoreDamaged):
        await store.execute(lambda state: stories.cast())
    with pytest.raises(StoreDamaged):
        await store.save_draft("composer:a", "Do not write this anywhere.")
    with pytest.raises(StoreError):
        await asyncio.to_thread(mend.prepare, settings, Clock())
    await store.close()
    assert settings.db_path.read_bytes() == spoiled
    assert backup.newest_good(settings) == good


@pytest.mark.parametrize("how", ["gone", "empty"])
async def test_a_database_that_is_gone_or_empty_is_not_begun_anew(settings: Settings, how: str) -> None:
    await _played(settings)
    if how == "gone":
        settings.db_path.unlink()
    else:
        settings.db_path.write_bytes(b"")
    with pytest.raises(EventsLost, match="gone or empty"):
        await Store.open(settings, Clock())
    store = await Store.open(settings, Clock(), serving=True)
    assert isinstance(store.fault, EventsLost)
    assert "daily" in store.fault.next_step
    with pytest.raises(EventsLost):
        await store.execute(lambda state: stories.cast())
    await store.close()
    assert not (settings.db_path.exists() and settings.db_path.stat().st_size)


@pytest.mark.parametrize("left", [0.3, 0.7, 0.99])
async def test_a_truncated_file_is_written_over_by_nothing(settings: Settings, left: float) -> None:
    await _played(settings)
    with settings.db_path.open("r+b") as file:
        file.truncate(int(settings.db_path.stat().st_size * left))
    cut = settings.db_path.read_bytes()
    store = await Store.open(settings, Clock(), serving=True)
    if store.fault is None and not store.warnings:
        with suppress(StoreDamaged):
            await _look_everywhere(store)
            await store.execute(lambda state: stories.exchange("a", "a-1", 91))
    is_mended = bool(store.warnings)
    await store.close()
    assert is_mended or settings.db_path.read_bytes() == cut


async def test_what_lies_behind_a_tear_in_the_write_ahead_log_is_kept(settings: Settings) -> None:
    """A flipped byte in it drops every later commit, and SQLite finds nothing wrong (TRUST 94)."""
    await _played(settings)
    store = await Store.open(settings, Clock())
    for step in range(91, 121, 2):
        await store.execute(lambda state, s=step: stories.exchange("a", "a-1", s))
    wal = settings.db_path.with_name("chat.db-wal")
    copies = {
        path: path.with_name(f"{path.name}.copy") for path in (settings.db_path, wal, settings.head_path)
    }
    for path, copy in copies.items():
        shutil.copy(path, copy)
    await store.close()
    for path, copy in copies.items():
        shutil.copy(copy, path)
    torn = bytearray(wal.read_bytes())
    torn[len(torn) // 2] ^= 1
    wal.write_bytes(torn)
    store = await Store.open(settings, Clock())
    assert isinstance(store.fault, EventsLost)
    await store.close()
    (kept,) = settings.data_dir.glob("chat.db-wal.damaged-*")
    assert kept.read_bytes() == bytes(torn)
