"""The part of a memory that belongs to what is being talked about, when the whole of it is too long to tell.

Whole sentences, in their order, those first that share the most words with the newest entries; never made-up words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from chat.prompts.quoting import Count, clipped

GAP = "…"
_WORD = re.compile(r"[^\W_]{3,}")
_SENTENCE = re.compile(r"[^\n.!?…]*(?:[.!?…]+[\"”»*)]*|\n|\Z)")
_CHARS_READ = 6_000


def words_of(*texts: str) -> frozenset[str]:
    """The words that an excerpt is chosen by."""
    return frozenset(word.casefold() for text in texts for word in _WORD.findall(text[:_CHARS_READ]))


@lru_cache(maxsize=256)
def excerpt(text: str, words: frozenset[str], limit_tokens: int, count: Count) -> str:
    """At most `limit_tokens` of the text; without a word in common, its beginning."""
    text = text.strip()
    if len(text) <= limit_tokens or count(text) <= limit_tokens:
        return text
    sentences = [one for one in _SENTENCE.findall(text[:_CHARS_READ]) if one.strip()]
    chosen = _best(sentences, words, limit_tokens, count)
    if not chosen:
        return clipped(text, limit_tokens, count)
    return _joined(sentences, chosen)


def _best(sentences: Sequence[str], words: frozenset[str], limit_tokens: int, count: Count) -> list[int]:
    """Numbers of the sentences that fit, those with the most words in common first."""
    common = [len(words & words_of(one)) for one in sentences]
    chosen: list[int] = []
    for number in sorted(range(len(common)), key=lambda one: (-common[one], one)):
        if not common[number]:
            break
        if count(_joined(sentences, sorted([*chosen, number]))) <= limit_tokens:
            chosen.append(number)
    return sorted(chosen)


def _joined(sentences: Sequence[str], chosen: Sequence[int]) -> str:
    """The sentences in order, with a mark where something is left out."""
    told, last = "", -1
    for number in chosen:
        told += ("" if number == last + 1 else f" {GAP} ") + sentences[number]
        last = number
    return " ".join(f"{told}{'' if last == len(sentences) - 1 else f' {GAP}'}".split())
