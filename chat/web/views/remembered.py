"""What the bots that are present remember: their latest memories and their pinned ones, each with its small form."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from chat.domain.memories import SIGNIFICANCE_MAX, Memory
from chat.domain.pins import PIN_CAP, pins_of
from chat.web import story_time
from chat.web.views.drawer_facts import Facts
from chat.web.views.editors import SIGNIFICANCE, Attempt, Editor, editor

EXCERPT_CHARS = 150
EDITED_HERE_CHARS = 4_000
"""A longer text gets its form only when it is asked for: a page does not carry books."""


class MemoryView(NamedTuple):
    """`elsewhere` names the other chat it comes from, where it can be changed; `form` is None for that or a long one.

    `problem` is why it could not be pinned.
    """

    id: str
    text: str
    weight: int
    weight_words: str
    is_scene: bool
    time: str
    turn_id: str
    chat_id: str
    elsewhere: str
    is_pinned: bool
    by_hand: bool
    form: Editor | None
    problem: str = ""


class Remembered(msgspec.Struct, frozen=True):
    """One bot's memories, newest first, and how many of its places are pinned."""

    owner: str
    name: str
    pinned: int
    pins_most: int
    memories: list[MemoryView]


def remembered(facts: Facts, attempt: Attempt | None, full: str = "") -> list[Remembered]:
    """`full` is the id of a memory whose form is wanted however long it is."""
    return [
        Remembered(
            owner=owner,
            name=facts.library.name_of(owner),
            pinned=len(pins_of(facts.world, owner)),
            pins_most=PIN_CAP,
            memories=[_memory(one, facts, attempt, full) for one in memories],
        )
        for owner, memories in facts.memories.items()
    ]


def as_json(one: Remembered) -> dict[str, Any]:
    memories = [
        {name: value for name, value in memory._asdict().items() if name != "form"} for memory in one.memories
    ]
    return {
        "owner": {"id": one.owner, "name": one.name},
        "pins": one.pinned,
        "pins_most": one.pins_most,
        "memories": memories,
    }


def excerpt(text: str, most: int = EXCERPT_CHARS) -> str:
    """The beginning of a text on one line, cut between words."""
    words = " ".join(text.replace("*", "").split())
    return words if len(words) <= most else words[:most].rsplit(" ", 1)[0] + " …"


def _memory(memory: Memory, facts: Facts, attempt: Attempt | None, full: str) -> MemoryView:
    is_here = memory.chat_id == facts.chat.id
    asked = bool(attempt and attempt.is_of("memory", memory.id)) or full == memory.id
    has_form = is_here and (asked or len(memory.text) <= EDITED_HERE_CHARS)
    weight = max(0, min(SIGNIFICANCE_MAX, memory.significance))
    other = facts.library.chats.get(memory.chat_id)
    return MemoryView(
        id=memory.id,
        text=excerpt(memory.text),
        weight=weight,
        weight_words=SIGNIFICANCE[weight],
        is_scene=memory.level == "scene",
        time=story_time.clock(memory.at),
        turn_id=memory.turn_id,
        chat_id=memory.chat_id,
        elsewhere="" if is_here or other is None else other.title,
        is_pinned=memory.pinned,
        by_hand=memory.pinned and not memory.auto_pinned,
        form=editor(facts.world, "memory", memory.id, "this memory", attempt, memory) if has_form else None,
        problem=attempt.sentence if attempt and attempt.is_of("pin", memory.id) else "",
    )
