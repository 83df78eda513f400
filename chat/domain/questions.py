"""What a recent entry asks of a memory: its words, who is named in it and which days. Nothing here knows a memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from chat.domain.dates import Span, spans

WORDS_MAX = 24
"""Words searched for one entry: half from its beginning, half from its end."""
TEXT_MAX = 4000
"""Characters read from either end of an entry."""
WORD_CHARS = 64
LATEST_WEIGHT = 1.0
EARLIER_WEIGHT = 0.3
STRANGER_NAME_WEIGHT = 0.5

_WORD = re.compile(r"[^\W_]+")
COMMON_TEXT = """
a about after again all also am an and any are as at be because been before being but by can could did do does doing
don down for from get got had has have having he her here hers him his how i if in into is isn it its just let like
ll me more my no not now of off oh on one or our out over own re said say she should so some something such t than
that the their them then there these they this those to too up us ve very was we well were what when where which
while who why will with would yes you your yours s d m
"""
COMMON = frozenset(COMMON_TEXT.split())


class Question(msgspec.Struct, frozen=True):
    """One entry as a search: `words` with their weights, casefolded display names in `named`, days in `spans`."""

    weight: float
    words: dict[str, float]
    named: frozenset[str] = frozenset()
    spans: tuple[Span, ...] = ()


def questions(
    entries: Sequence[str], names: Iterable[str], participants: Iterable[str], now: str
) -> list[Question]:
    """Each of the `entries` (newest first) as a question of its own; those that ask for nothing are left out.

    `names` are everybody's, `participants` those who talk here: their names stand in what everybody says and find
    nothing, so they are no words to search for. `now` is story time.
    """
    known = _by_part(names)
    here = {name.casefold() for name in participants}
    asked = []
    for number, entry in enumerate(entries):
        weight = EARLIER_WEIGHT if number else LATEST_WEIGHT
        question = _question(entry, weight, known, here, now)
        if question.words or question.spans:
            asked.append(question)
    return asked


def _by_part(names: Iterable[str]) -> dict[str, set[str]]:
    """Whom each part of a name may mean. The "the" of a title means nobody, unless the name is nothing else."""
    parts: dict[str, set[str]] = {}
    for name in names:
        found = {part.casefold() for part in _WORD.findall(name)}
        for part in found - COMMON or found:
            parts.setdefault(part, set()).add(name.casefold())
    return parts


def _question(entry: str, weight: float, known: dict[str, set[str]], here: set[str], now: str) -> Question:
    text = entry if len(entry) <= 2 * TEXT_MAX else f"{entry[:TEXT_MAX]} {entry[-TEXT_MAX:]}"
    words: dict[str, float] = {}
    named: set[str] = set()
    for token in _WORD.findall(text):
        word = token.casefold()[:WORD_CHARS]
        meant = known.get(word, set()) if not token.islower() else set()
        named |= meant
        if word not in COMMON and len(word) > 1 and not meant & here:
            words.setdefault(word, STRANGER_NAME_WEIGHT if meant else 1.0)
    return Question(weight, _fewer(words), frozenset(named), tuple(spans(text, now)[:4]))


def _fewer(words: dict[str, float]) -> dict[str, float]:
    kept = list(words.items())
    if len(kept) > WORDS_MAX:
        kept = [*kept[: WORDS_MAX // 2], *kept[-WORDS_MAX // 2 :]]
    return dict(kept)
