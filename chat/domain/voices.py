"""Who says which words of a memory. A memory's lines begin with the name of who speaks, as memories are written.

Words are compared by their beginnings, because a search that found "camped" for "camping" does not say where.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import msgspec

from chat.domain.memories import Memory


class _Line(msgspec.Struct, frozen=True):
    speaker: str
    text: str


class Voices:
    """Reads memories for one recall; each is taken apart once."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.casefold() for name in names)
        self._lines: dict[int, list[_Line]] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}

    def times(self, memory: Memory, word: str) -> int:
        """How often a word, or another form of it, stands in a memory."""
        return sum(self._count(line.text, word) for line in self._read(memory))

    def share(self, memory: Memory, named: Collection[str], words: dict[str, float]) -> float:
        """How much of what was found in a memory, by the weights of the words, those who were named said; 0 to 1.

        Without words: how many of its lines.
        """
        lines = self._read(memory)
        theirs = [line for line in lines if line.speaker in named]
        if not theirs or len(theirs) == len(lines):
            return float(bool(theirs))
        whole = own = 0.0
        for word, weight in words.items():
            counts = sum(self._count(line.text, word) > 0 for line in lines)
            said = sum(self._count(line.text, word) > 0 for line in theirs)
            whole += weight
            own += weight * (said / counts if counts else len(theirs) / len(lines))
        return own / whole if whole else len(theirs) / len(lines)

    def _read(self, memory: Memory) -> list[_Line]:
        known = self._lines.get(memory.event_id)
        if known is None:
            known = self._lines[memory.event_id] = [*self._taken_apart(memory.text.casefold())]
        return known

    def _taken_apart(self, text: str) -> Iterable[_Line]:
        """Runs of lines by one speaker; what stands before the first name belongs to nobody."""
        speaker = ""
        said: list[str] = []
        for line in text.split("\n"):
            name, colon, rest = line.partition(": ")
            if colon and name in self._names:
                if said:
                    yield _Line(speaker, "\n".join(said))
                speaker, said = name, [rest]
            else:
                said.append(line)
        yield _Line(speaker, "\n".join(said))

    def _count(self, text: str, word: str) -> int:
        stem = stem_of(word)
        if stem not in text:
            return 0
        pattern = self._patterns.get(stem)
        if pattern is None:
            pattern = self._patterns[stem] = re.compile(rf"\b{re.escape(stem)}")
        return len(pattern.findall(text))


def stem_of(word: str) -> str:
    """The part of a word that its other forms are likely to share."""
    if len(word) > 5:
        return word[: max(4, len(word) - 3)]
    return word[: max(3, len(word) - 1)]
