"""From what a classifier says changed in an exchange to events, with everything it could not have known dropped.

An answer is a suggestion: an item that cites a segment its owner did not witness is dropped, and so is one about people
who are not there. What everybody there can see (a doing, where the story goes on) must come from what everybody there
witnessed. Late answers (the story has gone on) change feelings, facts and significance, and nothing of the present.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from chat.domain.edges import FACTS_KEPT
from chat.domain.events import (
    ActivityChange,
    ClockAdvanced,
    DigestFinished,
    EdgeUpdate,
    MemoryKeyed,
    MemorySignificanceSet,
    StoryPayload,
    WeatherChanged,
)
from chat.domain.memories import SIGNIFICANCE_MAX, Memory
from chat.domain.people import is_you
from chat.domain.pins import pins_after
from chat.domain.segments import Segment
from chat.domain.turns import Turn
from chat.domain.witness import UNHEARD, readable, witnesses
from chat.domain.world import World

DELTA_MAX = 10
ITEMS_MAX = 12
REASON_CHARS = 240
FACT_CHARS = 240
MINUTES_MAX = 7 * 24 * 60


class Line(msgspec.Struct, frozen=True):
    """One segment of the exchange as the classifier sees it; `number` is what it cites."""

    number: int
    turn: Turn
    segment: Segment

    @property
    def ears(self) -> frozenset[str]:
        """Those who witnessed it."""
        return witnesses(self.segment, self.turn.speaker, self.turn.present)


class FeelingItem(msgspec.Struct, frozen=True):
    source: str
    target: str
    affinity: int
    trust: int
    reason: str
    cites: tuple[int, ...]


class FactItem(msgspec.Struct, frozen=True):
    """Something `owner` learned about `about`."""

    owner: str
    about: str
    text: str
    cites: tuple[int, ...]


class ActivityItem(msgspec.Struct, frozen=True):
    who: str
    posture: str
    action: str
    holding: tuple[str, ...]
    attention: str
    cites: tuple[int, ...]


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with names already turned into entity ids (an unknown name is an empty id)."""

    feelings: tuple[FeelingItem, ...] = ()
    facts: tuple[FactItem, ...] = ()
    activities: tuple[ActivityItem, ...] = ()
    minutes: int = 0
    minutes_cites: tuple[int, ...] = ()
    weather: str = ""
    weather_cites: tuple[int, ...] = ()
    significance: int = 1


class Applied(msgspec.Struct, frozen=True):
    events: list[StoryPayload]
    dropped: tuple[str, ...]


def lines_of(exchange: Sequence[Turn]) -> list[Line]:
    """The segments a classifier may read: no asides, thoughts or directions, numbered from 1 through the exchange."""
    shown = [
        (turn, segment)
        for turn in exchange
        for segment in turn.segments
        if segment.kind not in (*UNHEARD, "thought") and readable(segment).strip()
    ]
    return [Line(number, turn, segment) for number, (turn, segment) in enumerate(shown, 1)]


def witnessed_by(everyone: Iterable[str], lines: Iterable[Line], cites: Iterable[int]) -> bool:
    """Whether each of them witnessed every line that is cited, and at least one is."""
    cited = [line.ears for line in lines if line.number in set(cites)]
    return bool(cited) and all(one in ears for one in everyone for ears in cited)


def apply(
    world: World, exchange: Sequence[Turn], memories: Sequence[Memory], digest: Digest, *, is_tip: bool
) -> Applied:
    """The events of a digest at its own turn's step. `memories` are those written with the reply."""
    check = _Check(lines_of(exchange), world.state.present if is_tip else _present(exchange))
    reply = exchange[-1]
    events: list[StoryPayload] = [
        *_feelings(world, check, digest, reply.id),
        *_significance(world, memories, digest, reply),
        *_keys(memories, check.facts),
    ]
    if is_tip:
        events += [*_activities(world, check, digest), *_passing_time(world, check, digest)]
    elif digest.activities or digest.minutes or digest.weather:
        check.dropped.append("what would have moved the present: the story had gone on already")
    return Applied(events, tuple(check.dropped))


