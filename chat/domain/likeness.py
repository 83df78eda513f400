"""Whether two memories say the same, or the same thing anew. Words decide; nothing is understood."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from chat.domain.voices import stem_of

SAME = 0.8
"""Share of all words of both that both have, from which on a second one tells nothing."""
RETOLD = 0.6
"""The same share of one sentence, from which on the later sentence replaces the earlier."""
FEWEST_WORDS = 3

_WORD = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"[.!?…\n]+")


def says_the_same(text: str, other: str) -> bool:
    return _likeness(_words(text), _words(other)) >= SAME


def is_later_telling(text: str, other: str, words: Collection[str]) -> bool:
    """Whether both have a sentence about these words that is nearly the same but not the same."""
    stems = frozenset(map(stem_of, words))
    if not (mine := _about(text, stems)):
        return False
    theirs = _about(other, stems)
    return any(RETOLD <= _likeness(one, two) < 1.0 for one in mine for two in theirs)


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0


@lru_cache(maxsize=512)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


class _Sentence(NamedTuple):
    words: frozenset[str]
    beginnings: str
    """The words behind a blank each, so that a plain search finds one by how it begins."""


@lru_cache(maxsize=512)
def _sentences(text: str) -> tuple[_Sentence, ...]:
    found = (words for words in map(_words, _SENTENCE.split(text)) if len(words) >= FEWEST_WORDS)
    return tuple(_Sentence(words, " " + " ".join(words)) for words in found)


def _about(text: str, stems: frozenset[str]) -> list[frozenset[str]]:
    marks = [f" {stem}" for stem in stems]
    return [one.words for one in _sentences(text) if any(mark in one.beginnings for mark in marks)]
