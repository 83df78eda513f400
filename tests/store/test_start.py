"""From opening the file to the first command: who may, what is missing, and what has to be folded again."""

from __future__ import annotations

import asyncio
import importlib.resources
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import chat.domain
from chat.clock import Clock
from chat.domain.events import LogGapAccepted
from chat.errors import AlreadyRunning, EventsLost, Refused, StoreDamaged, StoreError, UnknownEvent
from chat.settings import Settings
from chat.store import Store, chain, connections, fingerprint, headfile, log, maintenance, start, views
from chat.store.headfile import Head, HeadFile
from chat.store.verify import verify
from tests.support import stories

HOLD_THE_LOCK = """
import sys, time
from pathlib import Path
from chat.store.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


async def tell(settings: Settings, exchanges: int = 3) -> Head:
    """A closed store with a few exchanges; where its log ends."""
    store = await Store.open(settings, Clock(seed=2))
    await store.execute(lambda state: [*stories.cast(), *stories.chat("a")])
    for number in range(exchanges):
        await store.execute(lambda state, n=number: stories.exchange("a", "a-1", 2 * n + 1))
    head = store._live.head
    await store.close()
    return head


def write_head(settings: Settings, head: Head) -> None:
    settings.head_path.unlink(missing_ok=True)
    file = HeadFile(settings.head_path)
    file.write(head)
    file.close()


def without_last_events(settings: Settings, count: int) -> Head:
    """Take events and their rows away, as a torn write-ahead log does; what is left is whole in itself."""
    conn = connections.writer(settings.db_path)
    triggers = conn.execute(
        "select name, sql from sqlite_master where name like 'event_log_never%'"
    ).fetchall()
    for name, _ in triggers:
        conn.execute(f"drop trigger {name}")
    conn.execute("delete from event_log where id > (select max(id) - ? from event_log)", (count,))
    conn.execute("update projector set fingerprint = ''")
    for _, sql in triggers:
        conn.execute(sql)
    left = log.head(conn)
    conn.close()
    return left


async def test_everything_is_there_again_after_closing(settings: Settings) -> None:
    head = await tell(settings)
    store = await Store.open(settings, Clock())
    assert (store.head, store.fault, store.warnings) == (head.id, None, [])
    assert store.library.bots[stories.MIRA].traits == ("dry", "kind")
    await store.close()
    assert headfile.read(settings.head_path) == head
    assert not settings.db_path.with_name("chat.db-wal").exists()


async def test_a_head_file_that_lags_behind_is_caught_up_with(settings: Settings) -> None:
    head = await tell(settings)
    conn = connections.read_only(settings.db_path)
    earlier = Head(4, log.hash_of(conn, 4) or b"")
    conn.close()
    write_head(settings, earlier)
    store = await Store.open(settings, Clock())
    assert store.fault is None
    assert headfile.read(settings.head_path) == head
    await store.close()


async def test_a_missing_head_file_is_made_anew_with_a_warning(settings: Settings) -> None:
    head = await tell(settings)
    settings.head_path.unlink()
    store = await Store.open(settings, Clock())
    assert "missing" in store.warnings[0]
    assert store.fault is None
    await store.close()
    assert headfile.read(settings.head_path) == head


@pytest.mark.parametrize("torn", [b"", b"9 garbage", b"\x00" * 1024])
async def test_a_head_file_without_a_whole_slot_counts_as_missing(settings: Settings, torn: bytes) -> None:
    await tell(settings)
    settings.head_path.write_bytes(torn)
    store = await Store.open(settings, Clock())
    assert (store.fault, len(store.warnings)) == (None, 1)
    await store.close()


def test_a_torn_slot_leaves_the_other_one(tmp_path: Path) -> None:
    path = tmp_path / "head"
    file = HeadFile(path)
    heads = [Head(number, bytes([number]) * 32) for number in range(1, 5)]
    for head in heads:
        file.write(head)
    file.close()
    assert headfile.read(path) == heads[3]
    content = bytearray(path.read_bytes())
    content[512:600] = b"\xff" * 88
    path.write_bytes(content)
    assert headfile.read(path) == heads[2]
    again = HeadFile(path)
    again.write(Head(9, bytes(32)))
    again.close()
    assert headfile.read(path) == Head(9, bytes(32))
    assert headfile.read(tmp_path / "none") is None


@pytest.mark.parametrize("lost", [1, 6, 13])
async def test_lost_events_are_noticed_and_nothing_is_written_over_them(
    settings: Settings, lost: int
) -> None:
    """TRUST 94."""
    known = await tell(settings)
    left = without_last_events(settings, lost)
    store = await Store.open(settings, Clock())
    assert isinstance(store.fault, EventsLost)
    assert str(known.id) in store.fault.message
    with pytest.raises(EventsLost):
        await store.execute(lambda state: stories.felt("a", "a-1", 1, 1))
    with pytest.raises(EventsLost):
        await store.save_draft("composer:a", "text")
    async with store.reading() as reader:
        assert (await views.chat_list(reader))[0].chat.id == "a"
    await store.close()
    assert headfile.read(settings.head_path) == known
    assert any("gone" in finding for finding in verify(settings))
    assert left.id == known.id - lost


async def test_another_story_at_the_same_place_is_noticed(settings: Settings) -> None:
    known = await tell(settings)
    write_head(settings, Head(known.id, bytes(32)))
    store = await Store.open(settings, Clock())
    assert isinstance(store.fault, EventsLost)
    await store.close()


async def test_an_accepted_loss_is_in_the_log_and_no_id_comes_twice(settings: Settings) -> None:
    known = await tell(settings)
    left = without_last_events(settings, 6)
    said = await maintenance.accept_loss(settings, Clock())
    assert str(known.id + 1) in said
    store = await Store.open(settings, Clock())
    assert (store.fault, store.head) == (None, known.id + 1)
    async with store.reading() as reader:
        gap = (await views.events(reader, after=left.id))[0]
        assert isinstance(gap.data, LogGapAccepted)
        assert (gap.id, gap.data.kept_head_id, gap.data.lost_head_id) == (known.id + 1, left.id, known.id)
        assert [turn.id for turn in (await views.transcript(reader, store.library, "a")).turns][-1] == "a-1-4"
    assert (await store.execute(lambda state: stories.exchange("a", "a-1", 5))).events[0].id == known.id + 2
    with pytest.raises(Refused, match="No events are missing"):
        await store.accept_loss()
    await store.close()
    assert verify(settings) == []


async def test_a_kill_between_accepting_a_loss_and_the_head_file_is_no_new_loss(settings: Settings) -> None:
    known = await tell(settings)
    without_last_events(settings, 6)
    await maintenance.accept_loss(settings, Clock())
    write_head(settings, known)
    store = await Store.open(settings, Clock())
    assert store.fault is None
    await store.close()
    assert verify(settings) == []


async def test_a_changed_event_behind_the_head_file_stops_all_writing(settings: Settings) -> None:
    await tell(settings)
    conn = connections.writer(settings.db_path)
    write_head(settings, Head(4, log.hash_of(conn, 4) or b""))
    conn.execute("drop trigger event_log_never_changes")
    conn.execute("update event_log set ts = '' where id = 6")
    conn.close()
    store = await Store.open(settings, Clock())
    assert isinstance(store.fault, StoreDamaged)
    assert "Event 6" in store.fault.message
    await store.close()


async def test_a_mirror_that_is_behind_is_folded_up_to_the_head(settings: Settings) -> None:
    """The log got ahead of its tables: append an event the way the store does, without its rows."""
    head = await tell(settings)
    conn = connections.writer(settings.db_path)
    conn.execute("begin immediate")
    new = [
        *stories.felt("a", "a-1", 6, 7),
        *stories.forked("a", "a-2", "a-1", 4),
        *stories.felt("a", "a-2", 5, 1),
    ]
    _, after = log.append(conn, head, new, "2026-01-01T00:00:00.000Z", None, bytes(16 * len(new)))
    conn.execute("commit")
    conn.close()
    store = await Store.open(settings, Clock())
    assert store.head == after.id
    assert store.library.chats["a"].branch_id == "a-2"
    await store.close()
    assert verify(settings) == []


async def test_another_fold_rebuilds_the_mirror(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    await tell(settings)
    conn = connections.writer(settings.db_path)
    conn.execute("update turns set text = 'from an older fold'")
    conn.close()
    assert any("otherwise about turns" in finding for finding in verify(settings))
    monkeypatch.setattr(start, "fingerprint", lambda: "a newer program")
    store = await Store.open(settings, Clock())
    await store.close()
    assert verify(settings) == []


async def test_an_unknown_kind_stops_the_start_and_changes_nothing(settings: Settings) -> None:
    """TRUST 100."""
    head = await tell(settings)
    conn = connections.writer(settings.db_path)
    envelope = (head.id + 1, "library", None, None, "bot_married", 1, "2026-01-01T00:00:00.000Z", None)
    digest = chain.next_hash(head.hash, envelope, chain.body_hash(bytes(16), b"{}"))
    conn.execute(f"insert into event_log values ({','.join('?' * 11)})", (*envelope, "{}", bytes(16), digest))
    conn.close()
    for _ in range(2):
        with pytest.raises(UnknownEvent, match="bot_married") as refusal:
            await Store.open(settings, Clock())
        assert "newer program" in refusal.value.next_step


async def test_a_second_server_is_told_who_has_the_folder(settings: Settings) -> None:
    """TRUST 95."""
    await tell(settings)
    settings.ensure_folders()
    command = [sys.executable, "-c", HOLD_THE_LOCK, str(settings.lock_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning, match=f"process {other.pid}"):
            await Store.open(settings, Clock())
        reading = await Store.open(settings, Clock(), read_only=True)
        assert reading.head
        with pytest.raises(StoreError, match="reading only"):
            await reading.execute(lambda state: stories.felt("a", "a-1", 1, 1))
        await reading.close()
        other.kill()
    assert settings.lock_path.read_text() == f"{other.pid}\n"
    store = await Store.open(settings, Clock())
    await store.close()


async def test_two_openers_at_once_are_one_winner(settings: Settings) -> None:
    outcomes = await asyncio.gather(
        *(Store.open(settings, Clock()) for _ in range(3)), return_exceptions=True
    )
    winners = [one for one in outcomes if isinstance(one, Store)]
    assert len(winners) == 1
    assert all(isinstance(one, Store | AlreadyRunning) for one in outcomes)
    await winners[0].close()


async def test_reading_only_needs_a_database_and_makes_none(settings: Settings) -> None:
    with pytest.raises(StoreError):
        await Store.open(settings, Clock(), read_only=True)
    assert not settings.db_path.exists()


async def test_a_rebuild_that_fails_leaves_the_tables_and_the_checks_as_they_were(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(settings)
    store = await Store.open(settings, Clock())

    def half(conn: sqlite3.Connection, folded_by: str, **how: object) -> None:
        conn.execute("delete from turns")
        raise StoreDamaged("Something in the middle.")

    monkeypatch.setattr(start, "rebuild", half)
    with pytest.raises(StoreDamaged, match="in the middle"):
        await store.rebuild()
    assert store._live.conn.execute("pragma foreign_keys").fetchone() == (1,)
    assert store._live.conn.execute("select count(*) from turns").fetchone() == (6,)
    await store.close()
    assert verify(settings) == []


def test_the_fingerprint_covers_every_file_that_folds() -> None:
    read = list(fingerprint.sources(importlib.resources.files("chat.domain")))
    assert len(read) == len(list(Path(chat.domain.__file__).parent.rglob("*.py")))
