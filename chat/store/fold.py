"""Folds the events of one transaction over the live state and writes the rows they change.

A fold works on its own references to immutable state; forgetting it is all a rollback needs. Turn rows are kept
for every branch, everything else only for the selected line of its chat.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from chat.domain import landmarks, turns
from chat.domain import ledger as ledgers
from chat.domain import library as libraries
from chat.domain import world as worlds
from chat.domain.events import LEDGER, LIBRARY, BranchForked, BranchSelected, Event, chat_stream
from chat.domain.ledger import Ledger
from chat.domain.library import Library
from chat.domain.world import World
from chat.errors import StoreError
from chat.store import loading, log
from chat.store.rows import Buffer

_FLUSH_AT = 5_000
_CURSOR = "update projector set cursor = ?"
_OF_CHAT_BEFORE = f"{log.SELECT} where stream = ? and id < ? order by id"


class Fold:
    """`library`, `ledger` and `worlds` (those touched) are the state after the events taken so far."""

    def __init__(
        self, conn: sqlite3.Connection, library: Library, ledger: Ledger, known: dict[str, World]
    ) -> None:
        self.library = library
        self.ledger = ledger
        self.worlds: dict[str, World] = {}
        self._known = known
        self._conn = conn
        self._buffer = Buffer(conn)
        self._cuts: dict[str, dict[str, int]] = {}
        self._untouched: set[str] = set()
        """Branches forked in this transaction on which nothing has happened yet."""

    def take(self, event: Event) -> None:
        """Fold one event that is already in the log. Events come in the order of their ids."""
        if event.stream == LIBRARY:
            self._library_event(event)
        elif event.stream == LEDGER:
            self.ledger, changes = ledgers.evolve(self.ledger, event)
            self._buffer.take(changes)
        else:
            self._story_event(event)
        if self._buffer.size > _FLUSH_AT:
            self._buffer.flush()

    def write(self, cursor: int) -> None:
        """Write the changed rows and how far the mirror now is. The caller holds the transaction."""
        self._buffer.flush()
        self._conn.execute(_CURSOR, (cursor,))

    def _library_event(self, event: Event) -> None:
        before = self.library
        self.library, changes = libraries.evolve(before, event)
        self._buffer.take(changes)
        if isinstance(event.data, BranchForked):
            self._untouched.add(event.data.branch_id)
        elif isinstance(event.data, BranchSelected):
            head_step = self.world(event.data.chat_id).state.head_step
            self._buffer.take(landmarks.left(before, event.data, head_step))
            self._cuts.pop(event.data.chat_id, None)
            if not self._shows_the_same(before, event.data):
                self.worlds[event.data.chat_id] = self._refold(event.data.chat_id, event.id)

    def _story_event(self, event: Event) -> None:
        chat_id = event.stream.removeprefix("chat:")
        branch = self.library.branches.get(event.branch_id or "")
        if branch is None or branch.chat_id != chat_id or event.step is None:
            raise StoreError(f"An event of kind {event.kind!r} has no place in the story of its chat.")
        self._untouched.discard(branch.id)
        self._buffer.take(turns.changes(event))
        self._buffer.take(landmarks.changes(event))
        if self._is_visible(chat_id, event):
            self.worlds[chat_id], changes = worlds.evolve(self.world(chat_id), event)
            self._buffer.take(changes)

    def world(self, chat_id: str) -> World:
        return self.worlds.get(chat_id) or self._known.get(chat_id) or loading.world(self._conn, chat_id)

    def _is_visible(self, chat_id: str, event: Event) -> bool:
        if chat_id not in self._cuts:
            self._cuts[chat_id] = dict(self.library.lineage(chat_id))
        return (event.step or 0) <= self._cuts[chat_id].get(event.branch_id or "", -1)

    def _shows_the_same(self, before: Library, selected: BranchSelected) -> bool:
        """True when the visible events stay what they are: the usual case of going on from the tip."""
        was = before.chats[selected.chat_id].branch_id
        branch = self.library.branches[selected.branch_id]
        return branch.id == was or (
            branch.id in self._untouched
            and branch.parent_id == was
            and branch.fork_step >= self.world(selected.chat_id).state.head_step
        )

    def _refold(self, chat_id: str, before_id: int) -> World:
        """Fold a chat anew along its selected line, from its own events before an id."""
        self._buffer.clear_chat(chat_id)
        world = worlds.empty(chat_id)
        for event in self._events_before(chat_id, before_id):
            if self._is_visible(chat_id, event):
                world, changes = worlds.evolve(world, event)
                self._buffer.take(changes)
            if self._buffer.size > _FLUSH_AT:
                self._buffer.flush()
        return world

    def _events_before(self, chat_id: str, before_id: int) -> Iterator[Event]:
        return log.events_of(self._conn.execute(_OF_CHAT_BEFORE, (chat_stream(chat_id), before_id)))
