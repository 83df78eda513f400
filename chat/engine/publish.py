"""After a commit: tells every open tab which parts of the page are no longer true. Facts only, never HTML."""

from __future__ import annotations

from collections import defaultdict

from chat.domain.events import Event, WordsErased
from chat.engine.hub import Hub
from chat.store.state import Commit

_PARTS: dict[str, tuple[str, ...]] = {
    "user_turn": ("transcript", "rail", "steps", "map"),
    "assistant_turn_started": ("transcript", "drawer"),
    "assistant_turn": ("transcript", "rail", "drawer", "composer", "steps", "map"),
    "user_turn_edit": ("transcript", "rail", "drawer", "steps"),
    "turn_edited": ("transcript", "rail", "drawer", "steps"),
    "continuation_started": ("transcript", "drawer"),
    "turn_continued": ("transcript", "rail", "drawer", "composer", "steps"),
    "branch_forked": (),
    "branch_selected": ("transcript", "rail", "drawer", "composer", "steps", "map"),
    "checkpoint_named": ("map", "transcript"),
    "checkpoint_removed": ("map", "transcript"),
    "manual_edit": ("drawer", "rail", "steps"),
    "bot_reset": ("transcript", "drawer", "rail", "steps"),
    "memory_pin_changed": ("drawer", "steps"),
    "scene_closed": ("drawer", "rail", "steps", "map"),
    "memory_written": ("drawer",),
    "digest_finished": ("drawer",),
    "model_call_finished": (),
    "you_authored": ("rail", "cast"),
    "bot_authored": ("rail", "cast"),
    "portrait_changed": ("rail", "cast"),
    "bot_archived": ("rail", "bot"),
    "bot_restored": ("rail", "bot"),
    "words_erased": ("rail", "gone", "bot"),
}
_STORY_PARTS = ("drawer", "rail")
_LIBRARY_PARTS = ("rail",)


def publish(hub: Hub, commit: Commit) -> None:
    """One frame for each chat a commit touched; library events that name a chat also go to that chat."""
    by_chat: dict[str | None, list[Event]] = defaultdict(list)
    for event in commit.events:
        by_chat[_chat_of(event)].append(event)
        if event.stream == "library":
            by_chat[None].append(event)
        for gone in event.data.chat_ids if isinstance(event.data, WordsErased) else ():
            by_chat[gone].append(event)
    for chat_id, events in by_chat.items():
        turns = dict.fromkeys(turn for event in events if (turn := getattr(event.data, "turn_id", None)))
        told = {"kinds": [event.kind for event in events], "parts": _parts(events), "turns": list(turns)}
        hub.commit(chat_id, commit.head, told)


def _chat_of(event: Event) -> str | None:
    if event.stream.startswith("chat:"):
        return event.stream.removeprefix("chat:")
    return getattr(event.data, "chat_id", None)


def _parts(events: list[Event]) -> list[str]:
    parts: dict[str, None] = {}
    for event in events:
        usual = _STORY_PARTS if event.stream.startswith("chat:") else _LIBRARY_PARTS
        parts.update(dict.fromkeys(_PARTS.get(event.kind, usual)))
    return list(parts)
