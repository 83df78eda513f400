"""What a search brought back for some questions, and how much each find is worth. Knows nothing of how to search.

A word that few memories of a scope hold says much, a common one little. How common a word is, is estimated from how
densely its newest finds lie among the scope's own newest memories, so no search reads a whole posting list.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from chat.domain.memories import Memory
from chat.domain.questions import Question

LATEST_SHORTLIST = 64
EARLIER_SHORTLIST = 16


class Hits(msgspec.Struct, frozen=True):
    """Event ids of the newest memories that hold a word, newest first; `is_all` when there are no more."""

    ids: tuple[int, ...]
    is_all: bool


class Sample(msgspec.Struct, frozen=True):
    """The newest memories of a scope (a bounded number): how many, and their first and last event ids."""

    count: int = 0
    oldest: int = 0
    newest: int = 0


class Kept(msgspec.Struct, frozen=True):
    """A memory of the shortlist, with the event ids of its owner's memories before and after it in its chat."""

    memory: Memory
    before: int | None = None
    after: int | None = None


class Evidence(msgspec.Struct, frozen=True):
    """`dated` are memories of the days that were named; `kept` holds the shortlist and its neighbours."""

    sample: Sample
    hits: dict[str, Hits]
    dated: tuple[int, ...] = ()
    kept: dict[int, Kept] = {}

    def rarity(self, word: str) -> float:
        """The inverse document frequency of BM25, from the estimate of how many memories hold the word."""
        hits, sample = self.hits[word], self.sample
        count = max(sample.count, len(hits.ids))
        holding = float(len(hits.ids))
        if not hits.is_all and sample.newest > hits.ids[-1]:
            density = holding / (sample.newest - hits.ids[-1])
            usual = sample.count / max(sample.newest - sample.oldest, 1)
            holding = min(max(holding, count * density / usual), count)
        return math.log(1 + (count - holding + 0.5) / (holding + 0.5))


def shortlist(questions: Sequence[Question], evidence: Evidence, hidden: Iterable[int]) -> list[int]:
    """The memories worth reading: for each question those with the most rare words, newer first among equals."""
    unwanted = frozenset(hidden)
    chosen: dict[int, None] = {}
    for number, question in enumerate(questions):
        worth: dict[int, float] = dict.fromkeys(evidence.dated, 1.0) if question.spans else {}
        for word, weight in question.words.items():
            rarity = weight * evidence.rarity(word)
            for event_id in evidence.hits[word].ids:
                worth[event_id] = worth.get(event_id, 0.0) + rarity
        size = EARLIER_SHORTLIST if number else LATEST_SHORTLIST
        best = sorted((one for one in worth if one not in unwanted), key=lambda one: (worth[one], one))
        chosen.update(dict.fromkeys(best[-size:]))
    return list(chosen)
