"""What pages ask for, by page family: plain reads on a reader, O(window), answered with frozen rows."""

from chat.store.views.alternatives import Alternative, alternatives, history
from chat.store.views.chats import ChatLine, chat_list
from chat.store.views.memories import (
    Found,
    memories_by_chat,
    memories_of,
    memories_of_scene,
    memories_of_turn,
    memory,
    search_memories,
    witnesses,
)
from chat.store.views.recall import evidence, hidden_memories, latest_memories
from chat.store.views.record import calls, draft, event, events, events_of_chat, events_of_kinds
from chat.store.views.story import (
    Transcript,
    first_words,
    latest_chat,
    open_continuations,
    place_names,
    running_turns,
    scene,
    transcript,
    turn,
    turns_after,
    undigested_turns,
    versions,
    world,
)

__all__ = [
    "Alternative",
    "ChatLine",
    "Found",
    "Transcript",
    "alternatives",
    "calls",
    "chat_list",
    "draft",
    "event",
    "events",
    "events_of_chat",
    "events_of_kinds",
    "evidence",
    "first_words",
    "hidden_memories",
    "history",
    "latest_chat",
    "latest_memories",
    "memories_by_chat",
    "memories_of",
    "memories_of_scene",
    "memories_of_turn",
    "memory",
    "open_continuations",
    "place_names",
    "running_turns",
    "scene",
    "search_memories",
    "transcript",
    "turn",
    "turns_after",
    "undigested_turns",
    "versions",
    "witnesses",
    "world",
]
