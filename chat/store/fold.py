"""Folds the events of one transaction over the live state and writes the rows they change.

A fold works on its own references to immutable state; forgetting it is all a rollback needs. Turn rows are kept
for every branch, everything else only for the selected line of its chat.
"""

from __future__ import annotations

import sqlite3

from chat.domain import landmarks, turns
from chat.domain import ledger as ledgers
from chat.domain import library as libraries
from chat.domain import world as worlds
from chat.domain.events import LEDGER, LIBRARY, BranchSelected, Event
from chat.domain.ledger import Ledger
from chat.domain.library import Library
from chat.domain.lineage import Lineage
from chat.domain.world import World
from chat.errors import StoreError
from chat.store import jump, loading, undo
from chat.store.jump import Jump
from chat.store.rows import Buffer
from chat.store.snapshots import Snapshots

_FLUSH_AT = 5_000
_CURSOR = "update projector set cursor = ?"


class Fold:
    """`library`, `ledger` and `worlds` (those touched) are the state after the events taken so far."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        library: Library,
        ledger: Ledger,
        known: dict[str, World],
        snapshots: Snapshots | None = None,
    ) -> None:
        self.library = library
        self.ledger = ledger
        self.worlds: dict[str, World] = {}
        self._known = known
        self._conn = conn
        self._snapshots = snapshots
        self._buffer = Buffer(conn)
        self._cuts: dict[str, dict[str, int]] = {}
        self._first_events: dict[str, int] = {}
        """By chat, the first event whose changes are not written yet."""

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
            self._flush()

    def write(self, cursor: int) -> None:
        """Write the changed rows and how far the mirror now is. The caller holds the transaction."""
        self._flush()
        self._conn.execute(_CURSOR, (cursor,))

    def _library_event(self, event: Event) -> None:
        before = self.library
        self.library, changes = libraries.evolve(before, event)
        self._buffer.take(changes)
        if isinstance(event.data, BranchSelected):
            chat_id = event.data.chat_id
            self._buffer.take(landmarks.left(before, event.data, self.world(chat_id).state.head_step))
            self._cuts.pop(chat_id, None)
            old, new = before.lineage(chat_id), self.library.lineage(chat_id)
            if jump.tells_otherwise(self._conn, old, new, event.id):
                self.worlds[chat_id] = self._jump(chat_id, old, new, event.id)

    def _story_event(self, event: Event) -> None:
        chat_id = event.stream.removeprefix("chat:")
        branch = self.library.branches.get(event.branch_id or "")
        if branch is None or branch.chat_id != chat_id or event.step is None:
            raise StoreError(f"An event of kind {event.kind!r} has no place in the story of its chat.")
        self._buffer.take(turns.changes(event))
        self._buffer.take(landmarks.changes(event))
        if self._is_visible(chat_id, event):
            self._first_events.setdefault(chat_id, event.id)
            self.worlds[chat_id], changes = worlds.evolve(self.world(chat_id), event)
            self._buffer.take(changes)

    def world(self, chat_id: str) -> World:
        return self.worlds.get(chat_id) or self._known.get(chat_id) or loading.world(self._conn, chat_id)

    def _is_visible(self, chat_id: str, event: Event) -> bool:
        if chat_id not in self._cuts:
            self._cuts[chat_id] = dict(self.library.lineage(chat_id))
        return (event.step or 0) <= self._cuts[chat_id].get(event.branch_id or "", -1)

    def _jump(self, chat_id: str, old: Lineage, new: Lineage, before_id: int) -> World:
        self._flush()
        return Jump(self._conn, self._buffer, chat_id, new, before_id, self._snapshots).from_line(old)

    def _flush(self) -> None:
        """Write what waits, and before it, for the way back, what stands there now."""
        if self._first_events:
            undo.keep(self._conn, self._buffer, self._first_events)
            self._first_events.clear()
        self._buffer.flush()
