"""Whether two memories say the same, or the same thing anew. Words decide; nothing is understood."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from chat.domain.voices import mark_of

SAME = 0.8
"""Share of all words of both that both have, from which on a second one tells nothing."""
RETOLD = 0.6
"""The same share of one sentence, from which on the later sentence replaces the earlier."""
FEWEST_WORDS = 3

_GAP = re.compile(r"[\W_]+")
_SENTENCE = re.compile(r"[.!?…\n]+")
_GAPS = {code: " " for code in range(128) if not chr(code).isalnum()}
_ENDS = _GAPS | {ord(end): "\n" for end in ".!?\n"}
"""The same two for plain letters, where they take a tenth of the time."""
_KEPT = 256

_Words = frozenset[str]


class _Sentence(NamedTuple):
    """`about` has the bit of each word of the question that stands in it."""

    words: _Words
    about: int


def says_the_same(text: str, other: str) -> bool:
    return _likeness(_words(text), _words(other)) >= SAME


class Told(NamedTuple):
    """A memory, and the words of a question that were found in it."""

    text: str
    words: Collection[str]


class Tellings:
    """Compares memories for one question, by their numbers. What each tells about its words is looked up once."""

    def __init__(self, told: Mapping[int, Told]) -> None:
        self._told = told
        self._bits: dict[str, int] = {}
        self._known: dict[int, tuple[int, list[_Sentence]]] = {}

    def is_later(self, number: int, before: int) -> bool:
        """Whether both have a sentence about the same words that is nearly the same but not the same."""
        shared, mine = self._about(number)
        others, theirs = self._about(before)
        shared &= others
        if not shared:
            return False
        same = [two.words for two in theirs if two.about & shared]
        return any(_is_told_anew(one.words, same) for one in mine if one.about & shared)

    def _about(self, number: int) -> tuple[int, list[_Sentence]]:
        """The words as bits, and the sentences that hold one of them."""
        known = self._known.get(number)
        if known is None:
            told, found, whole = self._told[number], [], 0
            marks = [
                (mark_of(word), self._bits.setdefault(word, 1 << len(self._bits))) for word in told.words
            ]
            for one in _sentences(told.text):
                about = 0
                for mark, bit in marks:
                    if mark in one:
                        about |= bit
                if about and len(words := frozenset(one.split())) >= FEWEST_WORDS:
                    found.append(_Sentence(words, about))
                    whole |= about
            known = self._known[number] = (whole, found)
        return known


def forget() -> None:
    """No text of a memory stays here."""
    _words.cache_clear()
    _sentences.cache_clear()


def _is_told_anew(one: _Words, others: Iterable[_Words]) -> bool:
    size = len(one)
    for two in others:
        both = len(one & two)
        if RETOLD <= both / (size + len(two) - both) < 1.0:
            return True
    return False


def _likeness(one: _Words, other: _Words) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0


@lru_cache(maxsize=_KEPT)
def _words(text: str) -> _Words:
    return frozenset(_plain(text.casefold()).split())


@lru_cache(maxsize=_KEPT)
def _sentences(text: str) -> tuple[str, ...]:
    """Each with a blank before every word, so that a plain search finds one by how it begins."""
    folded = text.casefold()
    if folded.isascii():
        return tuple(f" {one}" for one in folded.translate(_ENDS).split("\n") if one)
    return tuple(f" {_plain(one)}" for one in _SENTENCE.split(folded) if one)


def _plain(text: str) -> str:
    return text.translate(_GAPS) if text.isascii() else _GAP.sub(" ", text)
