"""What a rewind would leave behind, counted before it is done. Reading only; costs what is left, not the story."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from chat.domain.events import (
    AssistantTurn,
    ClockAdvanced,
    EdgeUpdate,
    Event,
    ManualEdit,
    MemoryPinChanged,
    MemoryWritten,
    SceneClosed,
    TurnContinued,
    TurnEdited,
    UserTurn,
    UserTurnEdit,
)
from chat.domain.lineage import is_visible
from chat.errors import NotFound
from chat.store import views

if TYPE_CHECKING:
    from chat.engine.engine import Engine


class FeelingLost(msgspec.Struct, frozen=True):
    """What would be taken back of one feeling, by name."""

    source: str
    target: str
    affinity: int
    trust: int


class Impact(msgspec.Struct, frozen=True):
    """Counts of what stands behind a turn, and how much story time; `events` is everything together.

    `wordings` are earlier turns that were given other words since.
    """

    turns: int = 0
    scenes: int = 0
    memories: int = 0
    pins: int = 0
    edits: int = 0
    wordings: int = 0
    minutes: int = 0
    events: int = 0
    feelings: tuple[FeelingLost, ...] = ()


async def impact(engine: Engine, chat_id: str, turn_id: str) -> Impact:
    """What going back to right after this turn would leave behind. Raises NotFound for a turn not on the line."""
    library = engine.store.library
    if chat_id not in library.chats:
        raise NotFound("There is no such chat.")
    line = library.lineage(chat_id)
    async with engine.store.reading() as reader:
        turn = await views.turn(reader, turn_id)
        if turn is None or turn.chat_id != chat_id or not is_visible(line, turn.branch_id, turn.step):
            raise NotFound("There is no such turn on this line of the story.")
        later = await views.events_of_chat(reader, chat_id, turn.started_event_id or turn.event_id)
    lost = [
        event
        for event in later
        if (event.step or 0) > turn.step and is_visible(line, event.branch_id, event.step)
    ]
    return _counted(lost, library.name_of)


def _counted(lost: list[Event], name_of: Callable[[str], str]) -> Impact:
    kinds: dict[type, int] = defaultdict(int)
    for event in lost:
        kinds[type(event.data)] += 1
    return Impact(
        turns=kinds[UserTurn] + kinds[AssistantTurn],
        scenes=kinds[SceneClosed],
        memories=kinds[MemoryWritten],
        pins=kinds[MemoryPinChanged],
        edits=kinds[ManualEdit],
        wordings=_wordings(lost),
        minutes=_minutes(lost),
        events=len(lost),
        feelings=tuple(_feelings(lost, name_of)),
    )


def _wordings(lost: Iterable[Event]) -> int:
    """Turns that stay and get their earlier words back."""
    made: set[str] = set()
    changed: set[str] = set()
    for event in lost:
        if isinstance(event.data, UserTurn | AssistantTurn):
            made.add(event.data.turn_id)
        elif isinstance(event.data, UserTurnEdit | TurnEdited | TurnContinued):
            changed.add(event.data.turn_id)
    return len(changed - made)


def _minutes(lost: Iterable[Event]) -> int:
    """Story time between the first clock that is left behind and the last."""
    clocks = [event.data for event in lost if isinstance(event.data, ClockAdvanced)]
    if not clocks:
        return 0
    try:
        passed = datetime.fromisoformat(clocks[-1].at) - datetime.fromisoformat(clocks[0].prior)
    except ValueError:
        return 0
    return int(passed.total_seconds() // 60)


def _feelings(lost: Iterable[Event], name_of: Callable[[str], str]) -> list[FeelingLost]:
    sums: dict[tuple[str, str], list[int]] = {}
    for event in lost:
        if isinstance(event.data, EdgeUpdate):
            total = sums.setdefault((event.data.source, event.data.target), [0, 0])
            total[0] += event.data.affinity_delta
            total[1] += event.data.trust_delta
    return [
        FeelingLost(name_of(source), name_of(target), affinity, trust)
        for (source, target), (affinity, trust) in sorted(sums.items())
        if affinity or trust
    ]
