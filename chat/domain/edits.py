"""Changes by the player's own hand: what may be edited, what the edit makes fixed, and how it folds.

An edit carries the revision the player saw; a stale one is refused with the newer value. A value fixed by hand wins
over the classifier until it is released.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from chat.domain.activities import Activity
from chat.domain.edges import Edge, clamp
from chat.domain.events import Event, ManualEdit
from chat.domain.memories import SIGNIFICANCE_MAX, Memory
from chat.domain.places import Place
from chat.domain.records import Change, Put, Record, Set
from chat.errors import NotFound, Stale, ValueRefused

if TYPE_CHECKING:
    from chat.domain.world import World

FIELDS: dict[str, tuple[str, ...]] = {
    "activity": ("posture", "action", "attention", "holding", "status"),
    "edge": ("affinity", "trust", "summary", "facts"),
    "memory": ("text", "significance"),
    "place": ("name", "container_type", "is_moving", "is_public"),
    "clock": ("at",),
    "weather": ("weather",),
    "note": ("words", "stands"),
}
"""What can be edited, and which of its fields."""

NOTE_PLACES = ("last", "first")
"""Where an author's note stands among the notes of a prompt: right before the player's words, or ahead of all else."""

TEXT_CHARS = 2_000
LIST_ITEMS = 40

Values = Mapping[str, Any]
Step = tuple["World", list[Change]]


def edit(
    world: World,
    what: str,
    target: str,
    values: Values,
    revision: int,
    *,
    memory: Memory | None = None,
    releases: tuple[str, ...] = (),
) -> list[ManualEdit]:
    """The edit as an event, empty when nothing would change.

    `memory` is the memory meant, which no world holds. Raises NotFound, ValueRefused for a value that makes no sense,
    and Stale with the present values when somebody changed it since `revision`.
    """
    if what not in FIELDS:
        raise NotFound(f"There is nothing called {what[:40]!r} to edit here.")
    now, newest = current(world, what, target, memory)
    if newest != revision:
        raise Stale("This was changed since you opened it; nothing was overwritten.", current=now)
    wanted = {name: _clean(name, value) for name, value in values.items() if name in FIELDS[what]}
    changed = {name: value for name, value in wanted.items() if now[name] != value}
    freed = tuple(_key(what, target, name) for name in releases if name in FIELDS[what])
    freed = tuple(key for key in freed if key in world.state.fixed)
    if not changed and not freed:
        return []
    fixes = tuple(key for name in changed if (key := _key(what, target, name)) not in freed)
    if what == "note":
        fixes = ()  # nobody but the player ever writes it
    prior = {name: now[name] for name in changed}
    return [ManualEdit(what=what, target=target, values=changed, prior=prior, fixes=fixes, releases=freed)]


def is_time(text: str) -> bool:
    """A date and time that story time can be."""
    try:
        return 1 <= datetime.fromisoformat(text).year <= 9998
    except ValueError:
        return False


def current(world: World, what: str, target: str, memory: Memory | None = None) -> tuple[dict[str, Any], int]:
    """The present values of what can be edited, by field, and the revision they have."""
    state = world.state
    if what == "clock":
        return {"at": state.clock_at}, state.setting_revision
    if what == "weather":
        return {"weather": state.weather}, state.setting_revision
    if what == "note":
        return {"words": state.note, "stands": state.note_stands}, state.note_revision
    record = _record(world, what, target, memory)
    values = {name: getattr(record, name) for name in FIELDS[what]}
    return values, record.revision  # type: ignore[attr-defined]


def _record(world: World, what: str, target: str, memory: Memory | None) -> Record:
    found: Record | None = memory
    if what == "activity":
        found = world.activities.get(target)
    elif what == "place":
        found = world.places.get(target)
    elif what == "edge":
        source, _, other = target.partition(">")
        found = world.edges.get((source, other))
    if found is None:
        raise NotFound("What you edited is not (or no longer) part of this chat.")
    return found


def _key(what: str, target: str, name: str) -> str:
    """How `fixed` names a value."""
    if what in ("clock", "weather"):
        return what
    return "place" if what == "place" else f"{what}:{target}:{name}"


def _clean(name: str, value: Any) -> Any:
    """The value within its range. Raises ValueRefused with the reason."""
    if name in ("affinity", "trust", "significance"):
        return _number(name, value)
    if name in ("holding", "facts"):
        return _lines(name, [line.strip() for line in value if line.strip()])
    if name.startswith("is_"):
        return bool(value)
    return _text(name, str(value).strip())


def _lines(name: str, lines: list[str]) -> tuple[str, ...]:
    if len(lines) > LIST_ITEMS:
        sentence = f"This can have {LIST_ITEMS} entries; what you wrote has {len(lines):,}."
        raise ValueRefused(sentence, field=name)
    for line in lines:
        check_length(name, line)
    return tuple(lines)


def check_length(name: str, text: str, most: int = TEXT_CHARS) -> None:
    """Nothing that was typed is ever cut off: what is longer is refused."""
    if len(text) > most:
        raise ValueRefused(
            f"This can have {most:,} characters; what you wrote has {len(text):,}.", field=name
        )


def _text(name: str, text: str) -> str:
    if name == "at":
        return story_clock(text)
    if name == "stands" and text not in NOTE_PLACES:
        raise ValueRefused("An author's note stands first or last.", field=name)
    if name in ("name", "text") and not text:
        raise ValueRefused("This cannot be empty.", "Write something, or leave it as it was.", field=name)
    if name != "text":
        check_length(name, text)
    return text


def story_clock(text: str) -> str:
    """Story time as the log has it: ISO 8601 with a trailing Z. Local times are taken as they are."""
    at = datetime.fromisoformat(text)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _number(name: str, value: Any) -> int:
    top = SIGNIFICANCE_MAX if name == "significance" else 100
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= top):
        raise ValueRefused(f"{name.capitalize()} is a whole number from 0 to {top}.", field=name)
    return int(text)


def _activity(world: World, event: Event, data: ManualEdit) -> Step:
    values = {**data.values, "revision": event.id}
    if "holding" in values:
        values["holding"] = tuple(values["holding"])
    after: Activity = replace(world.activities[data.target], **values)
    return replace(world, activities={**world.activities, data.target: after}), [Put(after)]


def _edge(world: World, event: Event, data: ManualEdit) -> Step:
    source, _, target = data.target.partition(">")
    values = {**data.values, "revision": event.id, "last_at": event.ts, "last_reason": "set by hand"}
    if "facts" in values:
        values["facts"] = tuple(values["facts"])
    after: Edge = replace(world.edge(source, target), **values)
    after = replace(after, affinity=clamp(after.affinity), trust=clamp(after.trust))
    return replace(world, edges={**world.edges, (source, target): after}), [Put(after)]


def _memory(world: World, event: Event, data: ManualEdit) -> Step:
    return world, [Set(Memory.table, (data.target,), {**data.values, "revision": event.id})]


def _place(world: World, event: Event, data: ManualEdit) -> Step:
    after: Place = replace(world.places[data.target], **data.values, revision=event.id)
    return replace(world, places={**world.places, data.target: after}), [Put(after)]


def _clock(world: World, event: Event, data: ManualEdit) -> Step:
    at = data.values.get("at", world.state.clock_at)
    return replace(world, state=replace(world.state, clock_at=at, setting_revision=event.id)), []


def _weather(world: World, event: Event, data: ManualEdit) -> Step:
    weather = data.values.get("weather", world.state.weather)
    return replace(world, state=replace(world.state, weather=weather, setting_revision=event.id)), []


def _note(world: World, event: Event, data: ManualEdit) -> Step:
    now = world.state
    after = replace(
        now,
        note=data.values.get("words", now.note),
        note_stands=data.values.get("stands", now.note_stands),
        note_revision=event.id,
    )
    return replace(world, state=after), []


CASES: dict[str, Callable[[World, Event, ManualEdit], Step]] = {
    "activity": _activity,
    "edge": _edge,
    "memory": _memory,
    "place": _place,
    "clock": _clock,
    "weather": _weather,
    "note": _note,
}
