"""What feelings are at another moment of a story, told from the events that lie between here and there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from chat.domain.edges import NEUTRAL, EdgeChange, clamp
from chat.domain.events import BotReset, EdgeSeeded, EdgeUpdate, Event, ManualEdit
from chat.domain.world import World

Pair = tuple[str, str]
"""Who feels, and toward whom."""
Felt = dict[Pair, tuple[int, int]]
"""Affinity and trust."""


class Ways(NamedTuple):
    """Events since the ways part, in order: those that go, those that stay (late ones), those that come back."""

    lost: list[Event]
    kept: list[Event]
    returning: list[Event]


def felt_there(ways: Ways, world: World, changes: Iterable[EdgeChange]) -> Felt:
    """The feelings that may differ, as they are there. `changes` are the rows of the first changes that go."""
    priors = {one.event_id: one for one in changes}
    pairs = {pair for event in (*ways.lost, *ways.returning) if (pair := pair_of(event.data))}
    now = {pair: world.edge(*pair) for pair in pairs}
    return {
        pair: (
            _value_there(ways, pair, "affinity", edge.affinity, priors),
            _value_there(ways, pair, "trust", edge.trust, priors),
        )
        for pair, edge in now.items()
    }


def told_anew(world: World, visible: Sequence[Event]) -> Felt:
    """The same from the first word on: where a bot began anew on the way, nothing else says what it felt before."""
    pairs = {*world.edges, *(pair for event in visible if (pair := pair_of(event.data)))}
    return {pair: (_told(visible, pair, "affinity"), _told(visible, pair, "trust")) for pair in pairs}


def _told(visible: Sequence[Event], pair: Pair, field: str) -> int:
    """A feeling from the first word on; what comes late for a time before a reset is forgotten too."""
    value, since = NEUTRAL, 0
    for event in visible:
        if isinstance(event.data, BotReset) and event.data.bot_id == pair[0]:
            value, since = NEUTRAL, event.step or 0
        elif pair_of(event.data) == pair and _touches(event.data, field) and (event.step or 0) >= since:
            value = _after(event.data, field, value)
    return value


def _value_there(ways: Ways, pair: Pair, field: str, now: int, priors: Mapping[int, EdgeChange]) -> int:
    """A feeling at the moment: as it was before the first change that goes, then all that holds there, in order."""

    def about(events: Sequence[Event]) -> list[Event]:
        return [event for event in events if pair_of(event.data) == pair and _touches(event.data, field)]

    lost, again = about(ways.lost), about(ways.returning)
    if lost:
        now = _before(lost[0], field, priors)
        again = sorted([*again, *(event for event in about(ways.kept) if event.id > lost[0].id)], key=_by_id)
    for event in again:
        now = _after(event.data, field, now)
    return now


def _by_id(event: Event) -> int:
    return event.id


def pair_of(data: object) -> Pair | None:
    if isinstance(data, EdgeUpdate | EdgeSeeded):
        return data.source, data.target
    if isinstance(data, ManualEdit) and data.what == "edge":
        source, _, target = data.target.partition(">")
        return source, target
    return None


def _touches(data: object, field: str) -> bool:
    return not isinstance(data, ManualEdit) or field in data.values


def _before(event: Event, field: str, priors: Mapping[int, EdgeChange]) -> int:
    if isinstance(event.data, ManualEdit):
        return int(event.data.prior[field])
    known = priors.get(event.id)
    return int(getattr(known, f"{field}_prior")) if known else NEUTRAL


def _after(data: object, field: str, value: int) -> int:
    if isinstance(data, EdgeUpdate):
        return clamp(value + int(getattr(data, f"{field}_delta")))
    if isinstance(data, EdgeSeeded):
        return clamp(int(getattr(data, field)))
    return int(data.values[field]) if isinstance(data, ManualEdit) else value
