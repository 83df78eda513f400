"""What a decision is shown, and what a command comes to. Used on the writer's thread, inside the transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from chat.domain import chats
from chat.domain.chats import Chat
from chat.domain.events import Event, NewEvent, StoryPayload, chat_stream
from chat.domain.history import History
from chat.domain.landmarks import BranchTip
from chat.domain.ledger import Ledger
from chat.domain.library import Library
from chat.domain.lineage import is_visible
from chat.domain.memories import Memory
from chat.domain.turns import Turn
from chat.domain.versions import TurnVersion
from chat.domain.world import World
from chat.errors import NotFound
from chat.store import actions, log, told
from chat.store.line import END, LinePages, PagesAfter
from chat.store.rows import select

_TIP = f"select step from {BranchTip.table} where id = ?"
_MEMORY = f"{select(Memory.table)} where id = ?"
_BEGINNING = f"{log.SELECT} where stream = ? order by id limit ?"
_BEGINNING_EVENTS = 40
_BREATH = f"{log.SELECT} where id > ? and id <= ? and stream = ? and branch_id = ? and step = ? order by id"
_BREATH_EVENTS = 40
_MEMORIES_OF_TURN = f"{select(Memory.table)} where turn_id = ? and level = 'turn' order by event_id"
_IS_USED = "select 1 from event_log where stream = ? limit 1"
_BEGUN = (
    "select 1 from event_log where branch_id = ? and step > ? and kind = 'assistant_turn_started' limit 1"
)
_BY_KEY = f"{select(Turn.table)} where chat_id = ? and idempotency_key = ? and idempotency_key <> ''"


class Commit(msgspec.Struct, frozen=True):
    """One command's events; `head` is the id of the last event of the log after it."""

    events: tuple[Event, ...]
    head: int


class State(msgspec.Struct, frozen=True):
    """Everything as it was last committed. Not to be kept beyond the decision it was handed to."""

    library: Library
    ledger: Ledger
    _conn: sqlite3.Connection
    _load: Callable[[str], World]
    head: int
    """The id of the last event there is."""

    def chat(self, chat_id: str) -> Chat:
        """A chat as it is now; whoever asked for something in it may have done so before it was deleted."""
        return chats.known(self.library.chats.get(chat_id))

    def world(self, chat_id: str) -> World:
        """The chat on its visible line."""
        if chat_id not in self.library.chats:
            raise NotFound("There is no such chat.")
        return self._load(chat_id)

    def is_used(self, chat_id: str) -> bool:
        """True for the id of a chat that is there or once was: one that was deleted keeps its lines of the log."""
        return self._conn.execute(_IS_USED, (chat_stream(chat_id),)).fetchone() is not None

    def began_to_answer(self, branch_id: str, step: int) -> bool:
        """True when a reply began on a branch after a step, also one whose words were deleted for good since."""
        return self._conn.execute(_BEGUN, (branch_id, step)).fetchone() is not None

    def turn(self, turn_id: str) -> Turn | None:
        """A turn of any branch, as the visible line tells it."""
        found = self._conn.execute(told.BY_ID, (turn_id,)).fetchone()
        return Turn.from_row(found) if found else None

    def memory(self, memory_id: str) -> Memory | None:
        """A memory of the visible line of its chat."""
        found = self._conn.execute(_MEMORY, (memory_id,)).fetchone()
        return Memory.from_row(found) if found else None

    def memories_of_turn(self, turn_id: str) -> list[Memory]:
        """The memories written with one reply, of the visible line, one for each witness."""
        return [Memory.from_row(row) for row in self._conn.execute(_MEMORIES_OF_TURN, (turn_id,)).fetchall()]

    def version(self, turn_id: str) -> int:
        """The event that gave a turn of the visible line its present words; 0 while they are the first."""
        found: int = self._conn.execute(told.VERSION, (turn_id,)).fetchone()[0]
        return found

    def versions_after(self, chat_id: str, step: int) -> list[TurnVersion]:
        """What turns of the visible line came to read at later steps, oldest first."""
        rows = self._conn.execute(told.VERSIONS_AFTER, (chat_id, step)).fetchall()
        return [TurnVersion.from_row(row) for row in rows]

    def turn_by_key(self, chat_id: str, idempotency_key: str) -> Turn | None:
        """The turn on the visible line that was posted with this key, in the words it was posted with."""
        line = self.library.lineage(chat_id)
        rows = self._conn.execute(_BY_KEY, (chat_id, idempotency_key)).fetchall()
        found = (turn for turn in map(Turn.from_row, rows) if is_visible(line, turn.branch_id, turn.step))
        return next(found, None)

    def history(self, chat_id: str) -> History:
        """The latest actions in a chat, to undo and redo; a window of the log, whatever the length of the story."""
        steps = self._conn.execute(*actions.steps_query(chat_id)).fetchall()
        chosen = self._conn.execute(*actions.selections_query(chat_id, steps)).fetchall()
        return actions.history(steps, chosen)

    def tip(self, branch_id: str) -> int | None:
        """The last step of a branch of its own; None while nothing has happened on it since it was forked."""
        branch = self.library.branches[branch_id]
        if self.library.chats[branch.chat_id].branch_id == branch_id:
            head = self.world(branch.chat_id).state.head_step
            return head if head > branch.fork_step else None
        found = self._conn.execute(_TIP, (branch_id,)).fetchone()
        return found[0] if found else None

    def end(self, branch_id: str) -> int:
        """The step at which a branch ends, its own or the last that it shares."""
        tip = self.tip(branch_id)
        return self.library.branches[branch_id].fork_step if tip is None else tip

    def beginning(self, chat_id: str) -> list[StoryPayload]:
        """What the story of a chat began with, all at once, before anything else happened in it."""
        rows = self._conn.execute(_BEGINNING, (chat_stream(chat_id), _BEGINNING_EVENTS)).fetchall()
        first = [event for event in log.events_of(rows) if event.step == 1]
        return [one.data for one in first if isinstance(one.data, StoryPayload)]

    def with_turn(self, chat_id: str, turn: Turn) -> list[StoryPayload]:
        """What happened in the same breath as a turn of the player's, behind it."""
        values = (
            turn.event_id,
            turn.event_id + _BREATH_EVENTS,
            chat_stream(chat_id),
            turn.branch_id,
            turn.step,
        )
        found = log.events_of(self._conn.execute(_BREATH, values).fetchall())
        return [one.data for one in found if isinstance(one.data, StoryPayload) and one.caused_by == turn.id]

    def recent_turns(self, chat_id: str, limit: int) -> list[Turn]:
        """The last turns of the visible line, oldest first."""
        return self._read(LinePages(self.library.lineage(chat_id), chat_id, END, limit))

    def turns_around(self, turn: Turn, limit: int) -> list[Turn]:
        """A turn of the visible line with up to `limit` before it and after it, oldest first."""
        line = self.library.lineage(turn.chat_id)
        before = self._read(LinePages(line, turn.chat_id, turn.step, limit))
        return [*before, turn, *self._read(PagesAfter(line, turn.chat_id, turn.step, limit))]

    def _read(self, pages: LinePages | PagesAfter) -> list[Turn]:
        while query := pages.next_query():
            pages.answer(self._conn.execute(*query).fetchall())
        return pages.turns


Decide = Callable[[State], Sequence[NewEvent]]
