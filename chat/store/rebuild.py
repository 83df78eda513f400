"""Writes every mirrored row anew from the log, in one pass and in constant memory beside what is open.

The library comes first, because what is visible depends on the branches that are selected in the end.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chat.domain import landmarks, turns
from chat.domain import ledger as ledgers
from chat.domain import library as libraries
from chat.domain import world as worlds
from chat.domain.events import LEDGER, LIBRARY, chat_stream
from chat.domain.ledger import Ledger
from chat.domain.library import Library
from chat.domain.records import Put
from chat.domain.tables import TABLES
from chat.domain.world import World
from chat.errors import StoreDamaged
from chat.store import jump, log, search_index, undo
from chat.store.rows import Buffer

_FLUSH_AT = 2_000
_LIBRARY_EVENTS = f"{log.SELECT} where stream = '{LIBRARY}' order by id"
_OTHER_EVENTS = f"{log.SELECT} where stream <> '{LIBRARY}' order by id"
_NEVER = 1 << 62
_END_OF_STREAM = "select id from event_log where stream = ? order by id desc limit 1 offset ?"
_DONE = "update projector set cursor = (select coalesce(max(id), 0) from event_log), fingerprint = ?"


def rebuild(conn: sqlite3.Connection, fingerprint: str) -> None:
    """Replace the mirror of a database by what its own log says.

    The caller holds the transaction and has the checks of foreign keys off; they are made here, all at once.
    """
    with search_index.written_at_the_end(conn):
        for table in reversed(TABLES):
            conn.execute(f"delete from {table}")
        undo.forget(conn)
        with _no_garbage_sought():
            _with_undo(conn)
    if (stray := conn.execute("pragma foreign_key_check").fetchone()) is not None:
        raise StoreDamaged(f"The log tells of something that belongs to no chat (in {stray[0]}).")
    conn.execute(_DONE, (fingerprint,))


def project(
    source: sqlite3.Connection, target: sqlite3.Connection, ends: Mapping[str, int] | None = None
) -> None:
    """Fold the log of `source` into the empty mirror tables of `target` (which may be the same).

    With `ends`, by stream, the line of a chat is told only before that event.
    """
    buffer = Buffer(target)
    _fold(source, buffer, _library(source, buffer), ends or {})


def _with_undo(conn: sqlite3.Connection) -> None:
    """Fold a log into its own tables, the end of each chat so that it can be undone step by step."""
    buffer = Buffer(conn)
    library = _library(conn, buffer)
    ends = {chat_stream(chat_id): _end_of(conn, chat_stream(chat_id)) for chat_id in library.chats}
    for world in _fold(conn, buffer, library, ends):
        line, end = library.lineage(world.chat_id), ends[chat_stream(world.chat_id)]
        jump.fold_on(conn, buffer, world, line, end, _NEVER)


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


def _end_of(conn: sqlite3.Connection, stream: str) -> int:
    """Where the last stretch of a stream begins; 0 when it is no longer than that."""
    found = conn.execute(_END_OF_STREAM, (stream, jump.TAIL_EVENTS - 1)).fetchone()
    return found[0] if found else 0


def _fold(
    source: sqlite3.Connection, buffer: Buffer, library: Library, ends: Mapping[str, int]
) -> list[World]:
    """The worlds of all chats before the events at `ends` (by stream; to the last without one), their rows written."""
    cuts = {chat_stream(chat_id): dict(library.lineage(chat_id)) for chat_id in library.chats}
    known: dict[str, World] = {stream: worlds.empty(stream.removeprefix("chat:")) for stream in cuts}
    ledger = Ledger()
    last_steps: dict[str, int] = {}
    for event in log.events_of(source.execute(_OTHER_EVENTS)):
        stream = event.stream
        if stream == LEDGER:
            ledger, changes = ledgers.evolve(ledger, event)
        else:
            branch, step = event.branch_id or "", event.step or 0
            if step > last_steps.get(branch, 0):
                last_steps[branch] = step
            changes = turns.changes(event)
            changes += landmarks.changes(event)
            if step <= cuts[stream].get(branch, -1) and event.id < ends.get(stream, _NEVER):
                known[stream], more = worlds.evolve(known[stream], event)
                more.pop()  # the last is always the state's row, which is written once, at the end
                changes += more
        buffer.take(changes)
        if buffer.size > _FLUSH_AT:
            buffer.flush()
    buffer.take(landmarks.all_left(library, last_steps))
    buffer.take([Put(world.state) for world in known.values() if world.state.last_ts])
    buffer.flush()
    return list(known.values())


def _library(source: sqlite3.Connection, buffer: Buffer) -> Library:
    library = Library()
    for event in log.events_of(source.execute(_LIBRARY_EVENTS)):
        library, changes = libraries.evolve(library, event)
        buffer.take(changes)
    buffer.flush()
    return library
