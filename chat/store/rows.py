"""Writes what a fold says changed. The last word on a row wins, so a row is written once however often it changed.

Knows tables, columns and keys from the records; knows no meaning.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import msgspec

from chat.domain.edges import EdgeChange
from chat.domain.memories import Memory, Witness
from chat.domain.records import Change, Clear, Drop, Put, Record, Row, Set, key_of
from chat.domain.tables import TABLES
from chat.store import search_index
from chat.store.progress import Reached, reached_nothing

SEARCHED = frozenset({Memory.table})
"""Tables with a search index, whose rows are written by few statements and in the order of the index."""
_ROWS_IN_A_STATEMENT = 16
HIDEABLE = frozenset({Memory.table, Witness.table, EdgeChange.table})
"""Tables that grow with a story and whose rows may stand there hidden; see `abandoned`."""


class _Pending:
    """Changes of one table that are not written yet, by key."""

    __slots__ = ("columns", "drops", "key_of", "puts", "sets")

    def __init__(self, table: str) -> None:
        self.key_of = key_of(TABLES[table])
        self.columns = _columns(table)
        self.puts: dict[Row, Record | list[Any]] = {}
        self.sets: dict[Row, dict[str, Any]] = {}
        self.drops: dict[Row, None] = {}


class Portion(msgspec.Struct, array_like=True, gc=False):
    """What is written of some changes, table by table: rows that go, whole rows, and columns of rows (by their keys).

    `clears` are for whoever writes a portion that was made elsewhere; all before it has to be written by then.
    `at` is the event that was told last, 0 where that is not known.
    """

    drops: list[tuple[str, list[Row]]] = []
    puts: list[tuple[str, list[Row]]] = []
    sets: list[tuple[str, dict[str, Any], Row]] = []
    clears: list[tuple[str, dict[str, Any]]] = []
    at: int = 0

    def write(self, conn: sqlite3.Connection) -> None:
        """Without what is cleared. The caller holds the transaction."""
        for table, keys in self.drops:
            drop_rows(conn, table, keys)
        for table, rows in self.puts:
            put_rows(conn, table, rows)
        for table, values, key in self.sets:
            conn.execute(_set_sql(table, tuple(values)), (*values.values(), *key))


class Buffer:
    """Collects changes and writes them, parents before children so that foreign keys hold."""

    def __init__(self, conn: sqlite3.Connection, reached: Reached = reached_nothing) -> None:
        self._conn, self._reached = conn, reached
        self._tables = {table: _Pending(table) for table in TABLES}
        self.size = 0
        """Changes taken since the last flush."""
        self.at = 0
        """The event that was told last, as far as somebody said."""

    def take(self, changes: Sequence[Change]) -> None:
        self.size += len(changes)
        for change in changes:
            if type(change) is Put:
                pending = self._tables[change.record.table]
                key = pending.key_of(change.record)
                pending.puts[key] = change.record
                if pending.sets:
                    pending.sets.pop(key, None)
            elif type(change) is Set:
                self._set(change)
            elif type(change) is Drop:
                self._drop(change)
            elif type(change) is Clear:
                self._clear(change)

    def _set(self, change: Set) -> None:
        pending, key = self._tables[change.table], change.key
        waiting = pending.puts.get(key)
        if waiting is not None:
            row = waiting if isinstance(waiting, list) else list(waiting.row())
            pending.puts[key] = row
            columns = pending.columns
            for name, value in change.values.items():
                row[columns[name]] = value
        elif key not in pending.drops:
            pending.sets.setdefault(key, {}).update(change.values)

    def _drop(self, change: Drop) -> None:
        pending = self._tables[change.table]
        pending.puts.pop(change.key, None)
        pending.sets.pop(change.key, None)
        pending.drops[change.key] = None

    def _clear(self, change: Clear) -> None:
        """Each row is dropped by its key, so that the way back knows of it; what belongs to one is named too, because
        no key is checked in a rebuild."""
        table, values = change.table, change.values
        where = " and ".join(f"{name} = ?" for name in values)
        gone = set(self._conn.execute(f"{_keys(table)} where {where}", tuple(values.values())))
        gone |= {key for key, row in self._waiting_rows(table) if values.items() <= row.items()}
        for child in (record for record in TABLES.values() if record.belongs_to):
            parent, column = child.belongs_to or ("", "")
            if parent == table:
                owned = {key for key, row in self._waiting_rows(child.table) if (row[column],) in gone}
                for key in gone:
                    owned.update(self._conn.execute(f"{_keys(child.table)} where {column} = ?", key))
                for key in sorted(owned):
                    self._drop(Drop(child.table, key))
        for key in sorted(gone):
            self._drop(Drop(table, key))

    def _waiting_rows(self, table: str) -> Iterator[tuple[Row, dict[str, Any]]]:
        """Rows that are to be written, by their key and by column."""
        names = TABLES[table].__struct_fields__
        for key, put in self._tables[table].puts.items():
            yield key, dict(zip(names, put if isinstance(put, list) else put.row(), strict=True))

    def flush(self) -> None:
        """Write everything that waits. The caller holds the transaction."""
        if self.size:
            self._write(self._portion())
            self.size = 0

    def _write(self, portion: Portion) -> None:
        portion.write(self._conn)
        self.written(portion)

    def written(self, portion: Portion) -> None:
        """Say how far this is."""
        if portion.at:
            self._reached(portion.at)

    def _portion(self) -> Portion:
        """What waits, which then waits no more."""
        portion = Portion(drops=[], puts=[], sets=[], at=self.at)
        for table, pending in reversed(self._tables.items()):
            if pending.drops:
                portion.drops.append((table, list(pending.drops)))
                pending.drops.clear()
        for table, pending in self._tables.items():
            if pending.puts:
                rows = [tuple(put) if isinstance(put, list) else put.row() for put in pending.puts.values()]
                portion.puts.append((table, rows))
                pending.puts.clear()
            portion.sets.extend((table, values, key) for key, values in pending.sets.items())
            pending.sets.clear()
        return portion

    def waiting(self, table: str) -> Iterator[tuple[Row, Record | list[Any] | None, bool]]:
        """Each key of a table that is about to change: what will stand there (None: see the row), if it is dropped."""
        pending = self._tables[table]
        for key, put in pending.puts.items():
            yield key, put, key in pending.drops
        for key in pending.sets:
            yield key, None, False
        for key in pending.drops:
            if key not in pending.puts:
                yield key, None, True


@cache
def _columns(table: str) -> dict[str, int]:
    return {name: index for index, name in enumerate(TABLES[table].__struct_fields__)}


@cache
def _keys(table: str) -> str:
    return f"select {', '.join(TABLES[table].key)} from {visible(table)}"


def select(table: str) -> str:
    """The columns of a table in the order its record has them."""
    return f"select {', '.join(TABLES[table].__struct_fields__)} from {visible(table)}"


def visible(table: str) -> str:
    """What is read of a table: all of it, or the view without the rows that a far jump has left behind."""
    return f"visible_{table}" if table in HIDEABLE else table


def put_rows(conn: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Write whole rows, over those with the same keys."""
    if table not in SEARCHED:
        conn.executemany(put_sql(table), rows)
        return
    ordered = search_index.in_order(rows)
    for at in range(0, len(rows), _ROWS_IN_A_STATEMENT):
        some = ordered[at : at + _ROWS_IN_A_STATEMENT]
        conn.execute(put_sql(table, len(some)), tuple(value for row in some for value in row))


