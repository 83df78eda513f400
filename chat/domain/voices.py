"""Who says which words of a memory. A memory's lines begin with the name of who speaks, as memories are written.

Words are compared by their beginnings, because a search that found "camped" for "camping" does not say where.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

import msgspec

from chat.domain.memories import Memory

_WORD = re.compile(r"\w+")


class _Line(msgspec.Struct, frozen=True):
    speaker: str
    words: str


class _Read(msgspec.Struct, frozen=True):
    """A memory taken apart; `words` are those of all its lines, without who says them."""

    lines: list[_Line]
    words: str


class Voices:
    """Reads memories for one recall; each is taken apart once."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.casefold() for name in names)
        self._known: dict[int, _Read] = {}
        self._times: dict[tuple[int, str], int] = {}

    def times(self, memory: Memory, word: str) -> int:
        """How often a word, or another form of it, stands in a memory."""
        key = (memory.event_id, word)
        known = self._times.get(key)
        if known is None:
            known = self._times[key] = _count(self._read(memory).words, word)
        return known

    def holding(self, memories: Iterable[Memory], word: str) -> set[int]:
        """The event ids of those in which a word, or another form of it, stands."""
        mark = _mark(word)
        known = self._known
        return {
            one.event_id for one in memories if mark in (known.get(one.event_id) or self._read(one)).words
        }

    def share(self, memory: Memory, named: Collection[str], words: dict[str, float]) -> float:
        """How much of what was found in a memory, by the weights of the words, those who were named said; 0 to 1.

        Without words: how many of its lines.
        """
        text = memory.text.casefold()
        if not any(f"{name}: " in text for name in named):
            return 0.0
        lines = self._read(memory).lines
        theirs = [line for line in lines if line.speaker in named]
        if not theirs or len(theirs) == len(lines):
            return float(bool(theirs))
        whole = own = 0.0
        for word, weight in words.items():
            counts = sum(_count(line.words, word) > 0 for line in lines)
            said = sum(_count(line.words, word) > 0 for line in theirs)
            whole += weight
            own += weight * (said / counts if counts else len(theirs) / len(lines))
        return own / whole if whole else len(theirs) / len(lines)

    def _read(self, memory: Memory) -> _Read:
        known = self._known.get(memory.event_id)
        if known is None:
            lines = [*self._taken_apart(memory.text.casefold())]
            known = self._known[memory.event_id] = _Read(lines, "".join(line.words for line in lines))
        return known

    def _taken_apart(self, text: str) -> Iterable[_Line]:
        """Runs of lines by one speaker; what stands before the first name belongs to nobody."""
        speaker = ""
        said: list[str] = []
        for line in text.split("\n"):
            name, colon, rest = line.partition(": ")
            if colon and name in self._names:
                if said:
                    yield _Line(speaker, _words_of("\n".join(said)))
                speaker, said = name, [rest]
            else:
                said.append(line)
        yield _Line(speaker, _words_of("\n".join(said)))


def _words_of(text: str) -> str:
    """Each word with a blank before it, so that a plain count tells how many begin a certain way."""
    return " " + " ".join(_WORD.findall(text))


def _count(words: str, word: str) -> int:
    return words.count(_mark(word))


def _mark(word: str) -> str:
    return f" {stem_of(word)}"


@lru_cache(maxsize=2048)
def stem_of(word: str) -> str:
    """The part of a word that its other forms are likely to share."""
    if len(word) > 5:
        return word[: max(4, len(word) - 3)]
    return word[: max(3, len(word) - 1)]
