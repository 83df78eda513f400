"""Recall: which memories belong in the next prompt, and why.

Each recent entry is searched apart and the rankings are fused by rank, the newest entry heaviest, because one query
over everything recent drowns in chatter. Names are not keywords. Words are quoted here, so no text can become an
operator of the search language. Reciprocal rank fusion: score = sum of weight / (RANK_OFFSET + rank).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

TERMS_MAX = 24
RANK_OFFSET = 60
LATEST_WEIGHT = 1.0
EARLIER_WEIGHT = 0.3
SIGNIFICANCE_WEIGHT = 0.001

_WORD = re.compile(r"[^\W_]+")
_COMMON_TEXT = """
a about after again all also am an and any are as at be because been before being but by can could did do does doing
don down for from get got had has have having he her here hers him his how i if in into is isn it its just let like
ll me more my no not now of off oh on one or our out over own re said say she should so some something such t than
that the their them then there these they this those to too up us ve very was we well were what when where which
while who why will with would yes you your yours s d m
"""
_COMMON = frozenset(_COMMON_TEXT.split())


class Found(msgspec.Struct, frozen=True):
    """A memory a search brought back; `score` after fusion, `why` in words for the player."""

    memory_id: str
    turn_id: str
    text: str
    significance: int
    score: float = 0.0
    why: str = ""


def terms(text: str, names: Iterable[str] = ()) -> list[str]:
    """The words worth searching for, each once, in order: no common words, no names, at most TERMS_MAX."""
    unwanted = {part.casefold() for name in names for part in _WORD.findall(name)} | _COMMON
    words = dict.fromkeys(word.casefold()[:64] for word in _WORD.findall(text[:8000]))
    return [word for word in words if word not in unwanted and len(word) > 1][:TERMS_MAX]


def any_of(words: Sequence[str]) -> str:
    """The words as an FTS5 expression that matches any of them, each quoted so that none is an operator."""
    return " OR ".join('"' + word.replace('"', '""') + '"' for word in words)


def fuse(rankings: Sequence[tuple[float, Sequence[str], Sequence[Found]]], count: int) -> list[Found]:
    """The best `count` memories of several (weight, words, ranked memories), best first; newer first among equals."""
    scores: dict[str, float] = {}
    found: dict[str, Found] = {}
    reasons: dict[str, dict[str, None]] = {}
    for weight, words, ranked in rankings:
        for rank, memory in enumerate(ranked):
            scores[memory.memory_id] = scores.get(memory.memory_id, 0.0) + weight / (RANK_OFFSET + rank)
            found[memory.memory_id] = memory
            text = memory.text.casefold()
            reasons.setdefault(memory.memory_id, {}).update(
                dict.fromkeys(word for word in words if word in text)
            )
    for memory_id, memory in found.items():
        scores[memory_id] += SIGNIFICANCE_WEIGHT * memory.significance
    best = sorted(found, key=lambda memory_id: (scores[memory_id], memory_id), reverse=True)[:count]
    return [
        msgspec.structs.replace(found[one], score=round(scores[one], 6), why=_because(list(reasons[one])))
        for one in best
    ]


def _because(words: Sequence[str]) -> str:
    return f"mentions {', '.join(words[:4])}" if words else "close to what was just said"
