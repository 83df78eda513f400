"""Going back in a story: near and far, in a short story and a long one, beside folding the whole of it anew.

Each figure is the whole command as the store runs it: decision, fork and selection appended, rows, commit, head file.
Once for every kind of jump, and at the tip in the end, the tables are compared with those a fold of the log gives.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from chat.clock import Clock
from chat.domain import chats
from chat.domain.lineage import branch_at
from chat.domain.tables import TABLES
from chat.store import jump, migrate, search_index
from chat.store.jump import Jump
from chat.store.live import Live
from chat.store.rebuild import project
from chat.store.rows import Buffer, select
from chat.store.start import open_live
from tests.bench.figures import ROUNDS, Line, Scale, at_most, holds, ms, within
from tests.bench.stories import story_of_events

SMALL, LARGE, LARGE_QUICK = 10_000, 500_000, 50_000
NEAR = (1, 100)
NEAR_LIMITS_PERCENT = {1: 0.5, 100: 1.5}
FLAT, FAR_LIMIT = 1.6, 1.5
WARM_UP = 8


class Rewinder:
    """One story, opened as the program opens it, in which one goes back and comes back."""

    def __init__(self, folder: Path, count: int) -> None:
        story = story_of_events(count).copy_to(folder)
        self.live: Live = open_live(story.settings, Clock(seed=5), read_only=False, warn=lambda _: None)
        self.chat_id = story.chats[0]
        self.events = story.events
        self.compared: list[bool] = []
        """For each kind of jump, and for the tip in the end, whether every table was what a fold of the log gives."""

    def back(self, turns: int, *, is_compared: bool = False) -> float:
        """Seconds that going back so many turns takes; afterwards the story stands where it stood."""
        chat = self.live.library.chats[self.chat_id]
        tip = self.live._world(self.chat_id).state.head_step
        return self.to(max(tip - turns, 1), chat.branch_id, is_compared=is_compared)

    def to(self, step: int, home: str, *, is_compared: bool) -> float:
        live = self.live
        parent = branch_at(live.library.lineage(self.chat_id), step)
        forked = chats.fork(live.library.chats[self.chat_id], live.clock.new_id(), parent, step, "rewind")
        took = _timed(lambda: live.command(lambda state: forked, None, None))
        live.checkpoint()
        if is_compared:
            self.compare()
        again = chats.select(live.library.chats[self.chat_id], home, 0, "undo")
        self.came_back = _timed(lambda: live.command(lambda state: again, None, None))
        live.checkpoint()
        return took

    def refold(self, upto: int | None = None) -> float:
        """The reference: the chat folded from its first event (up to a step) into emptied tables and an emptied
        search index."""
        live = self.live
        line = live.library.lineage(self.chat_id)
        if upto is not None:
            line = ((branch_at(line, upto), upto),)
        live.conn.execute("begin immediate")
        with search_index.written_at_the_end(live.conn):
            jump.clear(live.conn, self.chat_id)
        began = time.perf_counter()
        folding = Jump(live.conn, Buffer(live.conn), self.chat_id, line, live.head.id + 1)
        with search_index.written_at_the_end(live.conn):
            folding.anew()
        took = time.perf_counter() - began
        live.conn.execute("rollback")
        live.checkpoint()  # what was rolled back lies in the write-ahead log, and the next commit would cut that
        return took

    def compare(self) -> None:
        """Not timed."""
        fresh = sqlite3.connect(":memory:", isolation_level=None)
        try:
            migrate.create(fresh)
            project(self.live.conn, fresh)
            self.compared.append(all(_rows(self.live.conn, table) == _rows(fresh, table) for table in TABLES))
        finally:
            fresh.close()


def measure(scale: Scale) -> list[Line]:
    large = scale.of(LARGE, LARGE_QUICK)
    with tempfile.TemporaryDirectory(prefix="chat-bench-rewind-") as name:
        small, big = Rewinder(Path(name) / "small", SMALL), Rewinder(Path(name) / "big", large)
        try:
            return _near(small, big) + _far(big) + _same(small, big)
        finally:
            small.live.close()
            big.live.close()


def _near(small: Rewinder, big: Rewinder) -> list[Line]:
    whole = big.refold()
    lines = []
    for turns in NEAR:
        for _ in range(WARM_UP):  # the search index, just written anew, still merges what that left in pieces
            big.back(turns), small.back(turns)
        rounds = [
            (big.back(turns), big.came_back, small.back(turns), small.came_back) for _ in range(2 * ROUNDS)
        ]
        for one in (big, small):
            one.back(turns, is_compared=True)
        there, returned, here, again_here = (median(column) for column in zip(*rounds, strict=True))
        flat = median(long / short for long, _, short, _ in rounds)
        flat_again = median(long / short for _, long, _, short in rounds)
        what = f"{turns} turn{'s' if turns > 1 else ''} back"
        percent, again = 100 * there / whole, 100 * returned / whole
        limit = NEAR_LIMITS_PERCENT[turns]
        lines += [
            within(f"{what}, {big.events:,} events", ms(there), f"{ms(whole)} refold", percent, limit, "%"),
            within(f"{what} undone again", ms(returned), f"{ms(whole)} refold", again, limit, "%"),
            at_most(f"{what}, long beside short", ms(there), ms(here), flat, FLAT),
            at_most(
                f"{what} undone again, long beside short", ms(returned), ms(again_here), flat_again, FLAT
            ),
        ]
    return lines


def _far(big: Rewinder) -> list[Line]:
    lines = []
    tip = big.live._world(big.chat_id).state.head_step
    home = big.live.library.chats[big.chat_id].branch_id
    for share, what in ((0.9, "nine tenths"), (0.5, "half"), (0.002, "the first thousand")):
        step = max(int(tip * share), 2)
        took, reference = big.to(step, home, is_compared=True), big.refold(step)
        lines.append(
            at_most(
                f"far jump, {what} before it",
                ms(took),
                f"{ms(reference)} folding",
                took / reference,
                FAR_LIMIT,
            )
        )
    return lines


def _same(*stories: Rewinder) -> list[Line]:
    for one in stories:
        one.compare()
    compared = [same for one in stories for same in one.compared]
    what = f"{len(TABLES)} tables, {len(compared)} times"
    return [holds("tables equal a fold of the log", what, all(compared))]


def _rows(conn: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return conn.execute(f"{select(table)} order by {', '.join(TABLES[table].key)}").fetchall()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
