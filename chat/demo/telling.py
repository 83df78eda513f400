"""Draws sentences from the parts so that nothing in a story is said twice.

It holds the state of one reply only; what was said before comes from the request's own history.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from random import Random

from chat.demo.listening import sentences
from chat.demo.stage import Stage

_SLOT = re.compile(r"\{(\w+)\}|<(\w+)/(\w+)>")
# How many replies back a repetition is avoided; the pools are large enough for a story of this length.
_REPLIES = 36


@lru_cache(maxsize=4096)
def trace(part: str) -> str:
    """The longest run of a part that is the same in every telling: finding it means the part was used."""
    return max(_SLOT.sub("\0", part).split("\0"), key=len)


@lru_cache(maxsize=4096)
def slots(part: str) -> frozenset[str]:
    return frozenset(found[1] for found in _SLOT.finditer(part) if found[1])


class Teller:
    """Tells one reply: `draw` gives a filled-in part that the story has not heard yet."""

    def __init__(self, rng: Random, fill: Mapping[str, str], told: Sequence[str], stage: Stage) -> None:
        self._rng = rng
        self._fill = fill
        self._plural = stage.pronouns[0] == "they"
        self._who = {"she", "he", "they", *stage.name.lower().split()}
        self._told = "\n".join(told[-_REPLIES:])
        self._ever = "\n".join(told)
        self._seen = {sentence for text in told[-_REPLIES:] for sentence in self._bare(text)}

    def draw(self, pool: Iterable[str]) -> str:
        """One part, the longest unused first; "" when all of them would repeat the story or lack a slot."""
        ready = [part for part in pool if slots(part) <= self._fill.keys()]
        self._rng.shuffle(ready)
        for part in sorted(ready, key=self._last_use):
            filled = _SLOT.sub(self._slot, part)
            bare = self._bare(filled)
            if not self._seen.intersection(bare):
                self._seen.update(bare)
                self._told = f"{self._told}\n{filled}"
                return filled
        return ""

    def used(self, part: str) -> bool:
        return trace(part) in self._ever

    def says(self, fragment: str) -> bool:
        """Whether the story has given these words back already."""
        return fragment in self._told

    def _last_use(self, part: str) -> int:
        return self._told.rfind(trace(part))

    def _slot(self, found: re.Match[str]) -> str:
        if found[1]:
            return self._fill[found[1]]
        return found[2] if self._plural else found[3]

    def _bare(self, text: str) -> set[str]:
        """The sentences of a text without who did it, since a name may stand as a pronoun elsewhere."""
        kept = (" ".join(w for w in s.split() if w not in self._who) for s in sentences(text))
        return {sentence for sentence in kept if sentence}
