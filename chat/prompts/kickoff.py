"""The question that turns kickoff prose into a place, a time, activities and feelings to confirm."""

from __future__ import annotations

from chat.prompts.history import Message
from chat.prompts.quoting import name_of, quoted
from chat.prompts.templates import KICKOFF

PROSE_CHARS = 12_000
"""Leaves room for the task and the answer in a context of 4,096 tokens; the prose itself is kept whole."""


def kickoff_messages(*, bot_name: str, you_name: str, prose: str) -> list[Message]:
    """The prose is material to read: quoted, defused and capped, with {{user}} and {{char}} filled in."""
    bot, you = name_of(bot_name), name_of(you_name)
    text = quoted(prose, PROSE_CHARS, len, you, bot)
    return [
        {"role": "system", "content": KICKOFF.block("task", bot=bot, you=you)},
        {"role": "user", "content": KICKOFF.block("prose", prose=text)},
    ]
