"""Whether two memories say the same, or the same thing anew. Words decide; nothing is understood."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from chat.domain.voices import stem_of

SAME = 0.8
"""Share of all words of both that both have, from which on a second one tells nothing."""
RETOLD = 0.5
"""The same share of one sentence, from which on the later sentence replaces the earlier."""
FEWEST_WORDS = 3

_WORD = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"[.!?…\n]+")


def says_the_same(text: str, other: str) -> bool:
    return _likeness(_words(text), _words(other)) >= SAME


def is_later_telling(text: str, other: str, words: Collection[str]) -> bool:
    """Whether both have a sentence about these words that is nearly the same but not the same."""
    stems = frozenset(map(stem_of, words))
    mine, theirs = _about(text, stems), _about(other, stems)
    return any(RETOLD <= _likeness(one, two) < 1.0 for one in mine for two in theirs)


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one and other else 0.0


@lru_cache(maxsize=512)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


@lru_cache(maxsize=512)
def _sentences(text: str) -> tuple[frozenset[str], ...]:
    return tuple(words for words in map(_words, _SENTENCE.split(text)) if len(words) >= FEWEST_WORDS)


def _about(text: str, stems: frozenset[str]) -> list[frozenset[str]]:
    return [
        sentence
        for sentence in _sentences(text)
        if any(word.startswith(stem) for stem in stems for word in sentence)
    ]
