"""Reads a database file that nobody vouches for: a backup, or whatever lies where one should.

Its search index, views and triggers are never touched; its event rows are read plainly, and only after SQLite has
found the pages they lie on sound. Nothing here writes to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from chat.errors import StoreDamaged
from chat.store import connections, log
from chat.store.chain import GENESIS
from chat.store.headfile import Head

HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\x00"
_LARGEST_VALUE = 100_000_000

_CAUTION = """
pragma trusted_schema = off;
pragma cell_size_check = on;
pragma query_only = on;
pragma mmap_size = 0;
"""
_ORDINARY = "select count(*) from sqlite_master where name = ? and type = 'table' and rootpage > 0"
_COLUMNS = "select name from pragma_table_xinfo(?) where hidden = 0"
_HIDDEN = "select count(*) from pragma_table_xinfo(?) where hidden <> 0"
_LOG = (
    "id",
    "stream",
    "branch_id",
    "step",
    "kind",
    "version",
    "ts",
    "caused_by",
    "payload_json",
    "salt",
    "hash",
)
_COUNTS = f"""
select (select count(*) from event_log),
       (select count(*) from event_log where stream = 'library' and kind = 'chat_created' and {log.TOLD}),
       (select count(distinct json_extract(payload_json, '$.bot_id')) from event_log
        where stream = 'library' and kind = 'bot_authored' and {log.TOLD})
"""
_ROWS = f"select {', '.join(_LOG[:8])}, cast(payload_json as blob), salt, hash from event_log order by id"
_DRAFTS = "select key, body, updated_at from drafts"


class Facts(NamedTuple):
    """Where the log of a file ends, and how much it holds."""

    head: Head
    events: int
    chats: int
    bots: int


def must_look_whole(start: bytes, size: int) -> None:
    """Judge a file by its first bytes, before anything is copied or opened. Raises StoreDamaged."""
    if len(start) < HEADER_BYTES or not start.startswith(_MAGIC):
        raise StoreDamaged("The file is no database.", _CHOOSE)
    page = int.from_bytes(start[16:18], "big")
    pages = int.from_bytes(start[28:32], "big")
    if size != (65_536 if page == 1 else page) * pages:
        raise StoreDamaged("The file is cut off, or longer than the database in it.", _CHOOSE)


_CHOOSE = "Nothing was changed. Choose another backup."


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A file of ours alone, opened so that nothing in it can act. Raises StoreDamaged for what cannot be read."""
    try:
        conn = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as problem:
        raise StoreDamaged("The file cannot be opened as a database.", _CHOOSE) from problem
    try:
        conn.executescript(_CAUTION)
        conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        yield conn
    except sqlite3.Error as problem:
        raise StoreDamaged(
            f"The file is damaged: {connections.explain(problem).message}", _CHOOSE
        ) from problem
    finally:
        conn.close()


def examine(conn: sqlite3.Connection) -> Facts:
    """Check the pages and the chain of the log and say what it holds. Raises StoreDamaged with the first thing wrong.

    Of somebody else's file no more is checked: SQLite would read an index they have written. The pages come first.
    """
    must_be_ours(conn)
    must_be_sound(conn, "('event_log')")
    must_be_chained(conn)
    return count(conn)


def must_be_ours(conn: sqlite3.Connection) -> None:
    """There is a log, and it is an ordinary table."""
    must_have(conn, "event_log", _LOG)


def must_be_chained(conn: sqlite3.Connection) -> None:
    """Every event follows from the one before it. Raises StoreDamaged with the first that does not."""
    for problem in log.check_chain(conn, Head(0, GENESIS)):
        raise StoreDamaged(problem, _CHOOSE)


def count(conn: sqlite3.Connection) -> Facts:
    """The head and the counts of a log, as they stand there."""
    return Facts(log.head(conn), *conn.execute(_COUNTS).fetchone())


def must_be_sound(conn: sqlite3.Connection, part: str) -> None:
    (said,) = conn.execute(f"pragma quick_check{part}").fetchone()
    if said != "ok":
        raise StoreDamaged(f"SQLite finds the file damaged: {str(said)[:200]}.", _CHOOSE)


def must_have(conn: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> None:
    """The table is an ordinary one with exactly these columns, and nothing is computed in it."""
    named = tuple(name for (name,) in conn.execute(_COLUMNS, (table,)))
    ordinary = conn.execute(_ORDINARY, (table,)).fetchone()[0]
    if not ordinary or named != columns or conn.execute(_HIDDEN, (table,)).fetchone()[0]:
        raise StoreDamaged("The database belongs to another program: it has no log of stories.", _CHOOSE)


def rows(conn: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """The lines of the log as they are stored, oldest first; payloads as text. Raises StoreDamaged."""
    for row in conn.execute(_ROWS):
        try:
            yield (*row[:8], row[8].decode(), *row[9:])
        except (UnicodeDecodeError, AttributeError):
            raise StoreDamaged(f"Event {row[0]} holds no text.", _CHOOSE) from None


def drafts(conn: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Unfinished text kept in the file; none where there is no such table in order."""
    try:
        must_have(conn, "drafts", ("key", "body", "updated_at"))
        must_be_sound(conn, "('drafts')")
    except StoreDamaged:
        return []
    return [row for row in conn.execute(_DRAFTS) if all(isinstance(value, str) for value in row)]
