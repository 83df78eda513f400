"""What a search brought back for some questions, and how much each find is worth. Knows nothing of how to search.

A word that few memories of a scope hold says much, a common one little. How common a word is, is estimated from how
densely its newest finds lie among the scope's own newest memories, so no search reads a whole posting list.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from itertools import combinations

import msgspec

from chat.domain.questions import Question

PAIRED = 4
LATEST_SHORTLIST = 40
EARLIER_SHORTLIST = 16


class Hits(msgspec.Struct, frozen=True):
    """Event ids of the newest memories that hold a word, newest first; `is_all` when there are no more.

    `older` are some of the others: those that hold another rare word of the question too.
    """

    ids: tuple[int, ...]
    is_all: bool
    older: tuple[int, ...] = ()

    def known(self) -> tuple[int, ...]:
        return self.ids + self.older


class Sample(msgspec.Struct, frozen=True):
    """The newest memories of a scope (a bounded number): how many, their first and last event ids, and the first of
    all the scope's memories."""

    count: int = 0
    oldest: int = 0
    newest: int = 0
    first: int = 0

    @property
    def density(self) -> float:
        """Memories of the scope for each event of its newest stretch."""
        return self.count / (self.newest - self.oldest + 1)

    @property
    def whole(self) -> float:
        """About how many memories the scope has, if all of its time was like its newest stretch."""
        return self.density * (self.newest - self.first + 1)


class Kept(msgspec.Struct, frozen=True, gc=False):
    """What recall looks at of a memory of the shortlist, and the event ids of its owner's memories before and after it
    in its chat."""

    event_id: int
    id: str
    turn_id: str
    scene_id: str
    text: str
    at: str
    significance: int
    pinned: bool
    consolidated: bool
    before: int | None = None
    after: int | None = None


class Evidence(msgspec.Struct, frozen=True):
    """`dated` are memories of the days that were named; `kept` holds the shortlists and their neighbours.

    `listed` has the shortlist of each question, in their order; without them every question looks at all that is kept.
    """

    sample: Sample
    hits: dict[str, Hits]
    dated: tuple[int, ...] = ()
    kept: dict[int, Kept] = {}
    listed: tuple[tuple[int, ...], ...] = ()

    def about(self, number: int) -> Evidence:
        """What one question has to look at: an earlier entry, which has little to say, only its own shortlist."""
        if not number or len(self.listed) <= number:
            return self
        own = [one for one in self.listed[number] if one in self.kept]
        around = (near for one in own for near in (self.kept[one].before, self.kept[one].after))
        near = {one: self.kept[one] for one in (*own, *around) if one is not None and one in self.kept}
        return msgspec.structs.replace(self, kept=near)

    def rarity(self, word: str) -> float:
        """The inverse document frequency of BM25, from the estimate of how many memories hold the word."""
        hits, sample = self.hits[word], self.sample
        holding = float(len(hits.ids))
        count = max(sample.whole, holding)
        if not hits.is_all and sample.density:
            among_newest = holding / (sample.newest - hits.ids[-1] + 1)
            holding = min(max(holding, count * among_newest / sample.density), count)
        return math.log(1 + (count - holding + 0.5) / (holding + 0.5))


def pairs(question: Question, evidence: Evidence) -> list[tuple[str, str]]:
    """Pairs of the rarest words of which only the newest finds are known: what holds both is worth looking for."""
    open_ended = [word for word in question.words if not evidence.hits[word].is_all]
    rarest = sorted(open_ended, key=lambda word: -question.words[word] * evidence.rarity(word))[:PAIRED]
    return list(combinations(rarest, 2))


def shortlists(
    questions: Sequence[Question], evidence: Evidence, hidden: Iterable[int]
) -> tuple[tuple[int, ...], ...]:
    """The memories worth reading: for each question those with the most rare words, newer first among equals."""
    unwanted = frozenset(hidden)
    chosen: list[tuple[int, ...]] = []
    for number, question in enumerate(questions):
        worth: dict[int, float] = dict.fromkeys(evidence.dated, 1.0) if question.spans else {}
        known = worth.get
        for word, weight in question.words.items():
            hits, rarity = evidence.hits[word], weight * evidence.rarity(word)
            for event_id in hits.known():
                worth[event_id] = known(event_id, 0.0) + rarity
        for event_id in unwanted & worth.keys():
            del worth[event_id]
        chosen.append(_best(worth, EARLIER_SHORTLIST if number else LATEST_SHORTLIST))
    return tuple(chosen)


def _best(worth: dict[int, float], size: int) -> tuple[int, ...]:
    """Those worth most. Only what is worth at least as much as the last of them is put in order, for there are many."""
    able: Iterable[int] = worth
    if len(worth) > size:
        least = heapq.nlargest(size, worth.values())[-1]
        able = [one for one, value in worth.items() if value >= least]
    return tuple(sorted(able, key=lambda one: (worth[one], one), reverse=True)[:size])
