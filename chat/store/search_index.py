"""Writes the search index of the memories once at the end, where most of them change: row by row costs far more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

_TRIGGERS = "select name, sql from sqlite_master where type = 'trigger' and tbl_name = 'memories'"
_REBUILD = "insert into memories_fts (memories_fts) values ('rebuild')"


@contextmanager
def written_at_the_end(conn: sqlite3.Connection) -> Iterator[None]:
    """Inside, changed memories are not indexed; after it all are, also when it ends early. In a transaction."""
    triggers = conn.execute(_TRIGGERS).fetchall()
    for name, _ in triggers:
        conn.execute(f"drop trigger {name}")
    try:
        yield
    finally:
        conn.execute(_REBUILD)
        for _, sql in triggers:
            conn.execute(sql)
