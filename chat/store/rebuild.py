"""Writes every mirrored row anew from the log, in one pass and in constant memory beside what is open.

The library comes first, because what is visible depends on the branches that are selected in the end.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from chat.domain import landmarks, turns
from chat.domain import ledger as ledgers
from chat.domain import library as libraries
from chat.domain import world as worlds
from chat.domain.events import LEDGER, LIBRARY, Event, Payload, chat_stream
from chat.domain.ledger import Ledger
from chat.domain.library import Library
from chat.domain.lineage import Lineage
from chat.domain.records import Change, Put
from chat.domain.tables import TABLES
from chat.domain.world import World
from chat.errors import StoreDamaged
from chat.store import abandoned, connections, jump, log, search_index, undo
from chat.store.rows import Buffer

_FLUSH_AT = 1_000
"""Changes; rows are written while they are still in the processor's cache."""
_LIBRARY_EVENTS = f"{log.SELECT} where stream = '{LIBRARY}' order by id"
_OTHER_EVENTS = f"{log.SELECT} where stream <> '{LIBRARY}' order by id"
_NEVER = 1 << 62
_END_OF_STREAM = "select id from event_log where stream = ? order by id desc limit 1 offset ?"
_DONE = "update projector set cursor = (select coalesce(max(id), 0) from event_log), fingerprint = ?"


def rebuild(conn: sqlite3.Connection, fingerprint: str) -> None:
    """Replace the mirror of a database by what its own log says.

    The caller holds the transaction and has the checks of foreign keys off; they are made here, all at once.
    """
    with search_index.written_at_the_end(conn), connections.writing_much(conn), _no_garbage_sought():
        for table in reversed(TABLES):
            conn.execute(f"delete from {table}")
        undo.forget(conn)
        abandoned.forget(conn)
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
    stories = {
        chat_stream(chat_id): _Story(
            worlds.empty(chat_id), library.lineage(chat_id), ends.get(chat_stream(chat_id), _NEVER)
        )
        for chat_id in library.chats
    }
    ledger = Ledger()
    for event in log.events_of(source.execute(_OTHER_EVENTS)):
        if event.stream == LEDGER:
            ledger, changes = ledgers.told(ledger, event)
        else:
            changes = stories[event.stream].changes(event)
        buffer.take(changes)
        if buffer.size > _FLUSH_AT:
            buffer.flush()
    told = [story.told() for story in stories.values()]
    last_steps = {branch: step for story in stories.values() for branch, step in story.last_steps.items()}
    buffer.take(landmarks.all_left(library, last_steps))
    buffer.take([Put(world.state) for world in told if world.state.last_ts])
    buffer.take([Put(ledger)] if ledger != Ledger() else [])
    buffer.flush()
    return told


_OF_ANY_LINE: dict[type[Payload], Callable[[Event], list[Change]]] = {
    **dict.fromkeys(turns.KINDS, turns.changes),
    **dict.fromkeys(landmarks.KINDS, landmarks.changes),
}
"""Rows that are the same whichever line is selected. No kind has two of them."""


class _Story:
    """One chat while it is told: how far each branch is visible, and where the line stands."""

    __slots__ = ("cuts", "end", "head_step", "last_steps", "last_ts", "world")

    def __init__(self, world: World, line: Lineage, end: int) -> None:
        self.world, self.end = world, end
        self.cuts = dict(line)
        self.last_steps: dict[str, int] = {}
        self.head_step, self.last_ts = 0, ""

    def changes(self, event: Event) -> list[Change]:
        """The rows an event changes, without the state of the chat."""
        branch, step = event.branch_id or "", event.step or 0
        if step > self.last_steps.get(branch, 0):
            self.last_steps[branch] = step
        changes: list[Change] = []
        if step <= self.cuts.get(branch, -1) and event.id < self.end:
            self.world, changes = worlds.told(self.world, event)
            self.last_ts = event.ts
            if step > self.head_step:
                self.head_step = step
        rows = _OF_ANY_LINE.get(type(event.data))
        return rows(event) + changes if rows else changes

    def told(self) -> World:
        """The world as it stands."""
        return worlds.standing(self.world, self.head_step, self.last_ts)


def _library(source: sqlite3.Connection, buffer: Buffer) -> Library:
    library = Library()
    for event in log.events_of(source.execute(_LIBRARY_EVENTS)):
        library, changes = libraries.evolve(library, event)
        buffer.take(changes)
    buffer.flush()
    return library
