"""The question that asks what an exchange changed, and how it is cut to fit: whole lines of the middle go first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chat.prompts.history import Message, add
from chat.prompts.quoting import Count, name_of, quoted
from chat.prompts.templates import DIGEST

LINE_TOKENS = 400
BEGINNING_TOKENS = 12
"""Shown of a line that stands in full in the messages before the question; enough to tell which one is meant."""
FRAME_TOKENS = 24


@dataclass(frozen=True)
class DigestLine:
    """One numbered line of the exchange: who said or did it, and the words.

    `is_above`: the reply's own prompt and text hold it.
    """

    number: int
    speaker: str
    text: str
    is_above: bool = False


@dataclass(frozen=True)
class DigestInput:
    """`names` are those present; `state` are short sentences about what each was doing."""

    names: tuple[str, ...]
    place: str
    state: tuple[str, ...]
    lines: tuple[DigestLine, ...]


@dataclass(frozen=True)
class DigestPrompt:
    """`left_out` are the numbers of lines that did not fit."""

    messages: list[Message]
    left_out: tuple[int, ...]


def digest_messages(
    given: DigestInput, hard_tokens: int, count: Count, before: Sequence[Message] = ()
) -> DigestPrompt:
    """The prompt. `before` are the messages of the reply itself, when the same model reads and writes: the server
    then has them cached, and only what stands here is new; lines that stand there are not told twice."""
    task = DIGEST.block("task")
    kept, left_out = _fitted(given, hard_tokens - count(task) - FRAME_TOKENS, count, bool(before))
    body = DIGEST.block(
        "lines",
        names=", ".join(name_of(name) for name in given.names),
        place=quoted(given.place, 40, count),
        state=[quoted(one, 60, count) for one in given.state],
        lines=kept,
    )
    if before:
        messages = [dict(message) for message in before]
        add(messages, "user", f"{task}\n\n{body}")
        return DigestPrompt(messages, left_out)
    return DigestPrompt([{"role": "system", "content": task}, {"role": "user", "content": body}], left_out)


def _fitted(
    given: DigestInput, room: int, count: Count, is_extended: bool
) -> tuple[list[str], tuple[int, ...]]:
    """Every line on one line of its own; when they do not fit, the middle is left out and the ends stay."""
    lines = [
        (one.number, _line(one, BEGINNING_TOKENS if is_extended and one.is_above else LINE_TOKENS, count))
        for one in given.lines
    ]
    sizes = {number: count(text) + 1 for number, text in lines}
    room -= sum(count(one) for one in given.state) + 40
    left: list[int] = []
    while sum(sizes.values()) > room and len(sizes) > 1:
        middle = list(sizes)[len(sizes) // 2]
        del sizes[middle]
        left.append(middle)
    return [text for number, text in lines if number in sizes], tuple(sorted(left))


def _line(one: DigestLine, limit_tokens: int, count: Count) -> str:
    words = " ".join(quoted(one.text, limit_tokens, count).split())
    return f"[{one.number}] {name_of(one.speaker)}: {words}"
