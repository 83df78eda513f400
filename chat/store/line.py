"""Reads turns along a lineage, branch by branch, until there are enough: O(window), whatever the chat's length.

The queries are planned here and run by whoever has a connection, so the writer and the readers share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chat.domain.lineage import UNCUT, Lineage
from chat.domain.records import Row
from chat.domain.turns import Turn
from chat.store import told

END = UNCUT
"""Before this step lies everything."""

_ON_BRANCH = f"""
select * from (
    {told.SELECT} where t.chat_id = ? and t.branch_id = ? and t.step <= ?
    order by t.step desc, t.event_id desc limit ?
)
"""
_AFTER = f"""
{told.SELECT} where t.chat_id = ? and t.branch_id = ? and t.step > ? and t.step <= ?
order by t.step, t.event_id limit ?
"""
_FIRST_BRANCHES = 2
_GROWTH = 4
_MOST_BRANCHES = 128
"""Branches asked about in one statement: few at first, because a window seldom spans more."""


class LinePages:
    """The `limit` turns before a step (exclusive), read branch by branch. `turns` is oldest first."""

    def __init__(self, line: Lineage, chat_id: str, before_step: int, limit: int) -> None:
        self._line = [(branch, min(cut, before_step - 1)) for branch, cut in line]
        self._chat_id = chat_id
        self._limit = limit
        self._asked = 0
        self._width = _FIRST_BRANCHES
        self._newest_first: list[Turn] = []

    @property
    def turns(self) -> list[Turn]:
        return self._newest_first[: self._limit][::-1]

    def next_query(self) -> tuple[str, list[Any]] | None:
        """The next statement and its values, or None when there are enough turns or no more branches."""
        chunk = self._line[self._asked : self._asked + self._width]
        if not chunk or len(self._newest_first) >= self._limit:
            return None
        self._asked += len(chunk)
        self._width = min(self._width * _GROWTH, _MOST_BRANCHES)
        values: list[Any] = []
        for branch, cut in chunk:
            values += [self._chat_id, branch, cut, self._limit]
        return " union all ".join([_ON_BRANCH] * len(chunk)), values

    def answer(self, rows: Sequence[Row]) -> None:
        found = [Turn.from_row(row) for row in rows]
        found.sort(key=lambda turn: (turn.step, turn.event_id), reverse=True)
        self._newest_first += found


class PagesAfter:
    """The `limit` turns after a step (exclusive), read branch by branch, the oldest first."""

    def __init__(self, line: Lineage, chat_id: str, after_step: int, limit: int) -> None:
        self._line = [(branch, cut) for branch, cut in reversed(line) if cut > after_step]
        self._chat_id, self._after_step, self._limit = chat_id, after_step, limit
        self.turns: list[Turn] = []

    def next_query(self) -> tuple[str, list[Any]] | None:
        """The next statement and its values, or None when there are enough turns or no more branches."""
        wanted = self._limit - len(self.turns)
        if not self._line or wanted <= 0:
            return None
        branch, cut = self._line.pop(0)
        return _AFTER, [self._chat_id, branch, self._after_step, cut, wanted]

    def answer(self, rows: Sequence[Row]) -> None:
        self.turns += [Turn.from_row(row) for row in rows]
