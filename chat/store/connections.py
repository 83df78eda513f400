"""Opens SQLite connections with the settings every one of them must have, and says its errors in our words.

Exactly one connection writes and checkpoints: the SQLite libraries in use can otherwise corrupt a write-ahead
log (fixed in 3.51.3). Every other one is opened through `read_only`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chat.errors import StoreBusy, StoreDamaged, StoreError, StoreFull, StoreReadOnly

BUSY_S = 5.0
_CHECKPOINT_PAGES = 25_000
"""About 100 MB: only a safety net, because the engine asks for a checkpoint after each reply."""

_LOG_BYTES_KEPT = 32_000_000
"""The file of the write-ahead log is cut to this when it is used anew, however long a reader had made it."""

_BAD_READS = ("SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS", "SQLITE_IOERR_DATA")
_BAD_READ_STEP = (
    "Nothing was written. Look after the disk, then try again; a backup elsewhere is a good idea."
)
_BUSY = (StoreBusy, "Another program is using the database, so nothing could be written.", "")
_FULL = (StoreFull, "The database could not be written or read ({}); the disk may be full.", "")
_DAMAGED = (StoreDamaged, "The database file is damaged ({}).", "")
_SEALED = (StoreReadOnly, "The database file can be read and not written to ({}).", "")
_REFUSED = (StoreError, "The database refused what was asked ({}).", "")
_MEANINGS: dict[int, tuple[type[StoreError], str, str]] = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _FULL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_READONLY: _SEALED,
    sqlite3.SQLITE_PERM: _SEALED,
    sqlite3.SQLITE_CANTOPEN: (
        StoreError,
        "The database file cannot be opened ({}).",
        "Nothing was written. See that the data folder is there and yours, then try again.",
    ),
    sqlite3.SQLITE_PROTOCOL: (
        StoreBusy,
        "Others were at the database for so long that it could not be read ({}).",
        "Nothing was written. Try again in a moment.",
    ),
    sqlite3.SQLITE_NOMEM: (
        StoreError,
        "There is not enough memory for this ({}).",
        "Nothing was written. Close other programs, then try again.",
    ),
}
"""What a primary code of SQLite means for a player; an empty step is that of the error's own class."""

_CACHE_KB, _LARGE_CACHE_KB = 64_000, 128_000
_WRITER_CACHE_KB = 8_000
"""Many times what a turn changes. A reader forgets its pages with every commit; the writer ends up keeping all it may,
which is also why the file is not mapped for it: each page of a growing story would stay in this process.
"""

_UNWRITTEN_PAGES = 16_000
"""About 64 MB: what one transaction changes is kept this far above that until the commit, and then let go."""

READ_ONCE = "pragma cache_size = -4000"
"""For a connection that reads all there is and goes: what it had kept would be a hole in this process's memory."""

_EVERY_CONNECTION = f"""
pragma foreign_keys = on;
pragma temp_store = memory;
pragma cache_size = -{_CACHE_KB};
pragma mmap_size = 268435456;
"""
_WRITER = f"""
pragma mmap_size = 0;
pragma cache_size = -{_WRITER_CACHE_KB};
pragma cache_spill = {_UNWRITTEN_PAGES};
pragma journal_mode = wal;
pragma synchronous = full;
pragma wal_autocheckpoint = {_CHECKPOINT_PAGES};
pragma journal_size_limit = {_LOG_BYTES_KEPT};
"""
READER = f"""{_EVERY_CONNECTION}
pragma query_only = on;
pragma trusted_schema = off;
pragma wal_autocheckpoint = 0;
"""


def writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes. Creates the file readable by its owner only. Used by one thread."""
    _must_be_no_folder(path)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    with translated():
        conn = sqlite3.connect(
            path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        with closing_on_error(conn):
            conn.executescript(_EVERY_CONNECTION + _WRITER)
    return conn


def _must_be_no_folder(path: Path) -> None:
    """SQLite takes one for a disk that fails."""
    if path.is_dir():
        raise StoreError(
            f"{path} is a folder, and the stories should lie in a file of that name.",
            "Nothing was written. Move that folder elsewhere, or choose another data folder, then start again.",
        )


def scratch(path: Path) -> sqlite3.Connection:
    """A throw-away database of our own: nothing in it needs to survive a crash."""
    conn = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    conn.executescript(_EVERY_CONNECTION + "pragma journal_mode = off; pragma synchronous = off;")
    return conn


def read_only(path: Path, *, sealed: bool = False, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """A connection that cannot write, for tools that run beside a server. It waits `busy_s` for other programs."""
    _must_be_no_folder(path)
    with translated():
        conn = sqlite3.connect(
            uri(path, sealed=sealed), uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
        )
        with closing_on_error(conn):
            conn.executescript(READER)
    return conn


def uri(path: Path, *, sealed: bool = False) -> str:
    """The address of a database file for a connection that cannot write.

    `sealed` is a file that nobody can change and beside which no file can be made, as reading it otherwise needs.
    """
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if sealed else ''}"


@contextmanager
def keys_checked_at_the_end(conn: sqlite3.Connection) -> Iterator[None]:
    """For writing whole tables: foreign keys are not checked row by row, and the caller must check all of them."""
    conn.execute("pragma foreign_keys = off")
    try:
        yield
    finally:
        conn.execute("pragma foreign_keys = on")


@contextmanager
def writing_much(conn: sqlite3.Connection) -> Iterator[None]:
    """More pages are kept until the commit: one that had to go before may change again and be written twice."""
    (usual,) = conn.execute("pragma cache_size").fetchone()
    conn.execute(f"pragma cache_size = -{_LARGE_CACHE_KB}")
    try:
        yield
    finally:
        conn.execute(f"pragma cache_size = {usual}")


@contextmanager
def leaving_freed_pages(conn: sqlite3.Connection) -> Iterator[None]:
    """What is deleted is not overwritten with zeros, as many builds of SQLite do: for rows that are written again."""
    (usual,) = conn.execute("pragma secure_delete").fetchone()
    conn.execute("pragma secure_delete = off").fetchone()
    try:
        yield
    finally:
        conn.execute(f"pragma secure_delete = {usual}").fetchone()


@contextmanager
def closing_on_error(conn: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        conn.close()
        raise


@contextmanager
def translated() -> Iterator[None]:
    """Errors of SQLite become the store's own, each with its sentence and next step."""
    try:
        yield
    except sqlite3.Error as problem:
        raise explain(problem) from problem


def explain(problem: sqlite3.Error) -> StoreError:
    """What an error of SQLite means here. The text of a statement or value is never repeated."""
    code = getattr(problem, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    name = getattr(problem, "sqlite_errorname", type(problem).__name__)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy("Another program is using the database, so nothing could be written.")
    if name in _BAD_READS:
        return StoreError(f"The disk did not give back what was written ({name}).", _BAD_READ_STEP)
    kind, sentence, next_step = _MEANINGS.get(code, _REFUSED)
    return kind(sentence.format(name), next_step)
