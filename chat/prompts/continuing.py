"""The messages that have a reply written on, and the seam between what stood there and what came.

Two ways to ask: the reply itself as the last message, which a server that completes text goes on from word by word; or
an instruction that quotes its end, for servers that refuse to be answered in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chat.prompts.history import Message
from chat.prompts.quoting import neutral

TAIL_CHARS = 160
HELD_CHARS = 80
"""How much of a continuation is looked at before any of it is shown, for words that stand there already."""
_LEAST_OVERLAP = 12
_SENTENCE_END = re.compile(r"[.!?…][\"”»’*)]*\Z")


def continuing(messages: Sequence[Message], text: str, *, as_instruction: bool) -> list[Message]:
    """The prompt of the reply, and how far it got."""
    told = [*messages, {"role": "assistant", "content": neutral(text)}]
    if not as_instruction:
        return told
    tail = neutral(text)[-TAIL_CHARS:].split("\n")[-1].strip()
    words = (
        "[Your last text broke off. Go on with it exactly where it stops, in the middle of the sentence if it stops "
        f"there. Repeat nothing of it and do not begin anew. It ends with: {tail}]"
    )
    return [*told, {"role": "user", "content": words}]


class Seam:
    """What of a continuation is new, piece by piece: repeated words are left out, and a missing space is put in."""

    def __init__(self, before: str, *, is_literal: bool) -> None:
        """`is_literal`: the server went on inside the text, so half a word at its end is completed and not parted."""
        self._before, self._is_literal = before, is_literal
        self._held = ""
        self._is_open = True

    def add(self, piece: str) -> str:
        """What can be shown now; nothing while it may still turn out to be a repetition."""
        if not self._is_open:
            return piece
        self._held += piece
        is_repeating = self._before.startswith(self._held)
        return "" if is_repeating or len(self._held) < HELD_CHARS else self.close()

    def close(self) -> str:
        """The rest, when nothing more comes."""
        if not self._is_open:
            return ""
        self._is_open = False
        rest = self._new()
        return f"{self._gap(rest)}{rest}" if rest.strip() else ""

    def _new(self) -> str:
        held, before = self._held, self._before
        if held.startswith(before):
            return held[len(before) :]
        if before.startswith(held) and len(held) >= _LEAST_OVERLAP:
            return ""
        longest = min(len(held), len(before), HELD_CHARS)
        overlap = (size for size in range(longest, _LEAST_OVERLAP - 1, -1) if before.endswith(held[:size]))
        return held[next(overlap, 0) :]

    def _gap(self, rest: str) -> str:
        first, last = rest[0], self._before[-1:]
        if first.isspace() or not last:
            return ""
        if _SENTENCE_END.search(self._before) and (first.isupper() or first in '"“„«*'):
            return " " if self._is_literal else "\n\n"
        is_parted = not self._is_literal and (last.isalnum() or last in ",;:") and first.isalnum()
        return " " if is_parted else ""


def joined(before: str, added: str, *, is_literal: bool) -> str:
    """The whole text, as its pieces make it."""
    seam = Seam(before, is_literal=is_literal)
    return before + seam.add(added) + seam.close()
