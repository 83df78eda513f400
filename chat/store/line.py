"""Reads turns along a lineage, newest branch first, until there are enough: O(window), whatever the chat's length.

The queries are planned here and run by whoever has a connection, so the writer and the readers share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chat.domain.lineage import UNCUT, Lineage
from chat.domain.records import Row
from chat.domain.turns import Turn
from chat.store.rows import select

END = UNCUT
"""Before this step lies everything."""

_ON_BRANCH = f"""
select * from (
    {select(Turn.table)} where chat_id = ? and branch_id = ? and step <= ?
    order by step desc, event_id desc limit ?
)
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
