"""A turn in other words, and what the memories of its exchange become by it. Pure decisions: they return events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from chat.domain import memories
from chat.domain.events import (
    MemoryKeyed,
    MemoryRewritten,
    MemoryWritten,
    StoryPayload,
    TurnEdited,
    UserTurnEdit,
)
from chat.domain.exchange import unanswered
from chat.domain.memories import Memory
from chat.domain.segments import Segment
from chat.domain.turns import Turn
from chat.domain.world import ChatState


def reworded(turn: Turn, text: str, segments: tuple[Segment, ...]) -> StoryPayload:
    """The turn in other words, as an event."""
    kind = UserTurnEdit if turn.role == "user" else TurnEdited
    return kind(turn_id=turn.id, text=text, segments=segments, prior=turn.text)


def exchange_with(turns: Sequence[Turn], turn_id: str) -> list[Turn]:
    """The exchange a turn belongs to, as it is remembered: what was unanswered, and the reply; empty without a reply.

    `turns` are those around it, oldest first.
    """
    at = next((index for index, turn in enumerate(turns) if turn.id == turn_id), len(turns))
    replies = (
        index
        for index, turn in enumerate(turns)
        if index >= at and turn.role == "assistant" and turn.text.strip()
    )
    end = next(replies, None)
    if end is None or turns[end].origin != "reply":
        return []
    return [*unanswered(turns[:end]), turns[end]]


def with_words(turns: Sequence[Turn], turn_id: str, text: str, segments: tuple[Segment, ...]) -> list[Turn]:
    """The same turns, one of them in other words."""
    return [replace(one, text=text, segments=segments) if one.id == turn_id else one for one in turns]


def remembered_anew(
    before: Sequence[Turn],
    after: Sequence[Turn],
    kept: Sequence[Memory],
    continuity: str,
    here: ChatState,
    name_of: Callable[[str], str],
    new_id: Callable[[], str],
) -> list[StoryPayload]:
    """What the memories of an exchange become when its words change from `before` to `after`.

    A memory whose owner heard nothing of the new words has none left. One the player wrote by hand stays, and nobody is
    given back what they no longer remember.
    """
    was, now = (
        {one.owner: one for one in memories.of_exchange(turns, continuity, name_of, new_id, here.resets)}
        if turns
        else {}
        for turns in (before, after)
    )
    events: list[StoryPayload] = []
    for memory in kept:
        text = now[memory.owner].text if memory.owner in now else ""
        if text == memory.text or f"memory:{memory.id}:text" in here.fixed:
            continue
        events.append(MemoryRewritten(memory_id=memory.id, text=text, prior=memory.text))
        if memory.keys:
            events.append(MemoryKeyed(memory_id=memory.id, keys=()))
    owners = {*was, *(memory.owner for memory in kept)}
    heard_first: list[MemoryWritten] = [one for owner, one in now.items() if owner not in owners]
    return [*events, *heard_first]
