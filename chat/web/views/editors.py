"""The small forms of the drawer: what can be changed by hand, as a form shows it and as it is posted.

A form says which value of each field it was opened on, so only what was really changed is posted on, and an edit that
came too late shows the newer value beside the typed one. Nothing typed is ever replaced here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from chat.domain import edits
from chat.domain.memories import Memory
from chat.domain.world import World
from chat.web import story_time
from chat.web.forms import Fields

NO_REVISION = -1
_REVISION_MOST = 2**53
_SEEN_CHARS = 12
SIGNIFICANCE = ("routine", "ordinary", "significant", "pivotal")
"""How much a memory matters, in words, by its number."""
NOTE_PLACES = (("last", "last, right before your words"), ("first", "first among the notes"))
"""Where an author's note stands, in words; the later it stands, the more a model heeds it."""


class Field(NamedTuple):
    """`kind` is line, area, number, tick, time, weight, stands, list (with commas between) or lines (one item on each).

    `short` is what a value set by hand is called.
    """

    name: str
    label: str
    kind: str = "line"
    short: str = ""


SPECS: dict[str, tuple[Field, ...]] = {
    "place": (
        Field("name", "Place"),
        Field("container_type", "Kind of place"),
        Field("is_public", "Others come and go", "tick"),
        Field("is_moving", "It is moving", "tick"),
    ),
    "clock": (Field("at", "Date and hour", "time"),),
    "weather": (Field("weather", "Weather"),),
    "note": (
        Field("words", "What every reply is to heed", "area", "Note"),
        Field("stands", "Where it stands in the prompt", "stands", "Place"),
    ),
    "activity": (
        Field("posture", "Posture"),
        Field("action", "Doing"),
        Field("holding", "Holding, with commas between", "list", "Holding"),
        Field("attention", "Attention on"),
        Field("status", "Condition"),
    ),
    "edge": (
        Field("affinity", "Affinity, 0 to 100", "number", "Affinity"),
        Field("trust", "Trust, 0 to 100", "number", "Trust"),
        Field("summary", "In a sentence", "area", "Sentence"),
        Field("facts", "What they know, one on each line", "lines", "Facts"),
    ),
    "memory": (
        Field("text", "What is remembered", "area", "Words"),
        Field("significance", "It is", "weight", "Weight"),
    ),
}


class Posted(msgspec.Struct, frozen=True):
    """An edit as it came in. `values` holds only what was changed, `typed` the text of every field that was posted."""

    what: str
    target: str
    values: dict[str, Any]
    typed: dict[str, str]
    revision: int
    releases: tuple[str, ...]


class Attempt(msgspec.Struct, frozen=True):
    """An edit that was not taken: what was typed, which fields were changed, and why it was refused."""

    what: str
    target: str
    typed: Mapping[str, str]
    touched: frozenset[str]
    sentence: str
    field: str = ""
    is_stale: bool = False

    def is_of(self, what: str, target: str) -> bool:
        return (self.what, self.target) == (what, target)


class Input(NamedTuple):
    """One field as shown: `value` is what stands in it, `newer` what somebody else made of it since it was opened."""

    name: str
    label: str
    kind: str
    value: str
    seen: str
    newer: str | None = None
    wrong: str = ""


class Editor(msgspec.Struct, frozen=True):
    """One small form. `fixed` are the names and labels of values the player set by hand."""

    what: str
    target: str
    about: str
    revision: int
    inputs: tuple[Input, ...]
    fixed: tuple[tuple[str, str], ...]
    values: Mapping[str, Any]
    is_open: bool = False
    is_stale: bool = False
    sentence: str = ""

    @property
    def id(self) -> str:
        return dom_id(self.what, self.target)

    def as_json(self) -> dict[str, Any]:
        named = {"what": self.what, "id": self.target or "-", "revision": self.revision}
        return {**named, "values": dict(self.values), "set_by_hand": [name for name, _ in self.fixed]}


def dom_id(what: str, target: str) -> str:
    return re.sub(r"[^\w-]", "-", f"{what}-{target}" if target else what)


