"""How much of the database a connection keeps in memory, and for how long."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chat.settings import Settings
from chat.store import Store, connections
from chat.store.backup import copy_consistently

BLOB = b"x" * 100_000
KEPT_MB, PASSING_MB, CHANGED_MB = 8, 4, 20


def test_the_writer_keeps_few_pages_and_maps_none_however_large_the_file_is(tmp_path: Path) -> None:
    with closing(connections.writer(tmp_path / "one.db")) as conn:
        (cache,) = conn.execute("pragma cache_size").fetchone()
        (mapped,) = conn.execute("pragma mmap_size").fetchone()
    assert -1000 * KEPT_MB <= cache < 0
    assert mapped == 0


def test_what_one_large_transaction_changes_is_not_written_before_its_commit(tmp_path: Path) -> None:
    """Else a page that changes again would be written twice."""
    written = tmp_path / "one.db-wal"
    with closing(connections.writer(tmp_path / "one.db")) as conn:
        conn.execute("create table words (body blob)")
        conn.execute("pragma wal_checkpoint(truncate)").fetchone()
        conn.execute("begin immediate")
        for _ in range(CHANGED_MB * 10):
            conn.execute("insert into words values (?)", (BLOB,))
        assert written.stat().st_size == 0
        conn.execute("commit")
        assert written.stat().st_size > CHANGED_MB * 1_000_000


def test_after_writing_much_the_writer_keeps_as_little_as_before(tmp_path: Path) -> None:
    with closing(connections.writer(tmp_path / "one.db")) as conn:
        usual = conn.execute("pragma cache_size").fetchone()
        with connections.writing_much(conn):
            assert conn.execute("pragma cache_size").fetchone() < usual  # negative: in kilobytes
        assert conn.execute("pragma cache_size").fetchone() == usual


async def test_a_snapshot_keeps_few_pages_of_what_it_reads_once(store: Store) -> None:
    moment = await store.moment()
    with closing(moment):
        assert moment.conn.execute("pragma cache_size").fetchone() == (-1000 * PASSING_MB,)


async def test_a_backup_keeps_few_pages_of_what_it_reads_once(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what a backup of a large story had kept would stay a hole in the memory of the server."""
    asked: list[str] = []
    opened = connections.read_only

    def noted(path: Path, *, sealed: bool = False) -> sqlite3.Connection:
        conn = opened(path, sealed=sealed)
        conn.set_trace_callback(asked.append)
        return conn

    monkeypatch.setattr(connections, "read_only", noted)
    copy_consistently(settings.db_path, tmp_path / "copy.db")
    assert asked[0] == f"pragma cache_size = -{1000 * PASSING_MB}"
