"""What going somewhere in a story would leave behind, counted before it is done. Reading only.

Costs what lies between here and there, not the story.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from chat.domain.edge_history import Felt, Ways, felt_there, told_anew
from chat.domain.edges import EdgeChange
from chat.domain.events import (
    AssistantTurn,
    BotReset,
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
from chat.domain.lineage import Lineage, branch_at, is_visible, lineage_of
from chat.domain.world import World
from chat.errors import NotFound
from chat.store import views
from chat.store.reading import Reader

if TYPE_CHECKING:
    from chat.engine.engine import Engine


class FeelingLost(msgspec.Struct, frozen=True):
    """What would be taken back of one feeling, by name."""

    source: str
    target: str
    affinity: int
    trust: int


class Impact(msgspec.Struct, frozen=True):
    """Counts of what stands between here and a moment, and how much story time; `events` is everything that goes.

    `returning` counts the turns that come back, where the moment lies on another branch; `wordings` are earlier turns
    that were given other words since.
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
    returning: int = 0


_OF_EVENTS = "where event_id in (select value from json_each(?))"


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
    return await impact_at(engine, chat_id, turn.branch_id, turn.step)


async def impact_at(engine: Engine, chat_id: str, branch_id: str, step: int) -> Impact:
    """What going to right after a step of any branch of this chat would change. Raises NotFound."""
    library = engine.store.library
    branch = library.branches.get(branch_id)
    if chat_id not in library.chats or branch is None or branch.chat_id != chat_id:
        raise NotFound("There is no such moment in this chat.")
    now = library.lineage(chat_id)
    there = tuple((one, min(cut, step)) for one, cut in lineage_of(library.branches, branch_id))
    async with engine.store.reading() as reader:
        later = await views.events_of_chat(
            reader, chat_id, await _parting(reader, engine, chat_id, now, there)
        )
        world = await views.world(reader, chat_id)
        ways = _ways(later, now, there)
        changes = await reader.records(EdgeChange, _OF_EVENTS, (_ids(ways.lost),))
        begun_anew = [one for one in (*ways.lost, *ways.returning) if isinstance(one.data, BotReset)]
        whole = await views.events_of_chat(reader, chat_id, 0) if begun_anew else []
    visible = [event for event in whole if is_visible(there, event.branch_id, event.step)]
    felt = told_anew(world, visible) if visible else felt_there(ways, world, changes)
    return msgspec.structs.replace(
        _counted(ways.lost),
        minutes=_minutes(world.state.clock_at, _clock_there(ways, world.state.clock_at)),
        feelings=tuple(_differences(world, felt, library.name_of)),
        returning=sum(isinstance(event.data, UserTurn | AssistantTurn) for event in ways.returning),
    )


async def _parting(reader: Reader, engine: Engine, chat_id: str, now: Lineage, there: Lineage) -> int:
    """An event on both lines with everything that only one of them has behind it."""
    cuts = dict(there)
    step = next((min(cut, cuts[one]) for one, cut in now if one in cuts), 0)
    branches = engine.store.library.branches
    said = await views.said_at(reader, chat_id, branches, branch_at(now, step), step)
    turn = await views.turn(reader, said.turn_id) if said else None
    return (turn.started_event_id or turn.event_id) if turn else 0


def _ways(later: Sequence[Event], now: Lineage, there: Lineage) -> Ways:
    ways, cuts, cuts_there = Ways([], [], []), dict(now), dict(there)
    for event in later:
        step = event.step or 0
        is_now = step <= cuts.get(event.branch_id or "", -1)
        is_there = step <= cuts_there.get(event.branch_id or "", -1)
        if is_there:
            (ways.kept if is_now else ways.returning).append(event)
        elif is_now:
            ways.lost.append(event)
    return ways


def _ids(lost: Sequence[Event]) -> str:
    """The first change of each feeling among these, as a list for a statement."""
    first: dict[tuple[str, str], int] = {}
    for event in lost:
        if isinstance(event.data, EdgeUpdate):
            first.setdefault((event.data.source, event.data.target), event.id)
    return msgspec.json.encode(list(first.values())).decode()


def _counted(lost: Sequence[Event]) -> Impact:
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
        events=len(lost),
    )


def _wordings(lost: Sequence[Event]) -> int:
    """Turns that stay and get their earlier words back."""
    made: set[str] = set()
    changed: set[str] = set()
    for event in lost:
        if isinstance(event.data, UserTurn | AssistantTurn):
            made.add(event.data.turn_id)
        elif isinstance(event.data, UserTurnEdit | TurnEdited | TurnContinued):
            changed.add(event.data.turn_id)
    return len(changed - made)


def _clock_there(ways: Ways, now: str) -> str:
    """The clock of the moment: as it was before the first change that goes, then what comes back."""
    at = next((prior for event in ways.lost if (prior := _clock(event.data)[0])), now)
    return next((to for event in reversed(ways.returning) if (to := _clock(event.data)[1])), at)


def _clock(data: object) -> tuple[str, str]:
    """What an event moved the clock from and to; empty when it left it alone."""
    if isinstance(data, ClockAdvanced):
        return data.prior, data.at
    if isinstance(data, ManualEdit) and data.what == "clock":
        return str(data.prior.get("at", "")), str(data.values.get("at", ""))
    return "", ""


def _minutes(now: str, there: str) -> int:
    """How far the clock goes back; below zero when it goes forward."""
    try:
        passed = datetime.fromisoformat(now) - datetime.fromisoformat(there)
    except (ValueError, TypeError):
        return 0
    return int(passed.total_seconds() // 60)


def _differences(world: World, there: Felt, name_of: Callable[[str], str]) -> Iterator[FeelingLost]:
    """By how much each feeling differs here and there."""
    for (source, target), (affinity, trust) in sorted(there.items()):
        edge = world.edge(source, target)
        if (edge.affinity, edge.trust) != (affinity, trust):
            yield FeelingLost(name_of(source), name_of(target), edge.affinity - affinity, edge.trust - trust)
