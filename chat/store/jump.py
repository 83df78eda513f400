"""Takes a chat from one line of its story to another: the rows and the world end as a fold of the new line would.

Up to the first event that only one of both lines shows, both tell the same. So a near jump undoes the recent steps
down to there and folds on; a far one folds from the start. Both end in the same state.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from chat.domain import world as worlds
from chat.domain.events import Event, chat_stream
from chat.domain.lineage import Lineage
from chat.domain.tables import PER_CHAT
from chat.domain.world import World
from chat.store import abandoned, loading, log, search_index, snapshots, undo
from chat.store.abandoned import Span
from chat.store.rows import HIDEABLE, Buffer, delete_rows
from chat.store.snapshot_file import Header, UnusableSnapshot
from chat.store.snapshots import Snapshots

_FLUSH_AT = 5_000
_NEAR_EVENTS = 3_000
"""More than that to fold, and a snapshot is worth looking for."""
_EVENTS_IN_A_STEP = 24
_RECENT_LOOKED_AT = 500
_MANY_MEMORIES = 500
_MANY_STEPS = 1_000
"""So many steps that go are worth hiding."""
_MOST_KEPT = 100
"""Events that stay, although later than the first that goes: late results of what stays."""

_OF_PLACE = """
select {what} from event_log indexed by event_log_place
where branch_id = :branch_id and step > :above and step <= :upto and id < :before
"""
_FIRST_OF_PLACE = _OF_PLACE.format(what="min(id)")
_IS_ANY_BELOW = _OF_PLACE.format(what="1") + "and id < :floor limit 1"
_IS_ANY = _OF_PLACE.format(what="1") + "limit 1"
_FROM = "from event_log where stream = ? and id >= ? and id < ?"
_PLACES_BEFORE = "select id, branch_id, step from event_log where stream = ? and id < ? order by id"
_PLACES_FROM = f"select branch_id, step {_FROM}"
_EVENTS_FROM = f"{log.SELECT.removesuffix(' from event_log')} {_FROM} order by id"
_IDS_OF_LINE = """
select event.id from json_each(:line) line cross join event_log event indexed by event_log_place
on event.branch_id = json_extract(line.value, '$[0]') and event.step <= json_extract(line.value, '$[1]')
where event.id >= :from and event.id < :before
"""
_COUNT_OF_LINE = f"select count(*) from ({_IDS_OF_LINE})"
_OF_LINE = f"{log.SELECT} where id in ({_IDS_OF_LINE}) order by id"
_MEMORIES = "select (select count(*) from memories where chat_id = ?), (select count(*) from memories)"
_IDS_FROM = f"{_IDS_OF_LINE} order by event.id limit {_MOST_KEPT + 1}"
_HEAD_STEP = "select head_step from chat_state where chat_id = ?"
_LATEST = """
select branch_id, step, ts from event_log where stream = ? and id < ? order by id desc limit ?
"""


class Stretch(NamedTuple):
    """Steps of a branch, above one and up to another, that only one of two lines shows."""

    branch_id: str
    above: int
    upto: int


def apart(old: Lineage, new: Lineage) -> list[Stretch]:
    """What only one of two lines shows."""
    before, after = dict(old), dict(new)
    cuts = [(branch, before.get(branch, -1), after.get(branch, -1)) for branch in {**before, **after}]
    return [Stretch(branch, min(was, now), max(was, now)) for branch, was, now in cuts if was != now]


def tells_otherwise(conn: sqlite3.Connection, old: Lineage, new: Lineage, before_id: int) -> bool:
    """True when anything that happened before an event is on one of two lines only; going on from the tip is not."""
    asked = [stretch._asdict() | {"before": before_id} for stretch in apart(old, new)]
    return any(conn.execute(_IS_ANY, one).fetchone() for one in asked)


class Jump:
    """One change of line, inside the transaction of the selection `before_id`. What waited has been written."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        buffer: Buffer,
        chat_id: str,
        line: Lineage,
        before_id: int,
        snapshots: Snapshots | None = None,
    ) -> None:
        self._conn = conn
        self._buffer = buffer
        self._chat_id = chat_id
        self._line = line
        self._cuts = dict(line)
        self._before_id = before_id
        self._snapshots = snapshots

    def from_line(self, old: Lineage) -> World:
        """The world on the new line, its rows written. Costs what lies between both lines where that is recent."""
        if self._shows_hidden():
            return self.from_snapshot() or self.anew()
        step = self._step_before(apart(old, self._line))
        if step is None or self._count_from(step) > _NEAR_EVENTS:
            world = self._leaving_behind(old) or self.from_snapshot(step or 0)
            if world is not None:
                return world
        if step is not None:
            try:
                return self._undone(step)
            except undo.Damaged:
                pass
        return self.anew()

    def from_snapshot(self, after_id: int = 0) -> World | None:
        """Fold on from the latest snapshot that tells what this line tells; None when there is none after an event."""
        is_touched = False
        while found := self._snapshots and self._snapshots.latest_for(
            self._conn, self._chat_id, self._is_shared, self._before_id
        ):
            path, header = found
            if header.head_id <= after_id and not is_touched:
                return None
            is_touched = True
            try:
                with self._index_written(header.counts["memories"]):
                    return self._gone_on(path, header, snapshots.restore)
            except (UnusableSnapshot, undo.Damaged, OSError) as problem:
                assert self._snapshots is not None
                self._snapshots.leave_aside(path, problem)
                if isinstance(problem, OSError):
                    break  # the file stays, and would be found again
        return self.anew() if is_touched else None

    def anew(self) -> World:
        """Fold the chat from its first event."""
        undo.forget(self._conn, self._chat_id)
        with self._index_written(0):
            clear(self._conn, self._chat_id)
            return self._fold_on(worlds.empty(self._chat_id), 0)

    def _leaving_behind(self, old: Lineage) -> World | None:
        """Where most of a long story goes: hide what came of it, and fold what stays over the rows that stay.

        All rows of what stays stand there or are folded again, so none of them needs to be looked for.
        """
        parting = self._parting(old)
        if parting is None:
            return None
        first, kept = parting
        undo.forget(self._conn, self._chat_id)
        clear(self._conn, self._chat_id, but=HIDEABLE)
        abandoned.hide(self._conn, self._chat_id, abandoned.spans_without(first, self._before_id, kept))
        found = self._snapshots and self._snapshots.latest_for(
            self._conn, self._chat_id, self._is_shared, self._before_id
        )
        if not found:
            return self._fold_on(worlds.empty(self._chat_id), 0)
        for span in (Span(found[1].head_id + 1, first), *(Span(one, one + 1) for one in kept)):
            abandoned.delete(self._conn, self._chat_id, span)
        try:
            return self._gone_on(*found, snapshots.add)
        except (UnusableSnapshot, undo.Damaged, OSError) as problem:
            assert self._snapshots is not None
            self._snapshots.leave_aside(found[0], problem)
            return self.anew()

    def _parting(self, old: Lineage) -> tuple[int, list[int]] | None:
        """The first event that only one line shows, and what the new line shows of what came after it.

        None when less goes than stays, or much stays that came later: then rows are taken away one by one.
        """
        (head_step,) = self._conn.execute(_HEAD_STEP, (self._chat_id,)).fetchone() or (0,)
        stays = max((min(cut, self._cuts.get(branch, 0)) for branch, cut in old), default=0)
        if head_step - stays < max(stays, _MANY_STEPS):
            return None
        first = self._first_apart(apart(old, self._line))
        asked = {"line": json.dumps(self._line), "from": first, "before": self._before_id}
        kept = [row[0] for row in self._conn.execute(_IDS_FROM, asked)]
        return None if len(kept) > _MOST_KEPT else (first, kept)

    def _first_apart(self, stretches: list[Stretch]) -> int:
        """Looked for from the beginning of the story, because it lies nearer to that than to the end."""
        between = {stretch.branch_id: stretch for stretch in stretches}
        for event_id, branch, step in self._conn.execute(
            _PLACES_BEFORE, (chat_stream(self._chat_id), self._before_id)
        ):
            found = between.get(branch)
            if found and found.above < step <= found.upto:
                return int(event_id)
        return self._before_id

    def _shows_hidden(self) -> bool:
        """Whether the line has anything of what an earlier jump has hidden."""
        spans = abandoned.spans_of(self._conn, self._chat_id)
        asked = [
            {"line": json.dumps(self._line), "from": span.from_id, "before": span.before_id} for span in spans
        ]
        return any(self._conn.execute(_IDS_FROM, one).fetchone() for one in asked)

    def _gone_on(
        self, path: Path, header: Header, put: Callable[[sqlite3.Connection, Path, str], None]
    ) -> World:
        put(self._conn, path, self._chat_id)
        world = loading.world(self._conn, self._chat_id)
        self._must_end_before(world, header.head_id + 1)
        return self._fold_on(world, header.head_id + 1)

    def _index_written(self, memories: int) -> AbstractContextManager[None]:
        """Once at the end, when most of all memories change as this chat goes from those it has to so many."""
        (here, everywhere) = self._conn.execute(_MEMORIES, (self._chat_id,)).fetchone()
        most = max(here, memories)
        if most > _MANY_MEMORIES and most > 2 * min(here, memories) and most > everywhere - here:
            return search_index.written_at_the_end(self._conn)
        return nullcontext()

    def _fold_on(self, world: World, from_id: int) -> World:
        """Where much lies behind an event, only what the line shows is read."""
        if self._before_id - from_id < _NEAR_EVENTS:
            return fold_on(self._conn, self._buffer, world, self._line, from_id, self._before_id)
        asked = {"line": json.dumps(self._line), "from": from_id, "before": self._before_id}
        (count,) = self._conn.execute(_COUNT_OF_LINE, asked).fetchone()
        events = log.events_of(self._conn.execute(_OF_LINE, asked), with_blanks=True)
        return _fold(self._conn, self._buffer, world, events, count)

    def _is_shared(self, header: Header) -> bool:
        """Up to where a snapshot was taken, its line and this one tell the same."""
        return not tells_otherwise(self._conn, header.line, self._line, header.head_id + 1)

    def _count_from(self, step: int) -> int:
        asked = (chat_stream(self._chat_id), step, self._before_id)
        return sum(self._shows(*place) for place in self._conn.execute(_PLACES_FROM, asked))

    def _step_before(self, stretches: list[Stretch]) -> int | None:
        """The step to undo to, so that all that stands is on both lines; None when it is too long ago."""
        floor = undo.oldest(self._conn, self._chat_id)
        if floor is None:
            return None
        firsts = []
        for stretch in stretches:
            asked = stretch._asdict() | {"before": self._before_id}
            if self._conn.execute(_IS_ANY_BELOW, asked | {"floor": floor}).fetchone():
                return None
            firsts.append(self._conn.execute(_FIRST_OF_PLACE, asked).fetchone()[0])
        first = min((one for one in firsts if one is not None), default=self._before_id)
        return undo.step_at(self._conn, self._chat_id, first)

    def _undone(self, step: int) -> World:
        undo.back_to(self._conn, self._chat_id, step)
        world = loading.world(self._conn, self._chat_id)
        self._must_end_before(world, step)
        return fold_on(self._conn, self._buffer, world, self._line, step, self._before_id)

    def _shows(self, branch_id: str, step: int) -> bool:
        return step <= self._cuts.get(branch_id, -1)

    def _must_end_before(self, world: World, step: int) -> None:
        """The last event the rows tell of is the last one visible before the step. Raises undo.Damaged."""
        latest = self._conn.execute(_LATEST, (chat_stream(self._chat_id), step, _RECENT_LOOKED_AT))
        looked_at, told = 0, ""
        for looked_at, (branch, at, ts) in enumerate(latest, 1):  # noqa: B007 - how many there were counts
            if self._shows(branch, at):
                told = ts
                break
        if not told and looked_at == _RECENT_LOOKED_AT:
            return
        if world.state.last_ts != told:
            raise undo.Damaged


