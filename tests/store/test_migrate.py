"""The schema moves forward whole, never over an edited file, never under a newer one, never without a copy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.clock import Clock
from chat.errors import MigrationFailed, NewerDatabase, StoreDamaged
from chat.settings import Settings
from chat.store import Store, connections, migrate
from chat.store.migrate import Migration

NOW = "2026-01-01T00:00:00.000Z"
FIRST = Migration(1, "0001_first", "create table a (x integer) strict;\ninsert into a values (1);\n")
SECOND = Migration(
    2,
    "0002_second",
    """
    -- a trigger has statements within a statement; a text may hold a semicolon
    create table b (y text default 'one; two') strict;
    create trigger keep before delete on a begin select raise(abort, 'no; never'); select 1; end;
    insert into b (y) values ('x;'); update a set x = 2;
    """,
)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = connections.writer(tmp_path / "x.db")
    yield opened
    opened.close()


def keep(name: str) -> None:
    """Nothing that these tests lose is missed."""


def schema(conn: sqlite3.Connection) -> list[tuple[str]]:
    return conn.execute("select sql from sqlite_master order by name").fetchall()


def test_each_migration_runs_once_in_order(conn: sqlite3.Connection) -> None:
    assert migrate.migrate(conn, NOW, keep, (FIRST,)) == ("0001_first",)
    assert migrate.migrate(conn, NOW, keep, (FIRST, SECOND)) == ("0002_second",)
    assert migrate.migrate(conn, NOW, keep, (FIRST, SECOND)) == ()
    assert conn.execute("select x, (select y from b) from a").fetchall() == [(2, "x;")]
    recorded = conn.execute("select version, name, checksum, applied_at from migrations").fetchall()
    assert recorded == [(one.version, one.name, one.checksum, NOW) for one in (FIRST, SECOND)]


def test_a_script_is_split_where_its_statements_end() -> None:
    kinds = [statement.split()[0] for statement in migrate.statements(SECOND.sql)]
    assert kinds == ["--", "create", "insert", "update"]
    with pytest.raises(MigrationFailed, match="middle of a statement"):
        list(migrate.statements("create table a (x"))


def test_what_there_is_to_lose_is_kept_first(conn: sqlite3.Connection) -> None:
    kept: list[tuple[str, list[tuple[str]]]] = []

    def look(name: str) -> None:
        kept.append((name, conn.execute("select x from a").fetchall()))

    migrate.migrate(conn, NOW, look, (FIRST,))
    assert kept == []
    migrate.migrate(conn, NOW, look, (FIRST, SECOND))
    migrate.migrate(conn, NOW, look, (FIRST, SECOND))
    assert kept == [("0002_second", [(1,)])]


@pytest.mark.parametrize("at", range(6))
def test_a_migration_interrupted_at_any_statement_leaves_the_old_schema(
    conn: sqlite3.Connection, at: int
) -> None:
    """The interruption is SQLite's own: the statement after the first `at` ones is refused (TRUST 101)."""
    migrate.migrate(conn, NOW, keep, (FIRST,))
    before = schema(conn), conn.execute("select * from a").fetchall()
    parts = list(migrate.statements(SECOND.sql))
    broken = SECOND._replace(sql="\n".join([*parts[:at], "insert into nowhere values (1);", *parts[at:]]))
    with pytest.raises(MigrationFailed, match="0002_second"):
        migrate.migrate(conn, NOW, keep, (FIRST, broken))
    assert (schema(conn), conn.execute("select * from a").fetchall()) == before
    assert not conn.in_transaction
    assert migrate.migrate(conn, NOW, keep, (FIRST, SECOND)) == ("0002_second",)


def test_an_edited_migration_is_refused(conn: sqlite3.Connection) -> None:
    migrate.migrate(conn, NOW, keep, (FIRST,))
    edited = FIRST._replace(sql=FIRST.sql + "-- harmless?\n")
    with pytest.raises(MigrationFailed, match="0001_first was changed"):
        migrate.migrate(conn, NOW, keep, (edited, SECOND))
    assert conn.execute("select count(*) from migrations").fetchone() == (1,)


def test_a_newer_database_is_refused(conn: sqlite3.Connection) -> None:
    """TRUST 101."""
    migrate.migrate(conn, NOW, keep, (FIRST, SECOND))
    with pytest.raises(NewerDatabase, match="schema 2; this program knows up to 1"):
        migrate.migrate(conn, NOW, keep, (FIRST,))


def test_the_file_of_another_program_is_left_alone(conn: sqlite3.Connection) -> None:
    conn.execute("create table recipes (x)")
    with pytest.raises(StoreDamaged, match="another program"):
        migrate.migrate(conn, NOW, keep, (FIRST,))
    assert len(schema(conn)) == 1


@pytest.mark.parametrize(
    "content", [b"this is a letter, not a database. " * 200, b"SQLite format 3\x00" + b"\xff" * 8192]
)
async def test_what_is_no_database_is_refused_and_kept(settings: Settings, content: bytes) -> None:
    settings.ensure_folders()
    settings.db_path.write_bytes(content)
    with pytest.raises(StoreDamaged):
        await Store.open(settings, Clock())
    assert settings.db_path.read_bytes() == content


def test_the_shipped_migrations_are_numbered_in_their_order_and_no_number_comes_twice() -> None:
    versions = [one.version for one in migrate.shipped()]
    assert versions == sorted(set(versions))
    assert versions[0] == 1
