"""The search index of the memories: where in it those of one scope stand, and how it is written at once.

Each scope has one stretch of places, its newest memory first, so that a search reads nobody else's. Read forwards only:
backwards, between two places, SQLite 3.40 leaves out some of what is there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, NamedTuple

from chat.domain.memories import Memory
from chat.domain.records import Row

_TRIGGERS = "select name, sql from sqlite_master where type = 'trigger' and tbl_name = 'memories'"
_REBUILD = "insert into memories_fts (memories_fts) values ('rebuild')"
_IN_MEMORY = "insert into memories_fts (memories_fts, rank) values ('hashsize', ?)"
_BYTES_AT_ONCE, _BYTES_OTHERWISE = 16 << 20, 1 << 20
"""What is indexed is gathered up to this size and then written in order; the second is what SQLite does by itself."""
_TAKE_OUT = """
insert into memories_fts (memories_fts, rowid, text, keys)
select 'delete', place, text, keys from memories where {} order by place
"""
_DIGITS = slice(1, 7)
"""Of a scope, those that tell its stretch. Two scopes that share one only cost each other time."""
_PLACES = 1 << 39


class Stretch(NamedTuple):
    """The first and the last place of a scope. An event's place is as far from the last as its id from nothing."""

    first: int
    last: int


def stretch_of(scope: str) -> Stretch:
    """As the column `place` of the memories counts."""
    first = int(scope[_DIGITS], 16) * _PLACES
    return Stretch(first, first + _PLACES - 1)


_scope_and_event = itemgetter(*map(Memory.__struct_fields__.index, ("scope", "event_id")))


def in_order(rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    """Rows of memories by their places. A new piece of the index is begun for each statement and whenever places go
    down, and every piece is merged with others later, so what is written together is written in order."""
    return sorted(rows, key=_place_of)


def _place_of(row: Sequence[Any]) -> int:
    scope, event_id = _scope_and_event(row)
    return stretch_of(scope).last - int(event_id)


def take_out(conn: sqlite3.Connection, where: str, values: Row) -> None:
    """Take memories that are about to be deleted out of the index in its order, which a delete itself has not."""
    if conn.execute(_TRIGGERS).fetchone():  # else it is written at the end
        conn.execute(_TAKE_OUT.format(where), values)


@contextmanager
def written_at_the_end(conn: sqlite3.Connection) -> Iterator[None]:
    """Inside, changed memories are not indexed; after it all are, also when it ends early. In a transaction.

    Where most of them change, row by row costs far more.
    """
    triggers = conn.execute(_TRIGGERS).fetchall()
    for name, _ in triggers:
        conn.execute(f"drop trigger {name}")
    try:
        yield
    finally:
        conn.execute(_IN_MEMORY, (_BYTES_AT_ONCE,))
        conn.execute(_REBUILD)
        conn.execute(_IN_MEMORY, (_BYTES_OTHERWISE,))
        for _, sql in triggers:
            conn.execute(sql)
