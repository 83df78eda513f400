"""Memories: what one bot keeps. Each has one owner and holds only what that owner witnessed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from chat.domain.events import Event, MemoryWritten
from chat.domain.people import is_you
from chat.domain.records import Record
from chat.domain.turns import Turn
from chat.domain.witness import witnessed_text

SIGNIFICANCE_MAX = 3


class Memory(Record, frozen=True):
    """`scope` is a token in the search index, so that no search can leave its owner and continuity."""

    table = "memories"
    event_id: int
    id: str
    owner: str
    continuity: str
    chat_id: str
    turn_id: str
    scene_id: str
    text: str
    scope: str
    at: str
    source: str
    reliability: float
    significance: int
    pinned: bool = False
    auto_pinned: bool = False
    consolidated: bool = False
    pin_event_id: int = 0
    level: str = "turn"
    keys: tuple[str, ...] = ()
    revision: int = 0


class Witness(Record, frozen=True):
    """Who was there for what a memory holds."""

    table = "witnesses"
    key = ("memory_id", "entity")
    belongs_to = ("memories", "memory_id")
    memory_id: str
    entity: str
    chat_id: str


@cache
def scope_token(owner: str, continuity: str) -> str:
    """One search token for a bot's memories within a continuity.

    A digest, because the index folds case and accents and cuts off word endings, which would make two names one;
    the last digit keeps it from being taken for a word with an ending.
    """
    digest = hashlib.sha256(f"{owner}\n{continuity}".encode()).hexdigest()
    return f"s{digest[:24]}0"


def written(chat_id: str, event: Event, data: MemoryWritten) -> Memory:
    return Memory(
        event_id=event.id,
        id=data.memory_id,
        owner=data.owner,
        continuity=data.continuity,
        chat_id=chat_id,
        turn_id=data.turn_id,
        scene_id=data.scene_id,
        text=data.text,
        scope=scope_token(data.owner, data.continuity),
        at=data.at,
        source=data.source,
        reliability=data.reliability,
        significance=data.significance,
        level=data.level,
        revision=event.id,
    )


def of_exchange(
    turns: Sequence[Turn],
    continuity: str,
    name_of: Callable[[str], str],
    new_id: Callable[[], str],
    resets: Mapping[str, int],
) -> list[MemoryWritten]:
    """One memory for each bot that witnessed any of an exchange: both halves, only what it witnessed.

    `turns` are the entries since the last reply and the reply itself, oldest first; `resets` says from which step on
    a bot that was reset remembers.
    """
    last = turns[-1]
    everyone = {entity for turn in turns for entity in (*turn.present, turn.speaker)} - {"", "narrator"}
    written = []
    for owner in sorted(entity for entity in everyone if not is_you(entity)):
        known = [turn for turn in turns if turn.step >= resets.get(owner, 0)]
        heard = [(turn, witnessed_text(turn.segments, turn.speaker, turn.present, owner)) for turn in known]
        lines = [f"{name_of(turn.speaker)}: {text.strip()}" for turn, text in heard if text.strip()]
        if lines:
            written.append(
                MemoryWritten(
                    memory_id=new_id(),
                    owner=owner,
                    continuity=continuity,
                    turn_id=last.id,
                    scene_id=last.scene_id,
                    text="\n".join(lines),
                    witnesses=tuple(sorted(everyone)),
                    at=last.at,
                )
            )
    return written
