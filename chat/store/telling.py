"""Tells a whole log to a buffer: its library, its stories, its ledger; in constant memory beside what is open.

The library comes first, because what is visible depends on the branches that are selected in the end. Nothing here
knows how rows are written, and little is loaded for it: another process does the same, see `apart`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping

from chat.domain import landmarks, turns
from chat.domain import ledger as ledgers
from chat.domain import library as libraries
from chat.domain import world as worlds
from chat.domain.events import ERASED, LEDGER, LIBRARY, Event, Payload, chat_stream
from chat.domain.ledger import Ledger
from chat.domain.library import Library
from chat.domain.lineage import Lineage
from chat.domain.records import Change, Put
from chat.domain.world import World
from chat.store import log
from chat.store.rows import Buffer

_FLUSH_AT = 1_000
"""Changes; rows are written while they are still in the processor's cache."""
_OF_ONE = f"{log.SELECT} where stream = ? order by id"
_OF_STORIES = f"{log.SELECT} not indexed where stream not in ('{LIBRARY}', '{LEDGER}') order by id"
_END_OF_STREAM = "select id from event_log where stream = ? order by id desc limit 1 offset ?"
_NEVER = 1 << 62


def library(source: sqlite3.Connection, buffer: Buffer | None = None) -> Library:
    """The library as it stands in the end; its rows are written where there is a buffer."""
    told = Library()
    for event in log.events_of(source.execute(_OF_ONE, (LIBRARY,))):
        told, changes = libraries.evolve(told, event)
        if buffer:
            buffer.take(changes)
    if buffer:
        buffer.flush()
    return told


def ledger(source: sqlite3.Connection, buffer: Buffer) -> Iterator[None]:
    """Tell the ledger and write its rows, a piece of it at each step, after which nothing waits."""
    told = Ledger()
    for event in log.events_of(source.execute(_OF_ONE, (LEDGER,))):
        told, changes = ledgers.told(told, event)
        buffer.take(changes)
        if buffer.size > _FLUSH_AT:
            buffer.flush()
            yield
    buffer.take([Put(told)] if told != Ledger() else [])
    buffer.flush()


def tails(source: sqlite3.Connection, library: Library, count: int) -> dict[str, int]:
    """By stream of a chat, where its last so many events begin; 0 when it has no more than that."""
    streams = [chat_stream(chat_id) for chat_id in library.chats]
    found = [source.execute(_END_OF_STREAM, (stream, count - 1)).fetchone() for stream in streams]
    return {stream: row[0] if row else 0 for stream, row in zip(streams, found, strict=True)}


def stories(
    source: sqlite3.Connection, buffer: Buffer, library: Library, ends: Mapping[str, int]
) -> list[World]:
    """The worlds of all chats before the events at `ends` (by stream; to the last without one), their rows written."""
    told = {
        chat_stream(chat_id): _Story(
            worlds.empty(chat_id), library.lineage(chat_id), ends.get(chat_stream(chat_id), _NEVER)
        )
        for chat_id in library.chats
    }
    for event in log.events_of(source.execute(_OF_STORIES), with_blanks=True):
        if event.data is ERASED and event.stream not in told:
            continue  # of a chat that went as a whole
        buffer.take(told[event.stream].changes(event))
        if buffer.size > _FLUSH_AT:
            buffer.at = event.id
            buffer.flush()
    standing = [story.told() for story in told.values()]
    last_steps = {branch: step for story in told.values() for branch, step in story.last_steps.items()}
    buffer.take(landmarks.all_left(library, last_steps))
    buffer.take([Put(world.state) for world in standing if world.state.last_ts])
    buffer.flush()
    return standing


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
