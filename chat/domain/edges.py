"""Feelings: directed edges from one entity of a chat to another, with values, facts and the reason of each change.

The value is folded from the deltas in order and clamped at each step, so it never depends on an inverse.
"""

from __future__ import annotations

import msgspec

from chat.domain.events import EdgeSeeded, EdgeUpdate, Event
from chat.domain.records import Record

NEUTRAL = 50
FACTS_KEPT = 40


class Edge(Record, frozen=True):
    table = "edges"
    key = ("chat_id", "source", "target")
    chat_id: str
    source: str
    target: str
    affinity: int = NEUTRAL
    trust: int = NEUTRAL
    summary: str = ""
    facts: tuple[str, ...] = ()
    last_reason: str = ""
    last_turn_id: str | None = None
    from_chat_id: str | None = None
    last_at: str = ""
    revision: int = 0


class EdgeChange(Record, frozen=True):
    """One change of an edge, for as long as its turn is on the visible line; `*_prior` is what it was before."""

    table = "edge_changes"
    key = ("event_id",)
    event_id: int
    chat_id: str
    source: str
    target: str
    affinity_delta: int
    trust_delta: int
    affinity: int
    trust: int
    reason: str
    turn_id: str
    affinity_prior: int = NEUTRAL
    trust_prior: int = NEUTRAL


def clamp(value: int) -> int:
    return max(0, min(100, value))


def seeded(chat_id: str, event: Event, data: EdgeSeeded) -> Edge:
    return Edge(
        chat_id=chat_id,
        source=data.source,
        target=data.target,
        affinity=clamp(data.affinity),
        trust=clamp(data.trust),
        summary=data.summary,
        facts=data.facts,
        from_chat_id=data.from_chat_id,
        last_at=event.ts,
        revision=event.id,
    )


def updated(edge: Edge, event: Event, data: EdgeUpdate) -> tuple[Edge, EdgeChange]:
    """The edge after a change, facts appended once, and the row that remembers the change."""
    new_facts = tuple(fact for fact in data.facts if fact not in edge.facts)
    after = msgspec.structs.replace(
        edge,
        affinity=clamp(edge.affinity + data.affinity_delta),
        trust=clamp(edge.trust + data.trust_delta),
        facts=(edge.facts + new_facts)[-FACTS_KEPT:],
        last_reason=data.reason,
        last_turn_id=data.turn_id,
        last_at=event.ts,
        revision=event.id,
    )
    change = EdgeChange(
        event_id=event.id,
        chat_id=edge.chat_id,
        source=edge.source,
        target=edge.target,
        affinity_delta=data.affinity_delta,
        trust_delta=data.trust_delta,
        affinity=after.affinity,
        trust=after.trust,
        reason=data.reason,
        turn_id=data.turn_id,
        affinity_prior=edge.affinity,
        trust_prior=edge.trust,
    )
    return after, change
