"""A bot that begins anew in one chat: what goes, what stays, and how the story starts again afterwards.

What comes late for a time before the reset is forgotten too, so a reset is one step that nothing slips behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from chat.domain.activities import Activity
from chat.domain.edges import Edge, EdgeChange
from chat.domain.events import (
    ActivityChange,
    BotReset,
    ClockAdvanced,
    EdgeSeeded,
    EntityEntered,
    Event,
    SceneClosed,
    SceneOpened,
    StoryPayload,
)
from chat.domain.memories import Memory
from chat.domain.people import is_you
from chat.domain.records import Change, Clear, Drop
from chat.domain.turns import Turn

if TYPE_CHECKING:
    from chat.domain.world import World

REASON = "reset"
P = TypeVar("P", bound=StoryPayload)


def reset(world: World, bot_id: str, beginning: Sequence[StoryPayload]) -> list[StoryPayload]:
    """The bot forgets this chat and feels as it did when the story began; the scene closes.

    `beginning` is what the story started with.
    """
    at = world.state.clock_at
    felt = [one for one in _of(EdgeSeeded, beginning) if one.source == bot_id]
    closed = (
        [SceneClosed(scene_id=world.scene.id, at=at, reason=REASON, significance=0)] if world.scene else []
    )
    return [BotReset(bot_id=bot_id, at=at), *felt, *closed]


def is_over(world: World) -> bool:
    """True when a reset closed the scene and nothing was said since."""
    return world.scene is None and bool(world.state.resets)


def begin_again(
    world: World, you_id: str, beginning: Sequence[StoryPayload], new_id: Callable[[], str]
) -> list[StoryPayload]:
    """What happens with the first words after a reset: the scene opens anew where and when the story began.

    Whoever came to the story later comes along. Of the player's personas the one they are by now is there.
    """
    first = next(iter(_of(SceneOpened, beginning)), None)
    if first is None or not is_over(world):
        return []
    at = next((one.at for one in _of(ClockAdvanced, beginning)), world.state.clock_at)
    clock = (
        [ClockAdvanced(at=at, prior=world.state.clock_at, reason=REASON)]
        if at != world.state.clock_at
        else []
    )
    others = [one for one in first.participants if not is_you(one)]
    entered = [one for one in others if one not in world.state.present]
    everyone = tuple(sorted({*others, *(one for one in world.state.present if not is_you(one)), you_id}))
    doing = {one.entity: one for one in _of(ActivityChange, beginning)}
    return [
        *clock,
        *(EntityEntered(entity=one, at=at) for one in entered),
        *(_placed(world, one, first.container_id, doing.get(one)) for one in everyone),
        SceneOpened(scene_id=new_id(), container_id=first.container_id, participants=everyone, at=at),
    ]


def once_more(begun: Sequence[StoryPayload], new_id: Callable[[], str]) -> list[StoryPayload]:
    """The same on another branch, where the scene is one of its own."""
    return [replace(one, scene_id=new_id()) if isinstance(one, SceneOpened) else one for one in begun]


def knows(resets: dict[str, int], bot_id: str, turn: Turn) -> bool:
    """False for what was told before a bot was reset; how the story opened it knows again."""
    return turn.origin == "opening" or turn.step >= resets.get(bot_id, 0)


def is_before(world: World, owner: str, event: Event) -> bool:
    """True for something that comes after a reset of its owner but belongs to a time before it."""
    return (event.step or 0) < world.state.resets.get(owner, 0)


def folded(world: World, event: Event, data: BotReset) -> tuple[World, list[Change]]:
    """The world without what the bot had in it, and the rows that go."""
    bot, chat_id = data.bot_id, world.chat_id
    gone = [pair for pair in world.edges if pair[0] == bot]
    mine = (f"edge:{bot}>", f"activity:{bot}:")
    state = replace(
        world.state,
        resets=dict(sorted({**world.state.resets, bot: event.step or 0}.items())),
        fixed=tuple(key for key in world.state.fixed if not key.startswith(mine)),
    )
    after = replace(
        world,
        state=state,
        edges={pair: edge for pair, edge in world.edges.items() if pair[0] != bot},
        activities={entity: one for entity, one in world.activities.items() if entity != bot},
        pins=tuple(pin for pin in world.pins if pin.owner != bot),
    )
    return after, [
        *(Drop(Edge.table, (chat_id, *pair)) for pair in gone),
        *([Drop(Activity.table, (chat_id, bot))] if bot in world.activities else []),
        Clear(EdgeChange.table, {"chat_id": chat_id, "source": bot}),
        Clear(Memory.table, {"chat_id": chat_id, "owner": bot}),
    ]


def _of(payload: type[P], told: Sequence[StoryPayload]) -> list[P]:
    return [one for one in told if isinstance(one, payload)]


def _placed(world: World, entity: str, container_id: str, at_first: ActivityChange | None) -> ActivityChange:
    """As at first for those the story began with; whoever came later only changes the place."""
    known = world.activities.get(entity)
    prior = known.action if known else ""
    if at_first is not None:
        return replace(at_first, prior_action=prior)
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
        prior_action=prior,
    )