def fold_on(
    conn: sqlite3.Connection, buffer: Buffer, world: World, line: Lineage, from_id: int, before_id: int
) -> World:
    """Fold what a line shows of the events from one up to another, and write the rows of it."""
    cuts = dict(line)
    asked = (chat_stream(world.chat_id), from_id, before_id)
    count = sum(step <= cuts.get(branch, -1) for branch, step in conn.execute(_PLACES_FROM, asked))
    rows = (row for row in conn.execute(_EVENTS_FROM, asked) if row[3] <= cuts.get(row[2], -1))
    return _fold(conn, buffer, world, log.events_of(rows, with_blanks=True), count)


def _fold(
    conn: sqlite3.Connection, buffer: Buffer, world: World, events: Iterable[Event], count: int
) -> World:
    """Fold so many visible events of a chat and write their rows. Of a long way only the end can be undone."""
    chat_id, first = world.chat_id, 0
    if count > undo.TAIL_EVENTS:
        undo.forget(conn, chat_id)
    for left, event in zip(range(count - 1, -1, -1), events, strict=True):
        world, changes = worlds.evolve(world, event)
        buffer.take(changes)
        if left >= undo.TAIL_EVENTS:
            if left == undo.TAIL_EVENTS or buffer.size > _FLUSH_AT:
                buffer.flush()
            continue
        first = first or event.id
        if not left % _EVENTS_IN_A_STEP:
            undo.keep(conn, buffer, {chat_id: first})
            buffer.flush()
            first = 0
    if first:
        undo.keep(conn, buffer, {chat_id: first})
    buffer.flush()
    return world


def clear(conn: sqlite3.Connection, chat_id: str, but: Collection[str] = ()) -> None:
    """Take a chat's selected line out of its tables. Witnesses go with their memories."""
    for table in PER_CHAT:
        if table != "witnesses" and table not in but:
            delete_rows(conn, table, "chat_id = ?", (chat_id,))
    if not but:
        abandoned.forget(conn, chat_id)
