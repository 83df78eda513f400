"""Back, forth and across, near and far: after every jump the state is what a fold of the new line gives (TRUST 86).

The bounds of what can be undone are small here, so that short histories run into all of them. JUMP_EXAMPLES and
JUMP_STEPS in the environment make it search longer.
"""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from chat.domain import chats, world
from chat.domain.events import chat_stream
from chat.domain.lineage import Lineage, branch_at, is_visible
from chat.domain.tables import PER_CHAT, TABLES
from chat.domain.world import World
from chat.store import abandoned, jump, loading, log, migrate, telling, undo
from chat.store.jump import Jump
from chat.store.rows import Buffer
from chat.store.snapshots import Snapshots
from chat.store.verify import verify
from tests.properties.histories import CHATS, Rows, chat_ids, rows_of, shares
from tests.properties.retelling import Retelling
from tests.properties.test_replay import told_by_the_log

SMALL = (
    (undo, "KEPT_STEPS", 12),
    (undo, "_PRUNE_EVERY", 3),
    (undo, "TAIL_EVENTS", 20),
    (jump, "_EVENTS_IN_A_STEP", 3),
    (jump, "_NEAR_EVENTS", 10),
    (jump, "_MANY_MEMORIES", 2),
    (jump, "_MOST_KEPT", 4),
    (abandoned, "EVENTS_IN_A_PIECE", 7),
)

INDEX_CHECK = "insert into memories_fts (memories_fts, rank) values ('integrity-check', 1)"
TRIGGERS = "select count(*) from sqlite_master where type = 'trigger' and tbl_name = 'memories'"


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in SMALL:
        monkeypatch.setattr(module, name, value)


def of_chat(rows: Rows, chat: str) -> Rows:
    """The selected line of one chat, out of all rows."""
    names = {table: TABLES[table].__struct_fields__.index("chat_id") for table in PER_CHAT}
    return {table: [row for row in rows[table] if row[names[table]] == chat] for table in PER_CHAT}


def told_before(conn: sqlite3.Connection, chat: str, event_id: int) -> Rows:
    """What the line that is selected now tells of a chat up to an event."""
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate.create(fresh)
        buffer = Buffer(fresh)
        telling.stories(conn, buffer, telling.library(conn, buffer), {chat_stream(chat): event_id})
        return of_chat(rows_of(fresh), chat)
    finally:
        fresh.close()


class Jumps(Retelling):
    """Histories that go to and fro more often than stories do."""

    @rule(chat=chat_ids, steps=st.integers(1, 12))
    def go_back(self, chat: str, steps: int) -> None:
        """What a rewind does: a fork some steps below the tip."""
        self.rewind(chat, self.tip(chat)[1] - 1 - steps)

    @rule(chat=chat_ids, share=shares)
    def go_far_back(self, chat: str, share: float) -> None:
        """To where less stays than goes."""
        self.rewind(chat, int((self.tip(chat)[1] - 1) * share / 2))

    def rewind(self, chat: str, step: int) -> None:
        step = max(0, step)
        parent = branch_at(self.live.library.lineage(chat), step)
        self.do(chats.fork(self.live.library.chats[chat], self.name("branch"), parent, step, "rewind"))

    @rule(chat=chat_ids, some=st.lists(shares, min_size=2, max_size=5))
    def swing(self, chat: str, some: list[float]) -> None:
        """From branch to branch, with nothing told between."""
        for share in some:
            known = [one.id for one in self.live.library.branches.values() if one.chat_id == chat]
            chosen = known[int(share * (len(known) - 1))]
            self.do(chats.select(self.live.library.chats[chat], chosen, 0, "swipe"))
            self.tables_are_what_the_log_says()

    @rule(chat=chat_ids, before_rewind=st.booleans())
    def snapshot(self, chat: str, before_rewind: bool) -> None:
        with rolled_back(self.live.conn):
            kept = Snapshots(self.settings.snapshots_dir)
            kept.take(self.live.conn, chat, before_rewind=before_rewind)

    @rule()
    def sweep(self) -> None:
        """A piece of what was left behind; the rest stays hidden while the story goes on."""
        self.live.sweep()

    def kept_steps(self, chat: str) -> list[int]:
        kept = "select first_event_id from undo_rows where chat_id = ? order by first_event_id"
        return [row[0] for row in self.live.conn.execute(kept, (chat,))]

    @invariant()
    def tables_are_what_the_log_says(self) -> None:
        here, told = rows_of(self.live.conn), told_by_the_log(self.live.conn)
        for table in TABLES:
            assert here[table] == told[table], table
        with rolled_back(self.live.conn):
            self.live.conn.execute(INDEX_CHECK)
        (triggers,) = self.live.conn.execute(TRIGGERS).fetchone()
        assert triggers == 3

    @invariant()
    def undoing_to_any_kept_step_gives_what_was_told_before_it(self) -> None:
        for chat in CHATS:
            steps = self.kept_steps(chat)
            for step in {*steps[:1], *steps[-1:], *steps[len(steps) // 2 :][:1]}:
                with rolled_back(self.live.conn):
                    undo.back_to(self.live.conn, chat, step)
                    here = of_chat(rows_of(self.live.conn), chat)
                assert here == told_before(self.live.conn, chat, step)

    @invariant()
    def places_stand_in_the_order_in_which_they_came(self) -> None:
        for chat in CHATS:
            line, folded = self.live.library.lineage(chat), world.empty(chat)
            events = log.events_of(
                self.live.conn.execute(f"{log.SELECT} where stream = ? order by id", (chat_stream(chat),))
            )
            for event in events:
                if is_visible(line, event.branch_id, event.step):
                    folded, _ = world.evolve(folded, event)
            assert list(loading.world(self.live.conn, chat).places) == list(folded.places)

    def teardown(self) -> None:
        if not hasattr(self, "live"):
            return
        self.live.close()
        assert verify(self.settings) == []
        shutil.rmtree(self.folder)


class rolled_back:
    """Whatever is written inside is taken back."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn

    def __enter__(self) -> None:
        self.conn.execute("begin")

    def __exit__(self, *_: object) -> None:
        self.conn.execute("rollback")


SEARCH = settings(
    max_examples=int(os.environ.get("JUMP_EXAMPLES", "8")),
    stateful_step_count=int(os.environ.get("JUMP_STEPS", "25")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestJumps = Jumps.TestCase
TestJumps.settings = SEARCH


def test_jumps_that_leave_most_behind_end_where_all_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every jump counts as far here, so that rows are hidden, folded over, shown again and swept in any order."""
    left: list[str] = []
    leaving = Jump._leaving_behind

    def noted(self: Jump, old: Lineage) -> World | None:
        world = leaving(self, old)
        left.extend([world.chat_id] if world else [])
        return world

    monkeypatch.setattr(Jump, "_leaving_behind", noted)
    monkeypatch.setattr(jump, "_NEAR_EVENTS", -1)
    monkeypatch.setattr(jump, "_MANY_STEPS", 1)
    run_state_machine_as_test(Jumps, settings=SEARCH)
    assert left
