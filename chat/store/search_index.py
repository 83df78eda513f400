"""The search index of the memories: where in it those of one scope stand, and how it is written at once.

Each scope has one stretch of places, its newest memory first, so that a search reads nobody else's. Read forwards only:
backwards, between two places, SQLite 3.40 leaves out some of what is there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_TRIGGERS = "select name, sql from sqlite_master where type = 'trigger' and tbl_name = 'memories'"
_REBUILD = "insert into memories_fts (memories_fts) values ('rebuild')"
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
        conn.execute(_REBUILD)
        for _, sql in triggers:
            conn.execute(sql)
