"""The request for a draft of the player's own next turn: what the player has seen, and who the player is.

It is the one prompt that holds a persona's text: the player asked for words of their own, and no bot is told them.
"""

from __future__ import annotations

from collections.abc import Sequence

from chat.prompts.history import Message
from chat.prompts.quoting import Count, name_of, quoted
from chat.prompts.templates import IMPERSONATE

TURN_TOKENS = 400
PERSONA_TOKENS = 800
TYPED_TOKENS = 2_000


def impersonate_messages(
    *,
    you: str,
    persona: str,
    others: Sequence[str],
    turns: Sequence[tuple[str, str]],
    note: str,
    typed: str,
    tokens: int,
    count: Count,
) -> list[Message]:
    """`turns` are (name, text), oldest first; the newest of them that fit into `tokens` are told."""
    me, names = name_of(you), [name_of(other) for other in others]
    bot = names[0] if names else ""

    def safe(text: str, limit_tokens: int) -> str:
        return quoted(text, limit_tokens, count, me, bot)

    told: list[tuple[str, str]] = []
    room = tokens
    for name, text in reversed(turns):
        shown = safe(text, TURN_TOKENS)
        room -= count(shown)
        if room < 0 and told:
            break
        told.insert(0, (name_of(name), shown))
    told_others = ", ".join(names) or "anybody else"
    task = IMPERSONATE.block("task", you=me, others=told_others, persona=safe(persona, PERSONA_TOKENS))
    ask = IMPERSONATE.block(
        "ask", you=me, turns=told, note=safe(note, TURN_TOKENS), typed=safe(typed, TYPED_TOKENS)
    )
    return [{"role": "system", "content": task}, {"role": "user", "content": ask}]
