"""The schema and the records describe the same tables."""

from __future__ import annotations

import sqlite3
import types
import typing

import pytest

from chat.domain.records import Record
from chat.domain.tables import TABLES
from chat.settings import Settings
from chat.store import Store, connections

STORED_AS = {str: "TEXT", int: "INTEGER", bool: "INTEGER", float: "REAL"}
NOT_MIRRORS = {"event_log", "projector", "drafts", "migrations", "undo_rows", "erasing", "abandoned"}


def columns_of(record: type[Record]) -> list[tuple[str, str, bool]]:
    """(name, stored type, may be null) as the fields say."""
    hints = typing.get_type_hints(record)
    found = []
    for name in record.__struct_fields__:
        hint, nullable = hints[name], False
        if typing.get_origin(hint) in (types.UnionType, typing.Union):
            (hint,) = [one for one in typing.get_args(hint) if one is not type(None)]
            nullable = True
        found.append((name, STORED_AS.get(hint, "TEXT"), nullable))
    return found


@pytest.fixture
def conn(store: Store, settings: Settings) -> sqlite3.Connection:
    opened = connections.read_only(settings.db_path)
    yield opened
    opened.close()


@pytest.mark.parametrize("table", TABLES)
def test_a_mirror_table_has_the_columns_of_its_record_in_their_order(
    conn: sqlite3.Connection, table: str
) -> None:
    info = conn.execute(f"pragma table_info({table})").fetchall()
    stored = [(name, kind, not (not_null or key)) for _, name, kind, not_null, _, key in info]
    assert stored == columns_of(TABLES[table])


@pytest.mark.parametrize("table", TABLES)
def test_the_key_of_a_record_is_unique_in_its_table(conn: sqlite3.Connection, table: str) -> None:
    indexes = conn.execute(f"select name from pragma_index_list('{table}') where \"unique\" = 1").fetchall()
    keys = {
        tuple(row[0] for row in conn.execute(f"select name from pragma_index_info('{name}')"))
        for (name,) in indexes
    }
    info = conn.execute(f"pragma table_info({table})").fetchall()
    keys.add(tuple(row[1] for row in sorted((row for row in info if row[5]), key=lambda row: row[5])))
    assert TABLES[table].key in keys


def test_every_table_is_a_mirror_or_known_not_to_be_one(conn: sqlite3.Connection) -> None:
    listed = conn.execute(
        "select name, strict from pragma_table_list where schema = 'main' and type = 'table'"
    )
    tables = {name: strict for name, strict in listed if not name.startswith("sqlite_")}
    assert set(tables) == set(TABLES) | NOT_MIRRORS
    assert all(tables.values())


async def test_foreign_keys_are_on_and_the_log_is_in_wal_mode_on_every_connection(
    store: Store, settings: Settings, conn: sqlite3.Connection
) -> None:
    live = store._live.conn
    assert live.execute("pragma foreign_keys").fetchone() == (1,)
    assert live.execute("pragma journal_mode").fetchone() == ("wal",)
    assert live.execute("pragma synchronous").fetchone() == (2,)
    assert conn.execute("pragma foreign_keys").fetchone() == (1,)
    async with store.reading() as one, store.reading() as other:
        for reader in (one, other):
            assert await reader.one("pragma foreign_keys") == (1,)
            assert await reader.one("pragma query_only") == (1,)
            assert await reader.one("pragma wal_autocheckpoint") == (0,)


async def test_a_row_of_no_chat_is_refused_and_rows_go_with_their_chat(told: Store) -> None:
    conn = told._live.conn
    with pytest.raises(sqlite3.IntegrityError):
        conn.execute("insert into branches values ('x', 'no such chat', null, 0, '', '')")
    conn.execute("begin")
    conn.execute("delete from chats where id = 'a'")
    left = conn.execute(
        "select (select count(*) from turns where chat_id = 'a'), (select count(*) from witnesses where chat_id = 'a')"
    )
    assert left.fetchone() == (0, 0)
    conn.execute("rollback")


async def test_the_files_are_readable_by_their_owner_only(told: Store, settings: Settings) -> None:
    for path in (
        settings.db_path,
        settings.head_path,
        settings.lock_path,
        settings.db_path.with_name("chat.db-wal"),
    ):
        assert path.stat().st_mode & 0o777 == 0o600, path
