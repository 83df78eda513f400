"""Writes every mirrored row anew from the log, in constant memory beside what is open.

A long log is told by two processes where it is committed: another one folds the stories, this one writes.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

from chat.domain.events import chat_stream
from chat.domain.library import Library
from chat.domain.records import Clear
from chat.domain.tables import TABLES
from chat.domain.world import World
from chat.errors import StoreDamaged
from chat.store import abandoned, apart, connections, jump, loading, log, search_index, telling, undo
from chat.store.apart import OtherProcess
from chat.store.progress import Progress, Reached, along, reached_nothing, silent
from chat.store.rows import Buffer, Portion

_AFTER_ALL = 1 << 62
_MUCH_TO_WRITE = 200_000
"""From so many events on, writing takes longer than folding, because the pages written are more than memory keeps."""
_WRITING, _INDEXING = "Writing the tables from the log", "Writing the search index"
_DONE = "update projector set cursor = (select coalesce(max(id), 0) from event_log), fingerprint = ?"


def rebuild(
    conn: sqlite3.Connection, fingerprint: str, *, is_committed: bool = False, progress: Progress = silent
) -> None:
    """Replace the mirror of a database by what its own log says.

    The caller holds the transaction and has the checks of foreign keys off; they are made here, all at once.
    `is_committed` says that this transaction has changed nothing of the log, so that another process can read it and
    all that goes is written again.
    """
    with (
        apart.started(conn, fingerprint, is_committed=is_committed) as other,
        search_index.written_at_the_end(conn),
        connections.writing_much(conn),
        connections.leaving_freed_pages(conn) if is_committed else nullcontext(),
        _no_garbage_sought(),
    ):
        _with_undo(conn, other, along(progress, _WRITING, log.head(conn).id))
        progress(_INDEXING, 0.0)
    if (stray := conn.execute("pragma foreign_key_check").fetchone()) is not None:
        raise StoreDamaged(f"The log tells of something that belongs to no chat (in {stray[0]}).")
    conn.execute(_DONE, (fingerprint,))


def project(
    source: sqlite3.Connection,
    target: sqlite3.Connection,
    ends: Mapping[str, int] | None = None,
    reached: Reached = reached_nothing,
) -> None:
    """Fold the log of `source` into the empty mirror tables of `target` (which may be the same).

    With `ends`, by stream, the line of a chat is told only before that event.
    """
    buffer = Buffer(target, reached)
    telling.stories(source, buffer, telling.library(source, buffer), ends or {})
    _finish(telling.ledger(source, buffer))


def _with_undo(conn: sqlite3.Connection, other: OtherProcess | None, reached: Reached) -> None:
    """Fold a log into its own tables, the end of each chat so that it can be undone step by step."""
    _empty(conn)
    buffer = Buffer(conn, reached)
    library = telling.library(conn, buffer)
    ends = telling.tails(conn, library, undo.TAIL_EVENTS)
    try:
        told = _told_apart(conn, buffer, library, other) if other else _told_here(conn, buffer, library, ends)
    except apart.Unusable:
        _with_undo(conn, None, reached)
        return
    for world in told:
        line, end = library.lineage(world.chat_id), ends[chat_stream(world.chat_id)]
        jump.fold_on(conn, buffer, world, line, end, _AFTER_ALL)


def _told_here(
    conn: sqlite3.Connection, buffer: Buffer, library: Library, ends: Mapping[str, int]
) -> list[World]:
    told = telling.stories(conn, buffer, library, ends)
    _finish(telling.ledger(conn, buffer))
    return told


def _told_apart(
    conn: sqlite3.Connection, buffer: Buffer, library: Library, other: OtherProcess
) -> list[World]:
    """The other process folds the stories, this one writes what comes of it and finds time for a short ledger."""
    if log.head(conn).id < _MUCH_TO_WRITE:
        ledger = telling.ledger(conn, buffer)
        _write(conn, buffer, other.portions(meanwhile=ledger))
        _finish(ledger)
    else:
        _write(conn, buffer, other.portions())
        _write(conn, buffer, other.portions())
    return [loading.world(conn, chat_id) for chat_id in library.chats]


def _write(conn: sqlite3.Connection, buffer: Buffer, portions: Iterator[Portion]) -> None:
    for portion in portions:
        portion.write(conn)
        buffer.written(portion)
        for table, values in portion.clears:
            buffer.take([Clear(table, values)])
            buffer.flush()


def _finish(ledger: Iterator[None]) -> None:
    for _ in ledger:
        pass


def _empty(conn: sqlite3.Connection) -> None:
    for table in reversed(TABLES):
        conn.execute(f"delete from {table}")
    undo.forget(conn)
    abandoned.forget(conn)


@contextmanager
def _no_garbage_sought() -> Iterator[None]:
    """A fold makes millions of small things and no circles of them; looking for circles costs a tenth of it."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
