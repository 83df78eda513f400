"""What the player did in one chat, action by action, as places in the story to go back and forth between.

Derived from the log and nothing else: each new step on the selected branch and each selection is an action; an undo
moves back along them, a redo forward, and a new action forgets what lay ahead. Branches are never lost by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from chat.domain.events import BranchSelected

UNDO, REDO, RETRY, AGAIN, REWIND, SWIPE = "undo", "redo", "retry", "said again", "rewind", "swipe"
MOMENT, CHECKPOINT = "select", "checkpoint"
"""Reasons of a selection. AGAIN is a turn of one's own written anew, which is about to follow; MOMENT some moment of
the story map, CHECKPOINT one that has a name."""
_SAID = "user_turn"
KEPT = 200


class Happened(Protocol):
    """An event, or as much of one as a history looks at."""

    @property
    def branch_id(self) -> str | None: ...
    @property
    def step(self) -> int | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def data(self) -> object: ...


class Place(msgspec.Struct, frozen=True):
    """A state of the story: the tip of a line. `what` says which action led here, in the words of the log."""

    branch_id: str
    step: int
    what: str


class History(msgspec.Struct, frozen=True):
    """Places in the order they were reached; `at` is where the story stands."""

    places: tuple[Place, ...] = ()
    at: int = -1

    def back(self) -> Place | None:
        return self.places[self.at - 1] if self.at > 0 else None

    def forward(self) -> Place | None:
        return self.places[self.at + 1] if self.at + 1 < len(self.places) else None

    def here(self) -> Place | None:
        return self.places[self.at] if self.at >= 0 else None


def history_of(events: Iterable[Happened]) -> History:
    """Fold the story and selection events of one chat, in id order, into its history."""
    history = History()
    for event in events:
        if isinstance(event.data, BranchSelected):
            history = _selected(history, event.data)
        elif event.step is not None:
            history = _stepped(history, event.branch_id or "", event.step, event.kind)
    return history


def _selected(history: History, data: BranchSelected) -> History:
    if data.reason == UNDO and history.at > 0:
        return _moved(history, history.at - 1, data)
    if data.reason == REDO and history.at + 1 < len(history.places):
        return _moved(history, history.at + 1, data)
    return _new(history, Place(data.branch_id, data.step, data.reason))


def _moved(history: History, at: int, data: BranchSelected) -> History:
    """The place is now shown by the branch that was selected for it."""
    place = msgspec.structs.replace(history.places[at], branch_id=data.branch_id, step=data.step)
    places = (*history.places[:at], place, *history.places[at + 1 :])
    return History(places, at)


def _stepped(history: History, branch_id: str, step: int, kind: str) -> History:
    """A higher step on the branch where the story stands is a new action; late results of older steps are not."""
    here = history.here()
    if here is None:
        return _new(history, Place(branch_id, step, kind))
    if branch_id != here.branch_id or step <= here.step:
        return history
    if kind in ("assistant_turn_started", "assistant_turn") and here.what in (_SAID, RETRY):
        return _here(history, Place(branch_id, step, here.what))
    if kind == _SAID and here.what == AGAIN:
        return _here(history, Place(branch_id, step, _SAID))
    return _new(history, Place(branch_id, step, kind))


def _here(history: History, place: Place) -> History:
    """A reply belongs to the turn it answers: both are undone together."""
    return History((*history.places[: history.at], place), history.at)


def _new(history: History, place: Place) -> History:
    places = (*history.places[: history.at + 1], place)[-KEPT:]
    return History(places, len(places) - 1)
