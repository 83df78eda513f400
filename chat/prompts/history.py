"""What was said so far as chat messages: strictly alternating, the bot's own words as the assistant's.

Everybody but the player is named; the player only where somebody else speaks in the same message.
"""

from __future__ import annotations

from collections.abc import Sequence

from chat.prompts.given import PromptTurn
from chat.prompts.quoting import name_of, neutral

Message = dict[str, str]

BEGINNING = "[The story begins.]"
LEFT_OUT = "[Earlier turns are left out here.]"


def messages_of(turns: Sequence[PromptTurn], bot_id: str, is_cut: bool) -> list[Message]:
    """The first message is always the user's; when turns were left out before it, it says so."""
    messages: list[Message] = []
    if is_cut or (turns and turns[0].speaker == bot_id):
        messages.append({"role": "user", "content": LEFT_OUT if is_cut else BEGINNING})
    for turn in turns:
        role = "assistant" if turn.speaker == bot_id else "user"
        has_company = bool(messages) and messages[-1]["role"] == role and messages[-1]["content"] != LEFT_OUT
        add(messages, role, _said(turn, bot_id, has_company))
    return messages


def _said(turn: PromptTurn, bot_id: str, has_company: bool) -> str:
    text, name = neutral(turn.text), name_of(turn.speaker_name)
    is_plain = turn.speaker == bot_id or (turn.is_you and not has_company) or not name
    return text if is_plain else f"{name}: {text}"


def add(messages: list[Message], role: str, content: str) -> None:
    """Neighbours of one role become one message."""
    if messages and messages[-1]["role"] == role:
        messages[-1] = {"role": role, "content": f"{messages[-1]['content']}\n\n{content}"}
    else:
        messages.append({"role": role, "content": content})