def finished(
    turn_id: str,
    outcome: str,
    dropped: Sequence[str],
    quarantine_ids: Sequence[str],
    *,
    continued: bool = False,
) -> DigestFinished:
    told = tuple(reason[:REASON_CHARS] for reason in dropped[:ITEMS_MAX])
    return DigestFinished(
        turn_id=turn_id,
        outcome=outcome,
        dropped=told,
        quarantine_ids=tuple(quarantine_ids),
        continued=continued,
    )


class _Check:
    """Decides item by item whether its owner could know it, and remembers why one was dropped."""

    def __init__(self, lines: Sequence[Line], present: Sequence[str]) -> None:
        self._lines = {line.number: line for line in lines}
        self._present = present
        self.dropped: list[str] = []
        self.facts: list[FactItem] = []

    def allows(self, what: str, owner: str, others: Iterable[str], cites: Sequence[int]) -> bool:
        problem = self._problem(owner, others, cites)
        if not problem and not witnessed_by([owner], self._lines.values(), cites):
            problem = "its owner did not witness what it cites"
        return self._note(what, problem)

    def allows_seen(self, what: str, owner: str, cites: Sequence[int]) -> bool:
        """For what everybody there sees: nobody may learn from it what was kept from them."""
        return self._note(what, self._problem(owner, (), cites) or self._unseen_by_all(cites))

    def allows_told(self, what: str, cites: Sequence[int]) -> bool:
        """For what is nobody's and gives nothing away: some line of the exchange says it."""
        return self._note(what, self._problem_of(cites))

    def allows_around(self, what: str, cites: Sequence[int]) -> bool:
        """For what surrounds everybody there."""
        return self._note(what, self._problem_of(cites) or self._unseen_by_all(cites))

    def _note(self, what: str, problem: str) -> bool:
        if problem:
            self.dropped.append(f"{what}: {problem}")
        return not problem

    def _problem(self, owner: str, others: Iterable[str], cites: Sequence[int]) -> str:
        if any(one not in self._present for one in (owner, *others)):
            return "it names somebody who is not there"
        return self._problem_of(cites)

    def _unseen_by_all(self, cites: Sequence[int]) -> str:
        is_seen = witnessed_by(self._present, self._lines.values(), cites)
        return "" if is_seen else "not everybody there witnessed what it cites"

    def _problem_of(self, cites: Sequence[int]) -> str:
        if not cites or any(number not in self._lines for number in cites):
            return "it cites nothing that was said or done"
        return ""


def _present(exchange: Sequence[Turn]) -> tuple[str, ...]:
    return exchange[-1].present


def _feelings(world: World, check: _Check, digest: Digest, turn_id: str) -> list[StoryPayload]:
    """One update for each changed pair; facts go with the pair of who learned and whom it is about."""
    pairs: dict[tuple[str, str], FeelingItem] = {}
    for item in digest.feelings[:ITEMS_MAX]:
        moved = (item.affinity or item.trust) and item.source != item.target
        if moved and check.allows("a feeling", item.source, [item.target], item.cites):
            pairs.setdefault((item.source, item.target), item)
    facts: dict[tuple[str, str], list[str]] = {}
    for fact in digest.facts[:ITEMS_MAX]:
        about = fact.about if fact.about != fact.owner else ""
        if fact.text.strip() and check.allows("a fact", fact.owner, [about] if about else [], fact.cites):
            check.facts.append(fact)
            if about:
                facts.setdefault((fact.owner, about), []).append(fact.text.strip()[:FACT_CHARS])
    return [
        update
        for pair in sorted({*pairs, *facts})
        if (update := _update(world, pair, pairs.get(pair), facts.get(pair, []), turn_id))
    ]


