"""Who says which words of a memory. A memory's lines begin with the name of who speaks, as memories are written.

Words are compared by their beginnings, because a search that found "camped" for "camping" does not say where.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Protocol

import msgspec

_GAP = re.compile(r"\W+")
_GAPS = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}
"""The same for plain letters, where it takes a tenth of the time."""
_KEPT = 512


class Remembered(Protocol):
    """A memory, as far as its words go."""

    @property
    def event_id(self) -> int: ...

    @property
    def text(self) -> str: ...


class _Line(msgspec.Struct, frozen=True):
    speaker: str
    words: str


class _Read(msgspec.Struct, frozen=True):
    """A memory taken apart; `words` are those of all its lines, without who says them."""

    lines: tuple[_Line, ...]
    words: str


class Voices:
    """Reads memories for one recall."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.casefold() for name in names)
        self._known: dict[int, _Read] = {}

    def of(self, memories: Iterable[Remembered]) -> list[tuple[int, str]]:
        """The event id of each memory and its words, for `times`."""
        return [(one.event_id, self._read(one).words) for one in memories]

    def share(self, memory: Remembered, named: Collection[str], words: dict[str, float]) -> float:
        """How much of what was found in a memory, by the weights of the words, those who were named said; 0 to 1.

        Without words: how many of its lines.
        """
        lines = self._read(memory).lines
        theirs = [line for line in lines if line.speaker in named]
        if not theirs or len(theirs) == len(lines):
            return float(bool(theirs))
        whole = own = 0.0
        for word, weight in words.items():
            mark = mark_of(word)
            counts = sum(mark in line.words for line in lines)
            said = sum(mark in line.words for line in theirs)
            whole += weight
            own += weight * (said / counts if counts else len(theirs) / len(lines))
        return own / whole if whole else len(theirs) / len(lines)

    def _read(self, memory: Remembered) -> _Read:
        known = self._known.get(memory.event_id)
        if known is None:
            known = self._known[memory.event_id] = _read(memory.text, self._names)
        return known


def times(read: Iterable[tuple[int, str]], word: str) -> dict[int, int]:
    """How often a word, or another form of it, stands in each of the memories in which it stands."""
    mark = mark_of(word)
    return {event_id: count for event_id, words in read if (count := words.count(mark))}


@lru_cache(maxsize=_KEPT)
def _read(text: str, names: frozenset[str]) -> _Read:
    """The same memories come up turn after turn. What is kept hangs on their very text, so it is never an older one."""
    lines = tuple(_taken_apart(text.casefold(), names))
    return _Read(lines, "".join(line.words for line in lines))


def _taken_apart(text: str, names: frozenset[str]) -> Iterator[_Line]:
    """Runs of lines by one speaker; what stands before the first name belongs to nobody."""
    speaker = ""
    said: list[str] = []
    for line in text.split("\n"):
        name, colon, rest = line.partition(": ")
        if colon and name in names:
            if said:
                yield _Line(speaker, _words_of("\n".join(said)))
            speaker, said = name, [rest]
        else:
            said.append(line)
    yield _Line(speaker, _words_of("\n".join(said)))


def forget() -> None:
    """No text of a memory stays here, and no word that was asked for."""
    _read.cache_clear()
    stem_of.cache_clear()


def _words_of(text: str) -> str:
    """Each word with a blank before it, so that a plain count tells how many begin a certain way."""
    return " " + (text.translate(_GAPS) if text.isascii() else _GAP.sub(" ", text))


def mark_of(word: str) -> str:
    """What is looked for where each word has a blank before it."""
    return f" {stem_of(word)}"


@lru_cache(maxsize=2048)
def stem_of(word: str) -> str:
    """The part of a word that its other forms are likely to share."""
    if len(word) > 5:
        return word[: max(4, len(word) - 3)]
    return word[: max(3, len(word) - 1)]
