"""Going back and forth, in words: what a rewind would leave behind, what was just done, and which reply of how many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from chat.domain.library import Library
from chat.domain.names import apart
from chat.domain.turns import Turn
from chat.store.views import Alternative
from chat.web.failures import Notice, Offer
from chat.web.views.demo_words import is_by_demo

if TYPE_CHECKING:
    from chat.engine.impact import FeelingLost, Impact
    from chat.engine.timeline import Steps

REWIND, SWIPE, UNDO, REDO, RESET = "rewind", "swipe", "undo", "redo", "reset"
MOMENT, CHECKPOINT = "moment", "checkpoint"
_SNIPPET_CHARS = 160
_BRANCH, _CHECKPOINT = "the change of branch", "the return to a checkpoint"
"""What the engine calls these ways of going."""


class Swipe(msgspec.Struct, frozen=True):
    """Which of several replies is shown, counted from one, and the branches of those beside it."""

    at: int
    of: int
    previous: str
    following: str


class Rewrite(msgspec.Struct, frozen=True):
    """One's own turn that can be sent again in other words: its text, and the reply that goes with it."""

    reply_id: str
    text: str


class GoingBack(msgspec.Struct, frozen=True):
    """The question before a rewind. `is_there` when the story stands at this turn already."""

    turn_id: str
    name: str
    snippet: str
    losses: list[str]
    is_there: bool
    by_demo: bool


def swipe(turn: Turn, among: Sequence[Alternative]) -> Swipe | None:
    """Where a reply stands among its alternatives; None when it is the only one."""
    at = next((index for index, one in enumerate(among) if one.turn_id == turn.id), None)
    if at is None:
        return None
    return Swipe(
        at=at + 1,
        of=len(among),
        previous=among[at - 1].branch_id if at else "",
        following=among[at + 1].branch_id if at + 1 < len(among) else "",
    )


def rewrites(turns: Sequence[Turn]) -> dict[str, Rewrite]:
    """The player's half of the latest exchange, by id, if these turns end with a whole one."""
    if len(turns) < 2:
        return {}
    mine, reply = turns[-2:]
    is_exchange = mine.role == "user" and reply.reply_to == mine.id and not reply.is_running
    return {mine.id: Rewrite(reply.id, mine.text)} if is_exchange else {}


def going_back(turn: Turn, library: Library, impact: Impact) -> GoingBack:
    words = snippet(turn.text)
    by_demo = is_by_demo(turn.model)
    return GoingBack(
        turn.id, library.name_of(turn.speaker), words, losses(impact), not impact.events, by_demo
    )


def snippet(text: str, most: int = _SNIPPET_CHARS) -> str:
    """The beginning of a turn on one line, whole words."""
    words = " ".join(text.replace("*", "").split())
    return words if len(words) <= most else words[:most].rsplit(" ", 1)[0] + " …"


def losses(impact: Impact) -> list[str]:
    """What would go, a sentence each; empty when nothing would."""
    counted = (
        (impact.turns, "1 turn is left behind.", "{} turns are left behind."),
        (impact.scenes, "The close of a scene is undone.", "The closes of {} scenes are undone."),
        (impact.memories, "1 memory is forgotten.", "{} memories are forgotten."),
        (impact.pins, "1 change to the pins is undone.", "{} changes to the pins are undone."),
        (impact.edits, "1 change by hand is undone.", "{} changes by hand are undone."),
        (impact.wordings, "1 turn gets its earlier words back.", "{} turns get their earlier words back."),
    )
    said = [one if count == 1 else many.format(count) for count, one, many in counted if count]
    said += [_feeling(lost) for lost in impact.feelings]
    if impact.minutes:
        way = "back" if impact.minutes > 0 else "forward"
        said.append(f"The clock of the story goes {way} by {_span(abs(impact.minutes))}.")
    return said


def _feeling(lost: FeelingLost) -> str:
    parts = [
        f"{name} {'falls' if delta > 0 else 'rises'} by {abs(delta)}"
        for name, delta in (("affinity", lost.affinity), ("trust", lost.trust))
        if delta
    ]
    return f"What {apart(lost.source)} feels for {apart(lost.target)}: {' and '.join(parts)}."


def _span(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    named = ((days, "day"), (hours, "hour"), (rest, "minute"))
    return " ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in named if count)


def went(kind: str, steps: Steps, chat_id: str) -> Notice | None:
    """What was just done, with the way back; None when that is no longer the last thing that was done."""
    said, back = {
        REWIND: ("Went back. What came after it is kept.", steps.undo == "the rewind" and UNDO),
        MOMENT: ("The story goes on from there. What you left is kept.", steps.undo == _BRANCH and UNDO),
        CHECKPOINT: ("Came back. What you left is kept.", steps.undo == _CHECKPOINT and UNDO),
        SWIPE: ("The story goes on from another reply.", steps.undo == "the change of reply" and UNDO),
        RESET: ("The story begins again with your next words.", steps.undo == "the reset" and UNDO),
        UNDO: (f"Undid {steps.redo_told}.", steps.redo and REDO),
        REDO: (f"Brought back {steps.undo_told}.", steps.undo and UNDO),
    }.get(kind, ("", ""))
    if not back:
        return None
    offer = Offer(f"/chats/{chat_id}/{back}", back.capitalize())
    return Notice(said, tone="plain", offer=offer, is_passing=True)


def as_json(impact: Impact) -> dict[str, Any]:
    """What would go, counted: `minutes` of story time, and points of each feeling."""
    plain: dict[str, Any] = msgspec.to_builtins(impact)
    return plain
