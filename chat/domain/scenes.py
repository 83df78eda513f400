"""Scenes: a stretch of story at one place with the same people, and what closing one brings about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from chat.domain.events import (
    ActivityChange,
    ContainerCreated,
    EntityLeft,
    SceneClosed,
    SceneOpened,
    StoryPayload,
)
from chat.domain.people import is_you
from chat.domain.records import Record
from chat.errors import Refused

if TYPE_CHECKING:
    from chat.domain.world import World

NAME_CHARS = 120


class Scene(Record, frozen=True):
    """`closed_at` is empty while the scene is open; `significance` 0..3 is judged at its close."""

    table = "scenes"
    id: str
    chat_id: str
    container_id: str
    participants: tuple[str, ...]
    opened_at: str
    closed_at: str = ""
    significance: int = 0
    reason: str = ""


class NextPlace(msgspec.Struct, frozen=True):
    """Where the story goes on; an empty name means right here. `moved` are those who come along."""

    name: str = ""
    place_type: str = "place"
    moved: tuple[str, ...] = ()


def opened(chat_id: str, data: SceneOpened) -> Scene:
    return Scene(
        id=data.scene_id,
        chat_id=chat_id,
        container_id=data.container_id,
        participants=data.participants,
        opened_at=data.at,
    )


def close(
    world: World, next_place: NextPlace, reason: str, significance: int, new_id: Callable[[], str]
) -> list[StoryPayload]:
    """Close the open scene and open the next: its place made when it is new, people moved, the others gone.

    Raises Refused when no scene is open.
    """
    if world.scene is None:
        raise Refused("No scene is open in this chat.")
    at = world.state.clock_at
    closed = SceneClosed(scene_id=world.scene.id, at=at, reason=reason, significance=significance)
    name = " ".join(next_place.name.split())[:NAME_CHARS]
    container_id, made = _place(world, name, next_place.place_type, new_id)
    is_elsewhere = container_id != world.scene.container_id
    here = world.state.present
    going = _going(here, next_place.moved) if is_elsewhere else here
    return [
        closed,
        *made,
        *(_moved(world, one, container_id) for one in going if is_elsewhere),
        *(EntityLeft(entity=one, at=at) for one in here if one not in going),
        SceneOpened(scene_id=new_id(), container_id=container_id, participants=going, at=at),
    ]


def _place(
    world: World, name: str, place_type: str, new_id: Callable[[], str]
) -> tuple[str, list[StoryPayload]]:
    """A place of that name if the chat has one, else a new one; without a name the present place."""
    assert world.scene is not None
    known = next((one for one in world.places.values() if one.name.casefold() == name.casefold()), None)
    if not name or known:
        return (known.id if known and name else world.scene.container_id), []
    made = ContainerCreated(container_id=new_id(), name=name, container_type=place_type.strip() or "place")
    return made.container_id, [made]


def _going(present: Sequence[str], moved: Sequence[str]) -> tuple[str, ...]:
    """The player always goes where the story goes; with nobody else named, everybody comes along."""
    named = [one for one in present if one in moved and not is_you(one)]
    return tuple(one for one in present if is_you(one) or not named or one in named)


def _moved(world: World, entity: str, container_id: str) -> ActivityChange:
    known = world.activities.get(entity)
    if known is None:
        return ActivityChange(entity=entity, container_id=container_id)
    return ActivityChange(
        entity=entity,
        container_id=container_id,
        posture=known.posture,
        action=known.action,
        attention=known.attention,
        holding=known.holding,
        status=known.status,
        prior_action=known.action,
    )