def _update(
    world: World, pair: tuple[str, str], item: FeelingItem | None, facts: list[str], turn_id: str
) -> EdgeUpdate | None:
    fixed = world.state.fixed
    name = f"edge:{pair[0]}>{pair[1]}"
    affinity = 0 if item is None or f"{name}:affinity" in fixed else _delta(item.affinity)
    trust = 0 if item is None or f"{name}:trust" in fixed else _delta(item.trust)
    known = world.edge(*pair).facts
    new = (
        () if f"{name}:facts" in fixed else tuple(fact for fact in dict.fromkeys(facts) if fact not in known)
    )
    if not (affinity or trust or new):
        return None
    reason = item.reason.strip()[:REASON_CHARS] if item else ""
    return EdgeUpdate(
        source=pair[0],
        target=pair[1],
        affinity_delta=affinity,
        trust_delta=trust,
        reason=reason or "learned something",
        turn_id=turn_id,
        facts=new[:FACTS_KEPT],
    )


def _delta(value: int) -> int:
    return max(-DELTA_MAX, min(DELTA_MAX, value))


def _significance(
    world: World, memories: Sequence[Memory], digest: Digest, reply: Turn
) -> list[StoryPayload]:
    """Significance for each memory of the reply, and the pins that follow from it."""
    value = max(0, min(SIGNIFICANCE_MAX, digest.significance))
    events: list[StoryPayload] = []
    for memory in memories:
        if f"memory:{memory.id}:significance" in world.state.fixed or memory.significance == value:
            continue
        events.append(
            MemorySignificanceSet(memory_id=memory.id, significance=value, prior=memory.significance)
        )
        if value == SIGNIFICANCE_MAX:
            events += pins_after(world, memory.owner, memory.id)
    return events


def _keys(memories: Sequence[Memory], facts: Sequence[FactItem]) -> list[StoryPayload]:
    """Facts as search keys of the memory of whoever learned them."""
    keyed = []
    for memory in memories:
        learned = (fact.text.strip()[:FACT_CHARS] for fact in facts if fact.owner == memory.owner)
        keys = tuple(dict.fromkeys((*memory.keys, *learned)))
        if keys != memory.keys:
            keyed.append(MemoryKeyed(memory_id=memory.id, keys=keys))
    return [*keyed]


def _activities(world: World, check: _Check, digest: Digest) -> list[StoryPayload]:
    changes: dict[str, ActivityChange] = {}
    for item in digest.activities[:ITEMS_MAX]:
        known = world.activities.get(item.who)
        if known is None or not check.allows_seen("an activity", item.who, item.cites):
            continue
        said = {
            "posture": item.posture,
            "action": item.action,
            "holding": item.holding,
            "attention": item.attention,
        }
        free = {
            name: value
            for name, value in said.items()
            if f"activity:{item.who}:{name}" not in world.state.fixed
        }
        values = {name: getattr(known, name) for name in _ACTIVITY_FIELDS} | free
        if any(getattr(known, name) != value for name, value in values.items()):
            changes[item.who] = ActivityChange(
                entity=item.who, container_id=known.container_id, prior_action=known.action, **values
            )
    return list(changes.values())


_ACTIVITY_FIELDS = (
    "slot",
    "posture",
    "action",
    "attention",
    "holding",
    "status",
    "is_interruptible",
    "required_attention",
    "expected_minutes",
)


def _passing_time(world: World, check: _Check, digest: Digest) -> list[StoryPayload]:
    state = world.state
    events: list[StoryPayload] = []
    minutes = max(0, min(MINUTES_MAX, digest.minutes))
    if minutes and check.allows_told("the time that passed", digest.minutes_cites):
        at = "" if "clock" in state.fixed else later(state.clock_at, minutes)
        events += [ClockAdvanced(at=at, prior=state.clock_at, reason="digest")] if at else []
    weather = digest.weather.strip()[:80]
    if weather and weather != state.weather and check.allows_around("the weather", digest.weather_cites):
        fixed = "weather" in state.fixed
        events += [] if fixed else [WeatherChanged(weather=weather, prior=state.weather)]
    return events


def later(at: str, minutes: int) -> str:
    """Story time moved on; empty when there is no clock or it would leave the calendar."""
    try:
        moment = datetime.fromisoformat(at) + timedelta(minutes=minutes)
    except (ValueError, OverflowError):
        return ""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def owners_present(world: World) -> list[str]:
    """The bots in the scene, in a fixed order."""
    return sorted(one for one in world.state.present if not is_you(one))


NameOf = Callable[[str], str]