def editor(
    world: World,
    what: str,
    target: str,
    about: str,
    attempt: Attempt | None,
    memory: Memory | None = None,
) -> Editor:
    """The form of one thing as it stands now, with what was typed when an attempt at it was refused."""
    now, revision = edits.current(world, what, target, memory)
    mine = attempt if attempt and attempt.is_of(what, target) else None
    return Editor(
        what=what,
        target=target,
        about=about,
        revision=revision,
        inputs=tuple(_input(spec, now[spec.name], mine) for spec in SPECS[what]),
        fixed=tuple(_fixed(world, what, target)),
        values=now,
        is_open=mine is not None,
        is_stale=bool(mine and mine.is_stale),
        sentence=mine.sentence if mine and not mine.field else "",
    )


def posted(what: str, target: str, fields: Fields) -> Posted:
    """What a form or a script sent. A form leaves out ticks that are not set; a script, what it does not change."""
    values, typed = {}, {}
    for spec in SPECS.get(what, ()):
        seen = fields.line(f"seen_{spec.name}")
        if not (fields.has(spec.name) or seen):
            continue
        text = ("on" if fields.flag(spec.name) else "") if spec.kind == "tick" else fields.text(spec.name)
        typed[spec.name] = text
        if seen != _mark(text):
            values[spec.name] = _value(spec, text)
    release = fields.line("release")
    releases = (release,) if release else ()
    revision = fields.whole("revision", NO_REVISION, NO_REVISION, _REVISION_MOST)
    return Posted(what, target, {} if release else values, typed, revision, releases)


def _input(spec: Field, now: Any, attempt: Attempt | None) -> Input:
    stored = _text(spec, now)
    shown = Input(spec.name, spec.label, spec.kind, stored, _mark(stored))
    if attempt is None or spec.name not in attempt.touched:
        return shown
    typed = attempt.typed[spec.name]
    newer = _spoken(spec, stored) if attempt.is_stale and typed != stored else None
    wrong = attempt.sentence if attempt.field == spec.name else ""
    return shown._replace(value=typed, newer=newer, wrong=wrong)


def _fixed(world: World, what: str, target: str) -> list[tuple[str, str]]:
    """The whole place is one value to the one who moves it; everything else is fixed field by field."""
    fixed = world.state.fixed
    if what == "note":
        return []
    if what in ("place", "clock", "weather"):
        spec = SPECS[what][0]
        return [(spec.name, spec.label)] if what in fixed else []
    return [
        (spec.name, spec.short or spec.label)
        for spec in SPECS[what]
        if f"{what}:{target}:{spec.name}" in fixed
    ]


def _text(spec: Field, value: Any) -> str:
    """A value as its form field holds it."""
    match spec.kind:
        case "tick":
            return "on" if value else ""
        case "list":
            return ", ".join(" ".join(one.split()) for one in value)
        case "lines":
            return "\n".join(" ".join(one.split()) for one in value)
        case "time":
            day, hour = story_time.for_input(value)
            return f"{day}T{hour}" if day else ""
        case "line":
            return " ".join(str(value).split())
        case _:
            return str(value)


def _value(spec: Field, text: str) -> Any:
    """What was typed as the value it stands for; whether it makes sense is decided elsewhere."""
    match spec.kind:
        case "tick":
            return bool(text)
        case "list":
            return tuple(re.split(r"[,\n]", text))
        case "lines":
            return tuple(text.split("\n"))
        case _:
            return text


def _spoken(spec: Field, text: str) -> str:
    """A newer value in words, to be read beside what was typed."""
    match spec.kind:
        case "tick":
            return "yes" if text else "no"
        case "time":
            return story_time.spoken(text) or "no time"
        case "weight":
            return SIGNIFICANCE[int(text)]
        case "stands":
            return dict(NOTE_PLACES)[text]
        case _:
            return text or "nothing"


def _mark(text: str) -> str:
    """Stands for the value a field was opened on; line ends count as browsers send them."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return sha256(plain.encode("utf-8", "replace")).hexdigest()[:_SEEN_CHARS]
