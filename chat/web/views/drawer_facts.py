"""Reads what the drawer tells beyond the world itself: memories, and all about the last reply.

How much is read never depends on the length of the story, and all of it on the page's own reader, of one moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chat.domain.chats import Chat
from chat.domain.events import Event
from chat.domain.library import Library
from chat.domain.lineage import Lineage, branch_at
from chat.domain.memories import Memory
from chat.domain.people import is_you
from chat.domain.pins import pins_of
from chat.domain.turns import Turn
from chat.domain.versions import CONTINUED
from chat.domain.world import World
from chat.store import views
from chat.store.reading import Reader

RECENT = 6
"""Memories shown of each bot besides its pinned ones."""
_LOOKED_AT = 30
_EVENTS_AFTER_REPLY = 120
_RECALLED_MOST = 16


class Facts(msgspec.Struct, frozen=True):
    """`memories` by owner, newest first; `changes` are the events that came of the reply; `recalled` by memory id."""

    chat: Chat
    library: Library
    world: World
    memories: dict[str, list[Memory]] = msgspec.field(default_factory=dict)
    reply: Turn | None = None
    manifest: dict[str, Any] | None = None
    changes: Sequence[Event] = ()
    recalled: dict[str, Memory] = msgspec.field(default_factory=dict)
    recent: dict[str, Turn] = msgspec.field(default_factory=dict)


async def read_facts(
    reader: Reader, library: Library, chat: Chat, world: World, turns: Sequence[Turn], full: str = ""
) -> Facts:
    """`turns` are the latest of the visible line; `full` names a memory that is wanted whatever its age."""
    bots = [one for one in world.state.present if not is_you(one)]
    memories = {owner: await _memories(reader, chat, world, owner, full) for owner in bots}
    reply = next((turn for turn in reversed(turns) if turn.started_event_id), None)
    manifest = await _manifest(reader, reply)
    return Facts(
        chat=chat,
        library=library,
        world=world,
        memories=memories,
        reply=reply,
        manifest=manifest,
        changes=await _changes(reader, chat, library.lineage(chat.id), reply),
        recalled=await _recalled(reader, manifest),
        recent={turn.id: turn for turn in turns},
    )


async def _memories(reader: Reader, chat: Chat, world: World, owner: str, full: str) -> list[Memory]:
    """The newest that nothing stands for yet, and every pinned one, in one order."""
    newest = await views.memories_of(reader, owner, chat.continuity, _LOOKED_AT)
    shown = {one.id: one for one in [one for one in newest if not one.consolidated][:RECENT]}
    for memory_id in (*(pin.memory_id for pin in pins_of(world, owner)), full):
        found = None if memory_id in shown or not memory_id else await views.memory(reader, memory_id)
        if found and found.owner == owner and found.chat_id == chat.id:
            shown[memory_id] = found
    return sorted(shown.values(), key=lambda one: one.event_id, reverse=True)


async def _manifest(reader: Reader, reply: Turn | None) -> dict[str, Any] | None:
    """What the prompt of the reply held."""
    event = await views.event(reader, reply.started_event_id) if reply and reply.started_event_id else None
    return getattr(event.data, "manifest", None) if event else None


async def _changes(reader: Reader, chat: Chat, line: Lineage, reply: Turn | None) -> list[Event]:
    """The events at the reply's own step, and where it was written on, that came after it: what its digests told."""
    if reply is None or reply.is_running:
        return []
    versions = (await views.versions(reader, [reply.id])).get(reply.id, [])
    steps = {reply.step, *(one.step for one in versions if one.made == CONTINUED)}
    places = {(branch_at(line, step), step) for step in steps}
    later = await views.events(reader, reply.event_id, _EVENTS_AFTER_REPLY, f"chat:{chat.id}")
    return [event for event in later if (event.branch_id, event.step) in places]


async def _recalled(reader: Reader, manifest: dict[str, Any] | None) -> dict[str, Memory]:
    ids = [one["memory_id"] for one in (manifest or {}).get("memories", ()) if "memory_id" in one]
    found = [await views.memory(reader, memory_id) for memory_id in ids[:_RECALLED_MOST]]
    return {one.id: one for one in found if one}
