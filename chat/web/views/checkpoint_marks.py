"""The checkpoints of a story as its transcript shows them: a small mark at the turn after which each of them lies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from chat.domain.chats import Branch
from chat.domain.checkpoints import Checkpoint
from chat.domain.library import Library
from chat.domain.lineage import is_visible
from chat.domain.turns import Turn
from chat.store import views
from chat.store.reading import Reader


class Mark(NamedTuple):
    """`address` is its place on the story map."""

    id: str
    name: str
    address: str


async def read_marks(
    reader: Reader, library: Library, chat_id: str, turns: Sequence[Turn]
) -> Mapping[str, Sequence[Mark]]:
    """The marks of these turns (oldest first), by turn; those of other branches and other windows are not read."""
    marks: dict[str, list[Mark]] = defaultdict(list)
    shown = {turn.id for turn in turns}
    branches: dict[str, Branch] = {}
    for one in _on_line(library, chat_id, turns):
        branches = branches or {b.id: b for b in library.branches.values() if b.chat_id == chat_id}
        said = await views.said_at(reader, chat_id, branches, one.branch_id, one.step)
        if said and said.turn_id not in shown and said.step > turns[-1].step:
            break
        if said:
            marks[said.turn_id].append(_mark(one))
    return marks


def _on_line(library: Library, chat_id: str, turns: Sequence[Turn]) -> list[Checkpoint]:
    """Those of the visible line that do not lie before these turns, by step."""
    if not turns:
        return []
    line, first = library.lineage(chat_id), turns[0].step
    found = (one for one in library.checkpoints.values() if one.chat_id == chat_id and one.step >= first)
    seen = (one for one in found if is_visible(line, one.branch_id, one.step))
    return sorted(seen, key=lambda one: (one.step, one.created_at))


def _mark(one: Checkpoint) -> Mark:
    at = urlencode({"branch": one.branch_id, "step": one.step})
    return Mark(one.id, one.name, f"/chats/{one.chat_id}/map?{at}")