def drop_rows(conn: sqlite3.Connection, table: str, keys: Sequence[Row]) -> None:
    """Delete rows by their keys. What belongs to them goes with them where foreign keys are checked."""
    if table not in SEARCHED or len(keys) == 1:
        conn.executemany(drop_sql(table), keys)
    else:
        (key,) = TABLES[table].key
        listed = json.dumps([value for (value,) in keys])
        delete_rows(conn, table, f"{key} in (select value from json_each(?))", (listed,))


def delete_rows(conn: sqlite3.Connection, table: str, where: str, values: Row) -> None:
    """Delete all rows of which something is true, out of the search index first."""
    if table in SEARCHED:
        search_index.take_out(conn, where, values)
    conn.execute(f"delete from {table} where {where}", values)


@cache
def put_sql(table: str, count: int = 1) -> str:
    """For so many rows at once."""
    record = TABLES[table]
    names = record.__struct_fields__
    updates = ", ".join(f"{name} = excluded.{name}" for name in names if name not in record.key)
    row = f"({', '.join('?' * len(names))})"
    return (
        f"insert into {table} ({', '.join(names)}) values {', '.join([row] * count)} "
        f"on conflict ({', '.join(record.key)}) do update set {updates}"
    )


@cache
def _set_sql(table: str, names: tuple[str, ...]) -> str:
    assignments = ", ".join(f"{name} = ?" for name in names)
    return f"update {table} set {assignments} where {is_key(table)}"


@cache
def drop_sql(table: str) -> str:
    return f"delete from {table} where {is_key(table)}"


def is_key(table: str) -> str:
    return " and ".join(f"{name} = ?" for name in TABLES[table].key)
