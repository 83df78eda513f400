"""The question that turns what one witness saw of a scene into one memory; the middle is left out when it is long."""

from __future__ import annotations

from collections.abc import Sequence

from chat.prompts.history import Message
from chat.prompts.quoting import Count, name_of, quoted
from chat.prompts.templates import SCENE_MEMORY

SEEN_TOKENS = 600
FRAME_TOKENS = 80


def scene_messages(
    *,
    owner: str,
    others: Sequence[str],
    place: str,
    feelings: Sequence[str],
    seen: Sequence[str],
    hard_tokens: int,
    count: Count,
) -> list[Message]:
    """`seen` are the owner's turn memories of the scene, oldest first."""
    named = ", ".join(name_of(one) for one in others) or "nobody"
    task = SCENE_MEMORY.block("task", owner=name_of(owner), others=named)
    told = [quoted(one, 80, count) for one in feelings]
    room = hard_tokens - count(task) - sum(count(one) for one in told) - FRAME_TOKENS
    body = SCENE_MEMORY.block(
        "seen", place=quoted(place, 40, count) or "somewhere", feelings=told, seen=_fitted(seen, room, count)
    )
    return [{"role": "system", "content": task}, {"role": "user", "content": body}]


def _fitted(seen: Sequence[str], room: int, count: Count) -> list[str]:
    """The beginning and the end of the scene stay; what does not fit goes from the middle."""
    texts = [quoted(one, SEEN_TOKENS, count) for one in seen]
    sizes = [count(one) + 2 for one in texts]
    while sum(sizes) > room and len(texts) > 1:
        middle = len(texts) // 2
        del texts[middle], sizes[middle]
    return texts
