"""One exchange: the player's entry, the reply that is started, and the reply as it ended, as events.

Each is a step of its own. What a reply leaves behind (its memories) lies at the reply's step, whenever it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from chat.domain import memories
from chat.domain.chats import Chat
from chat.domain.events import (
    AssistantTurn,
    AssistantTurnStarted,
    EntityEntered,
    EntityLeft,
    NewEvent,
    StoryPayload,
    UserTurn,
    story,
)
from chat.domain.people import is_you
from chat.domain.segments import Segment
from chat.domain.turns import Turn
from chat.domain.world import World, foreseen


class Moment(msgspec.Struct, frozen=True):
    """Where and when an entry stands, and who is there to witness it."""

    branch_id: str
    step: int
    scene_id: str
    at: str
    present: tuple[str, ...]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a reply ended. `stop_reason` is one of the nine; `error_*` are shown when it is `error`."""

    text: str
    segments: tuple[Segment, ...]
    truncated: bool = False
    stop_reason: str = "complete"
    error_code: str = ""
    error_message: str = ""
    error_next_step: str = ""
    model: str = ""
    call_id: str | None = None
    reasoning: str = ""


def next_moment(world: World, chat: Chat) -> Moment:
    """The moment of the next entry on the selected branch."""
    state = world.state
    return Moment(chat.branch_id, state.head_step + 1, state.scene_id or "", state.clock_at, state.present)


def moment_after(world: World, chat: Chat, begun: Sequence[StoryPayload]) -> tuple[Moment, list[NewEvent]]:
    """The moment of the next entry when this happens with it, and these things as events of its step."""
    here = next_moment(world, chat)
    events = story(chat.id, here.branch_id, here.step, *begun)
    there = foreseen(world, events).state
    return Moment(here.branch_id, here.step, there.scene_id or "", there.clock_at, there.present), events


def say(
    chat: Chat, moment: Moment, turn_id: str, text: str, segments: tuple[Segment, ...], idempotency_key: str
) -> list[NewEvent]:
    """The player's entry, word for word. Whoever the player was before leaves with it where another was chosen."""
    others = [one for one in moment.present if is_you(one) and one != chat.you_id]
    moved: list[StoryPayload] = []
    if others:
        present = tuple(sorted({*moment.present, chat.you_id} - {*others}))
        moment = msgspec.structs.replace(moment, present=present)
        moved = [*(EntityLeft(entity=one, at=moment.at) for one in others)]
        moved.append(EntityEntered(entity=chat.you_id, at=moment.at))
    turn = UserTurn(
        turn_id=turn_id,
        speaker=chat.you_id,
        text=text,
        segments=segments,
        present=moment.present,
        scene_id=moment.scene_id,
        at=moment.at,
        idempotency_key=idempotency_key,
    )
    return story(chat.id, moment.branch_id, moment.step, turn, *moved)


def before_it(turn: Turn, with_it: Sequence[StoryPayload]) -> tuple[tuple[str, ...], list[StoryPayload]]:
    """Who was there before a turn of the player's, and what happened with it but for their own coming and going."""
    mine = [one for one in with_it if isinstance(one, EntityEntered | EntityLeft) and is_you(one.entity)]
    came = {one.entity for one in mine if isinstance(one, EntityEntered)}
    went = {one.entity for one in mine if isinstance(one, EntityLeft)}
    return tuple(sorted({*turn.present} - came | went)), [one for one in with_it if one not in mine]


def start(chat_id: str, moment: Moment, turn_id: str, speaker: str, **how: Any) -> list[NewEvent]:
    """A reply begins; `how` is who was asked and with what (see AssistantTurnStarted)."""
    return story(
        chat_id, moment.branch_id, moment.step, AssistantTurnStarted(turn_id=turn_id, speaker=speaker, **how)
    )


def finish(
    chat_id: str, moment: Moment, turn_id: str, speaker: str, reply_to: str | None, ending: Ending
) -> AssistantTurn:
    return AssistantTurn(
        turn_id=turn_id,
        speaker=speaker,
        present=moment.present,
        scene_id=moment.scene_id,
        at=moment.at,
        reply_to=reply_to,
        **msgspec.structs.asdict(ending),
    )


def remember(
    chat: Chat,
    moment: Moment,
    before: Sequence[Turn],
    reply: AssistantTurn,
    name_of: Callable[[str], str],
    new_id: Callable[[], str],
    resets: Mapping[str, int],
) -> list[NewEvent]:
    """One memory for each bot that witnessed any of it: the entries since the last reply with words, and the reply.

    A reply without words leaves nothing yet; the player's half is remembered with the next one that has some.
    """
    if not reply.text.strip():
        return []
    turns = [*unanswered(before), _as_turn(chat.id, moment, reply)]
    written = memories.of_exchange(turns, chat.continuity, name_of, new_id, resets)
    return story(chat.id, moment.branch_id, moment.step, *written)


def unanswered(before: Sequence[Turn]) -> list[Turn]:
    """The entries since the last reply that had words, oldest first."""
    found: list[Turn] = []
    for turn in reversed(before):
        if turn.role == "assistant" and turn.text.strip():
            break
        found.insert(0, turn)
    return found


def _as_turn(chat_id: str, moment: Moment, reply: AssistantTurn) -> Turn:
    return Turn(
        id=reply.turn_id,
        chat_id=chat_id,
        branch_id=moment.branch_id,
        step=moment.step,
        role="assistant",
        speaker=reply.speaker,
        text=reply.text,
        segments=reply.segments,
        present=reply.present,
        scene_id=reply.scene_id,
        at=reply.at,
    )


def story_of(chat_id: str, moment: Moment, reply: AssistantTurn) -> list[NewEvent]:
    return story(chat_id, moment.branch_id, moment.step, reply)
