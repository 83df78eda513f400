"""The live log and its mirror, on the writer's thread: one command is one transaction, or nothing.

Holds the state as last committed. A command folds over it and only a commit replaces it, so after any failure the
state in memory is what the database says.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from chat.clock import Clock
from chat.domain.events import LEDGER, LIBRARY, Event, NewEvent
from chat.domain.world import World
from chat.errors import NotFound, StoreError
from chat.store import abandoned, chain, connections, loading, log, undo
from chat.store.access import files_translated
from chat.store.fold import Fold
from chat.store.headfile import Head, HeadFile
from chat.store.snapshots import Snapshots
from chat.store.state import Commit, Decide, State

_WORLDS_KEPT = 32
_SAVE_DRAFT = """
insert into drafts (key, body, updated_at) values (?, ?, ?)
on conflict (key) do update set body = excluded.body, updated_at = excluded.updated_at
"""
_DROP_DRAFT = "delete from drafts where key = ?"
_ROOM = {"library": LIBRARY, "ledger": LEDGER}


@dataclass
class Live:
    """Everything the writer owns. `head_file` is None when the store was opened read-only."""

    conn: sqlite3.Connection
    clock: Clock
    head: Head
    head_file: HeadFile | None
    fault: StoreError | None = None
    snapshots: Snapshots | None = None
    sealed: bool = False
    """Read as one file that nobody can change; see `connections.uri`."""

    def __post_init__(self) -> None:
        self.reload()

    def reload(self) -> None:
        """Take the state from the mirrored rows, forgetting what is in memory."""
        self.library = loading.library(self.conn)
        self.ledger = loading.ledger(self.conn)
        self.worlds: OrderedDict[str, World] = OrderedDict()
        self.head = log.head(self.conn)

    def command(
        self,
        decide: Decide,
        caused_by: str | None,
        drop_draft: str | None,
        as_it_commits: Callable[[], None] = lambda: None,
    ) -> Commit:
        """Let a decision look at the state, and make what it returns happen. Raises what the decision raises.

        `as_it_commits` is called when all is written and only the disk is still waited for.
        """
        self.must_be_writable()
        with self._transaction() as commit:
            new = decide(self._state())
            if not new:
                return Commit((), self.head.id)
            events, head, fold = self._happen(new, caused_by)
            if drop_draft is not None:
                self.conn.execute(_DROP_DRAFT, (drop_draft,))
            as_it_commits()
            commit()
            self._adopt(fold, head)
        return Commit(events, head.id)

    def append_after(self, head: Head, new: Sequence[NewEvent]) -> Commit:
        """Go on behind a head the log itself does not have: ids above it, the chain from what is left."""
        with self._transaction() as commit:
            events, after, fold = self._happen(new, None, head)
            commit()
            self._adopt(fold, after)
        return Commit(events, after.id)

    def save_draft(self, key: str, body: str | None, read_at: int | None = None) -> bool:
        """Keep unfinished text under a key, or forget it. Not an event. Raises NotFound.

        False, and nothing is kept, when words were deleted for good since the event `read_at`.
        """
        self.must_be_writable()
        if body is not None:
            self._must_have_its_place(key)
        if read_at is not None and log.erased_since(self.conn, read_at):
            return False
        with self._transaction() as commit:
            if body is None:
                self.conn.execute(_DROP_DRAFT, (key,))
            else:
                self.conn.execute(_SAVE_DRAFT, (key, body, self.clock.timestamp()))
            commit()
        return True

    def _must_have_its_place(self, key: str) -> None:
        """Words that come after what they are for was deleted would lie in the file for ever."""
        what, _, owner = key.partition(":")
        if what == "composer" and owner not in self.library.chats:
            raise NotFound("There is no such chat.")
        if what == "kickoff" and owner not in self.library.bots:
            raise NotFound("There is no such bot.")

    def rewrite(
        self,
        decide: Decide,
        then: Callable[[Sequence[Event]], None],
        rebuild: Callable[[sqlite3.Connection], None],
    ) -> Commit:
        """A command after which lines of the log itself are others: `then` changes them, `rebuild` writes every row."""
        self.must_be_writable()
        with connections.keys_checked_at_the_end(self.conn), self._transaction() as commit:
            new = decide(self._state())
            salts = self.clock.random_bytes(chain.SALT_BYTES * len(new))
            events, head = log.append(self.conn, self.head, new, self.clock.timestamp(), None, salts)
            then(events)
            rebuild(self.conn)
            commit()
        self.reload()
        self.note_head()
        return Commit(events, head.id)

    def replace_mirror(self, rebuild: Callable[[sqlite3.Connection], None]) -> None:
        """Let `rebuild` write every mirrored row anew in one transaction, then take the state from them."""
        self.must_be_writable()
        with connections.keys_checked_at_the_end(self.conn), self._transaction() as commit:
            rebuild(self.conn)
            commit()
        self.reload()

    def catch_up(self, events: Iterator[Event]) -> None:
        """Fold events the mirror has not seen, in one transaction. What stood there before is not relied upon."""
        with self._transaction() as commit:
            undo.forget(self.conn)
            fold = self._fold()
            for event in events:
                fold.take(event)
            fold.write(self.head.id)
            commit()
        self.reload()

    def sweep(self) -> bool:
        """Delete a piece of what far jumps have left behind; False when nothing of that is left."""
        if not abandoned.is_any(self.conn):
            return False
        self.must_be_writable()
        with self._transaction() as commit:
            abandoned.delete_some(self.conn)
            commit()
        return abandoned.is_any(self.conn)

    def note_head(self) -> None:
        """Tell the head file. The events are safe by now; a file that lags is caught up with at the next start."""
        if self.head_file:
            with suppress(OSError):
                self.head_file.write(self.head)

    def checkpoint(self) -> bool:
        """Empty the write-ahead log into the database without waiting for anyone; True when it is empty."""
        if self.head_file is None:
            return False
        with connections.translated(), files_translated():
            self.conn.execute("pragma busy_timeout = 0")
            try:
                busy, _, _ = self.conn.execute("pragma wal_checkpoint(truncate)").fetchone()
            finally:
                self.conn.execute(f"pragma busy_timeout = {int(connections.BUSY_S * 1000)}")
            self.head_file.sync()
        return not busy

    def close(self) -> None:
        """What cannot be written now lies safe in the write-ahead log, and is read from there at the next start."""
        try:
            if self.head_file and not self.fault:
                with suppress(StoreError):
                    self.checkpoint()
        finally:
            self.conn.close()
            if self.head_file:
                self.head_file.close()

    def must_be_writable(self) -> None:
        if self.fault:
            raise self.fault
        if self.head_file is None:
            raise StoreError("The stories are open for reading only.")

    def _happen(
        self, new: Sequence[NewEvent], caused_by: str | None, after: Head | None = None
    ) -> tuple[tuple[Event, ...], Head, Fold]:
        for one in new:
            _must_have_a_place(one)
        salts = self.clock.random_bytes(chain.SALT_BYTES * len(new))
        events, head = log.append(
            self.conn, after or self.head, new, self.clock.timestamp(), caused_by, salts
        )
        fold = self._fold()
        for event in events:
            fold.take(event)
        fold.write(head.id)
        return events, head, fold

    def _fold(self) -> Fold:
        return Fold(self.conn, self.library, self.ledger, self.worlds, self.snapshots)

    def _adopt(self, fold: Fold, head: Head) -> None:
        self.library, self.ledger, self.head = fold.library, fold.ledger, head
        for chat_id, world in fold.worlds.items():
            self._remember(chat_id, world)
        self.note_head()

    def _world(self, chat_id: str) -> World:
        world = self.worlds.get(chat_id) or loading.world(self.conn, chat_id)
        self._remember(chat_id, world)
        return world

    def _remember(self, chat_id: str, world: World) -> None:
        self.worlds[chat_id] = world
        self.worlds.move_to_end(chat_id)
        if len(self.worlds) > _WORLDS_KEPT:
            self.worlds.popitem(last=False)

    def _state(self) -> State:
        return State(self.library, self.ledger, self.conn, self._world, self.head.id)

    def _commit(self) -> None:
        self.conn.execute("commit")

    @contextmanager
    def _transaction(self) -> Iterator[Callable[[], None]]:
        """Holds the write lock; whatever leaves it without calling the given `commit` changes nothing."""
        with connections.translated():
            self.conn.execute("begin immediate")
            try:
                yield self._commit
            finally:
                if self.conn.in_transaction:
                    self.conn.execute("rollback")


def _must_have_a_place(new: NewEvent) -> None:
    """An event goes into the stream of its kind; only story events have a branch and a step."""
    room = new.data.room
    placed = new.branch_id is not None and new.step is not None
    right = new.stream == _ROOM[room] if room in _ROOM else new.stream.startswith("chat:")
    if not right or placed != (room == "chat"):
        raise StoreError(f"An event of kind {new.data.kind!r} was sent to {new.stream!r} without its place.")
