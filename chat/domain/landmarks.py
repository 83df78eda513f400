"""What a picture of all branches needs and no single line tells: where each branch was left, where scenes began.

Rows for every branch, whichever is selected. Nothing here is needed to go on with a story.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chat.domain.events import BranchSelected, ContainerCreated, Event, Payload, SceneOpened
from chat.domain.records import Change, Drop, Put, Record

if TYPE_CHECKING:
    from chat.domain.chats import Branch
    from chat.domain.library import Library


class BranchTip(Record, frozen=True):
    """The last step of a branch that is not selected; no row where nothing happened on it since it was forked."""

    table = "branch_tips"
    id: str
    chat_id: str
    step: int


class SceneStart(Record, frozen=True):
    """Where on its branch a scene began; `at` is story time."""

    table = "scene_starts"
    id: str
    chat_id: str
    branch_id: str
    step: int
    container_id: str
    at: str


class PlaceName(Record, frozen=True):
    """What a place was called when it came to be."""

    table = "place_names"
    id: str
    chat_id: str
    name: str


KINDS: frozenset[type[Payload]] = frozenset({SceneOpened, ContainerCreated})
"""What `changes` is not empty for."""


def changes(event: Event) -> list[Change]:
    """The rows of a story event of any branch; empty for most."""
    if type(event.data) not in KINDS:
        return []
    chat_id = event.stream.removeprefix("chat:")
    match event.data:
        case SceneOpened() as scene:
            start = SceneStart(
                id=scene.scene_id,
                chat_id=chat_id,
                branch_id=event.branch_id or "",
                step=event.step or 0,
                container_id=scene.container_id,
                at=scene.at,
            )
            return [Put(start)]
        case ContainerCreated() as place:
            return [Put(PlaceName(id=place.container_id, chat_id=chat_id, name=place.name))]
        case _:
            return []


def left(before: Library, selected: BranchSelected, head_step: int) -> list[Change]:
    """A branch that is left gets its row and the selected one goes without; `head_step` is that of the line so far."""
    prior = before.branches[before.chats[selected.chat_id].branch_id]
    if prior.id == selected.branch_id:
        return []
    now = Drop(BranchTip.table, (selected.branch_id,))
    return [*_tip(prior, head_step), now]


def all_left(library: Library, last_steps: Mapping[str, int]) -> list[Change]:
    """The same rows from the last step on each branch: one for every branch that is not selected."""
    selected = {chat.branch_id for chat in library.chats.values()}
    others = (branch for branch in library.branches.values() if branch.id not in selected)
    return [change for branch in others for change in _tip(branch, last_steps.get(branch.id, 0))]


def _tip(branch: Branch, step: int) -> list[Change]:
    return (
        [Put(BranchTip(id=branch.id, chat_id=branch.chat_id, step=step))] if step > branch.fork_step else []
    )
