"""Whatever happens, in whatever order: the tables are what the log says, and memory is what the tables say.

REPLAY_EXAMPLES and REPLAY_STEPS in the environment make it search longer.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from functools import partial

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from chat.domain import world
from chat.domain.events import (
    CATALOGUE,
    AssistantTurn,
    Payload,
    TurnContinued,
    TurnEdited,
    UserTurn,
    UserTurnEdit,
    chat_stream,
)
from chat.domain.lineage import is_visible
from chat.domain.tables import TABLES
from chat.store import loading, log, migrate
from chat.store.chain import GENESIS
from chat.store.headfile import Head
from chat.store.rebuild import project
from chat.store.start import rebuild_live
from chat.store.state import State
from chat.store.verify import verify
from tests.properties import erasing, histories, retelling
from tests.properties.erasing import Erasing
from tests.properties.histories import CHATS, Rows, rows_of
from tests.support import stories
from tests.support.folding import folded_apart

FROM_DECISIONS = {
    "chat_renamed", "chat_archived", "chat_restored", "branch_selected", "memory_pin_changed", "manual_edit",
    "checkpoint_named", "checkpoint_removed", "bot_reset", "portrait_changed", "chat_you_chosen",
}  # fmt: skip
"""Kinds the histories get from the domain's own decisions."""
NOT_OF_A_HISTORY = {"bot_archived", "bot_restored", "log_gap_accepted"}
"""Kinds with tests of their own, which nothing in a chat depends on."""


def told_by_the_log(conn: sqlite3.Connection) -> Rows:
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate.create(fresh)
        project(conn, fresh)
        return rows_of(fresh)
    finally:
        fresh.close()


class Histories(Erasing):
    """What always holds, held after every command."""

    @invariant()
    def tables_are_what_the_log_says(self) -> None:
        here, told = rows_of(self.live.conn), told_by_the_log(self.live.conn)
        for table in TABLES:
            assert here[table] == told[table], table

    @invariant()
    def memory_is_what_the_tables_say(self) -> None:
        conn = self.live.conn
        assert loading.library(conn) == self.live.library
        assert loading.ledger(conn) == self.live.ledger
        for chat, known in self.live.worlds.items():
            assert loading.world(conn, chat) == known

    @invariant()
    def a_world_is_the_fold_of_its_visible_events(self) -> None:
        """The plainest way to say it, apart from everything the store does to be quick."""
        for chat in CHATS:
            line, folded = self.live.library.lineage(chat), world.empty(chat)
            of_chat = f"{log.SELECT} where stream = ? order by id"
            rows = self.live.conn.execute(of_chat, (chat_stream(chat),))
            for event in log.events_of(rows, with_blanks=True):
                if is_visible(line, event.branch_id, event.step):
                    folded, _ = world.evolve(folded, event)
            assert loading.world(self.live.conn, chat) == folded

    @invariant()
    def a_branch_is_known_by_its_last_step(self) -> None:
        """Exactly, selected or left, whatever came late to it, and be it that its words were deleted since."""
        state = State(
            self.live.library,
            self.live.ledger,
            self.live.conn,
            lambda chat: loading.world(self.live.conn, chat),
            self.live.head.id,
        )
        told = """
        select branch_id, max(step) from event_log where branch_id is not null group by branch_id
        """
        last = dict(self.live.conn.execute(told))
        for branch in self.live.library.branches.values():
            own = last.get(branch.id, -1)
            assert state.tip(branch.id) == (own if own > branch.fork_step else None)

    @invariant()
    def recent_turns_are_the_end_of_the_visible_line(self) -> None:
        state = State(
            self.live.library,
            self.live.ledger,
            self.live.conn,
            lambda chat: loading.world(self.live.conn, chat),
            self.live.head.id,
        )
        for chat in CHATS:
            line = self.live.library.lineage(chat)
            every = self.live.conn.execute(
                "select id, branch_id, step, event_id from turns where chat_id = ?", (chat,)
            )
            shown = sorted(
                (step, event_id, turn)
                for turn, branch, step, event_id in every
                if is_visible(line, branch, step)
            )
            for limit in (1, 3, 100):
                assert [turn.id for turn in state.recent_turns(chat, limit)] == [
                    one[2] for one in shown[-limit:]
                ]

    @invariant()
    def a_turn_reads_as_its_line_says(self) -> None:
        """The words of its own event, or of the latest change that is visible, whatever branch it was made on."""
        for chat in CHATS:
            line, words = self.live.library.lineage(chat), dict[str, tuple[int, str]]()
            of_chat = f"{log.SELECT} where stream = ? order by id"
            for event in log.events_of(self.live.conn.execute(of_chat, (chat_stream(chat),))):
                is_change = isinstance(event.data, UserTurnEdit | TurnEdited | TurnContinued)
                if isinstance(event.data, UserTurn | AssistantTurn):
                    words.setdefault(event.data.turn_id, (-1, event.data.text))
                elif is_change and is_visible(line, event.branch_id, event.step):
                    before = words.get(event.data.turn_id, (-1, ""))
                    if (event.step or 0) >= before[0]:
                        words[event.data.turn_id] = (event.step or 0, event.data.text)
            state = State(
                self.live.library,
                self.live.ledger,
                self.live.conn,
                partial(loading.world, self.live.conn),
                self.live.head.id,
            )
            for turn in state.recent_turns(chat, 1_000):
                assert turn.text == words.get(turn.id, (-1, ""))[1]
                assert state.turn(turn.id) == turn

    def teardown(self) -> None:
        if not hasattr(self, "live"):
            return
        assert list(log.check_chain(self.live.conn, Head(0, GENESIS))) == []
        before = rows_of(self.live.conn)
        with folded_apart():
            rebuild_live(self.live)
        assert rows_of(self.live.conn) == before
        self.live.close()
        assert verify(self.settings) == []
        shutil.rmtree(self.folder)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=int(os.environ.get("REPLAY_EXAMPLES", "20")),
    stateful_step_count=int(os.environ.get("REPLAY_STEPS", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_every_kind_is_part_of_the_histories() -> None:
    """A new kind is to be told here too. What is imported is used: the linter sees to that."""
    named = [
        *vars(histories).values(),
        *vars(retelling).values(),
        *vars(erasing).values(),
        *vars(stories).values(),
    ]
    told = {
        one.kind
        for one in named
        if isinstance(one, type) and issubclass(one, Payload) and "kind" in vars(one)
    }
    assert set(CATALOGUE) - told - FROM_DECISIONS - NOT_OF_A_HISTORY == set()
