"""The question that asks what an exchange changed, and how it is cut to fit: whole lines of the middle go first.

Asked of the model that wrote the reply, it stands behind that reply's own messages, and the task itself far in front of
them, among what never changes: a server then reads little more than the names and the numbers of the lines.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chat.prompts.history import Message, add
from chat.prompts.quoting import Count, name_of, quoted
from chat.prompts.templates import DIGEST

LINE_TOKENS = 400
BEGINNING_TOKENS = 8
"""Shown of a line that stands in full in the messages before the question; enough to tell which one is meant."""
FRAME_TOKENS = 64
MARK = "[What changed?]"
"""What the question begins with where the task was told before; nobody else's words can (see `quoting`)."""


class DigestLine(msgspec.Struct, frozen=True):
    """One numbered line of the exchange: who said or did it, and the words.

    `is_above`: the reply's own prompt and text hold it.
    """

    number: int
    speaker: str
    text: str
    is_above: bool = False


class DigestInput(msgspec.Struct, frozen=True):
    """`names` are those present; `state` is what each was doing: a name and words."""

    names: tuple[str, ...]
    place: str
    state: tuple[tuple[str, str], ...]
    lines: tuple[DigestLine, ...]


class DigestPrompt(msgspec.Struct, frozen=True):
    """`left_out` are the numbers of lines that did not fit."""

    messages: list[Message]
    left_out: tuple[int, ...]


def digest_messages(
    given: DigestInput, hard_tokens: int, count: Count, before: Sequence[Message] = ()
) -> DigestPrompt:
    """The prompt. `before` are the messages of the reply itself, when the same model reads and writes: the server
    then has them cached, and only what stands here is new; what stands there is not told twice."""
    task = "" if _is_told(before) else DIGEST.block("task")
    state = _untold(_state(given, count), before)
    room = hard_tokens - count(task) - sum(map(count, state)) - FRAME_TOKENS
    kept, left_out = _fitted(given, room, count, bool(before))
    names = ", ".join(name_of(name) for name in given.names)
    body = DIGEST.block("lines", mark="" if task else MARK, names=names, state=state, lines=kept)
    if before:
        messages = [dict(message) for message in before]
        add(messages, "user", f"{task}\n\n{body}".strip())
        return DigestPrompt(messages, left_out)
    return DigestPrompt([{"role": "system", "content": task}, {"role": "user", "content": body}], left_out)


def other_task(bot: str) -> str:
    """The task as it stands in the prompt of a reply, to be heeded when the question comes."""
    return DIGEST.block("other_task", mark=MARK, bot=bot)


def _is_told(before: Sequence[Message]) -> bool:
    """Whether the prompt of the reply had room for the task; it stands in the first message, or in none."""
    return bool(before) and DIGEST.block("fields") in before[0]["content"]


def _state(given: DigestInput, count: Count) -> list[str]:
    """The present in lines that read like those in the notes for a reply."""
    place = [f"Place: {quoted(given.place, 40, count)}"] if given.place.strip() else []
    return place + [f"{name_of(name)}: {quoted(doing, 60, count)}" for name, doing in given.state]


def _untold(lines: Sequence[str], before: Sequence[Message]) -> list[str]:
    """Without what the newest notes said."""
    told = next((one["content"] for one in reversed(before) if one["role"] == "user"), "").splitlines()
    return [line for line in lines if line not in told]


def _fitted(
    given: DigestInput, room: int, count: Count, is_extended: bool
) -> tuple[list[str], tuple[int, ...]]:
    """Every line on one line of its own; when they do not fit, the middle is left out and the ends stay."""
    lines = [
        (one.number, _line(one, BEGINNING_TOKENS if is_extended and one.is_above else LINE_TOKENS, count))
        for one in given.lines
    ]
    sizes = {number: count(text) + 1 for number, text in lines}
    left: list[int] = []
    while sum(sizes.values()) > room and len(sizes) > 1:
        middle = list(sizes)[len(sizes) // 2]
        del sizes[middle]
        left.append(middle)
    return [text for number, text in lines if number in sizes], tuple(sorted(left))


def _line(one: DigestLine, limit_tokens: int, count: Count) -> str:
    words = " ".join(quoted(one.text, limit_tokens, count).split())
    return f"[{one.number}] {name_of(one.speaker)}: {words}"
