"""The latest actions of a chat, read from the log without its words: for the writer and the readers alike.

A window of the log, whatever the length of the story; what lies before it can no longer be undone step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chat.domain.events import LIBRARY, BranchSelected, chat_stream
from chat.domain.history import History, history_of
from chat.domain.records import Row
from chat.store import log

STEPS_READ, FEW_STEPS = 600, 80
_STEPS = f"""
select id, branch_id, step, kind from event_log where stream = ?
and (not exists (select 1 from event_log where kind = 'words_erased') or {log.TOLD}) order by id desc limit ?
"""
"""What was deleted is nothing that could be undone, although its step stays taken. Most logs have none of it."""
_SELECTIONS = (
    f"{log.SELECT} where stream = '{LIBRARY}' and id > ? and kind = 'branch_selected' "
    "and json_extract(payload_json, '$.chat_id') = ?"
)


class Action(msgspec.Struct, frozen=True):
    """What a history needs of an event: where it lies, and which branch was selected, if it was that."""

    id: int
    branch_id: str | None
    step: int | None
    kind: str
    data: BranchSelected | None = None


def steps_query(chat_id: str, most: int | None = None) -> tuple[str, tuple[Any, ...]]:
    return _STEPS, (chat_stream(chat_id), most or STEPS_READ)


def selections_query(chat_id: str, steps: Sequence[Row]) -> tuple[str, tuple[Any, ...]]:
    """The selections among these steps (the rows of the first query)."""
    return _SELECTIONS, (steps[-1][0] if steps else 0, chat_id)


def history(steps: Sequence[Row], selections: Sequence[Row]) -> History:
    """The rows of both queries as what can be undone and redone."""
    found = [Action(*row) for row in steps]
    for event in log.events_of(selections):
        assert isinstance(event.data, BranchSelected)
        found.append(Action(event.id, None, None, event.kind, event.data))
    found.sort(key=lambda action: action.id)
    return history_of(found)


def latest(steps: Sequence[Row], branch_id: str) -> History | None:
    """What was done last on a branch that was selected all through these steps; None where they cannot tell.

    A turn of the player's is a place of its own whatever lies before it, so from the first one on this is what all
    steps together tell. Where two of them are there, the last place is right and the one before it.
    """
    own = [row for row in steps if row[1] == branch_id]
    return history(own, ()) if sum(kind == "user_turn" for *_, kind in own) > 1 else None
