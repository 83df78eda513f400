"""Edits by the player's hand in the drawer: one field or several of one thing, with the revision that was on screen.

A stale edit is refused with the newer value and nothing typed is lost; each edit is an action of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chat.domain import chats, edits, pins
from chat.domain.events import NewEvent, StoryPayload, story
from chat.domain.memories import Memory
from chat.errors import NotFound, ValueRefused
from chat.store import views
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine


async def edit(
    engine: Engine,
    chat_id: str,
    what: str,
    target: str,
    values: Mapping[str, Any],
    revision: int,
    releases: Sequence[str] = (),
) -> int:
    """Change something by hand; `releases` are fields the classifier may change again. Returns the log's head.

    Raises NotFound, ValueRefused when it makes no sense, Stale (with the present values) when it changed meanwhile.
    """
    chats.known(engine.store.library.chats.get(chat_id))
    _check_clock(what, values)
    memory = await _memory(engine, chat_id, target) if what == "memory" else None

    def edited(state: State) -> list[NewEvent]:
        world = state.world(chat_id)
        latest = _newest(state, memory)
        changed = edits.edit(world, what, target, values, revision, memory=latest, releases=tuple(releases))
        return _action(state, chat_id, changed)

    return (await engine.store.execute(edited)).head


async def pin(engine: Engine, chat_id: str, memory_id: str, *, pinned: bool) -> int:
    """Pin a memory by hand, or let it go. Raises NotFound, and Refused when every place is pinned by hand."""
    chats.known(engine.store.library.chats.get(chat_id))
    memory = await _memory(engine, chat_id, memory_id)

    def changed(state: State) -> list[NewEvent]:
        events = pins.pin(state.world(chat_id), memory.owner, memory_id, pinned=pinned)
        return _action(state, chat_id, events)

    return (await engine.store.execute(changed)).head


async def _memory(engine: Engine, chat_id: str, memory_id: str) -> Memory:
    async with engine.store.reading() as reader:
        found = await views.memory(reader, memory_id)
    if found is None or found.chat_id != chat_id:
        raise NotFound("There is no such memory in this chat.")
    return found


def _newest(state: State, memory: Memory | None) -> Memory | None:
    """The memory as the log now has it, which another tab may have changed since it was read."""
    return state.memory(memory.id) if memory else None


def _action(state: State, chat_id: str, events: Sequence[StoryPayload]) -> list[NewEvent]:
    if not events:
        return []
    step = state.world(chat_id).state.head_step + 1
    return story(chat_id, state.library.chats[chat_id].branch_id, step, *events)


def _check_clock(what: str, values: Mapping[str, Any]) -> None:
    if what == "clock" and "at" in values and not edits.is_time(str(values["at"])):
        raise ValueRefused("This is not a date and time.", "Write it as 2026-11-20T21:40.", field="at")
