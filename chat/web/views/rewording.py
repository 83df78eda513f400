"""A turn being changed in its place: its present words, and all it ever read on this line of the story."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from markupsafe import Markup

from chat.domain.library import Library
from chat.domain.turns import Turn
from chat.domain.versions import CONTINUED, TurnVersion
from chat.web.markup import render_turn
from chat.web.views.demo_words import is_by_demo


class Version(msgspec.Struct, frozen=True):
    """What a turn read before. `number` counts from 1, the first words; `how` says how they came about."""

    number: int
    how: str
    text: str
    html: Markup


class TurnEditor(msgspec.Struct, frozen=True):
    """The form of a turn. `text` stands in the box; `newer` is what somebody else made of the turn meanwhile, if so."""

    turn_id: str
    name: str
    is_own: bool
    text: str
    version: int
    earlier: list[Version]
    by_demo: bool
    newer: Markup | None = None


def turn_editor(
    first: Turn,
    versions: Sequence[TurnVersion],
    library: Library,
    typed: str | None = None,
    *,
    is_stale: bool = False,
) -> TurnEditor:
    """`first` is the turn with its first words; `typed` is what was refused and must not be lost."""
    told = _told(first, versions)
    now = told[-1]
    return TurnEditor(
        turn_id=first.id,
        name=library.name_of(first.speaker),
        is_own=first.role == "user",
        text=now.text if typed is None else typed,
        version=versions[-1].event_id if versions else 0,
        earlier=told[-2::-1],
        by_demo=is_by_demo(first.model),
        newer=now.html if is_stale else None,
    )


def words_of(first: Turn, versions: Sequence[TurnVersion], number: int) -> str | None:
    """What a turn read in one of its versions, counted from 1; None when there is no such version."""
    texts = [first.text, *(one.text for one in versions)]
    return texts[number - 1] if 1 <= number <= len(texts) else None


def as_json(first: Turn, versions: Sequence[TurnVersion]) -> dict[str, Any]:
    told = [{"number": 1, "made": "written", "event": 0, "text": first.text, "written_at": first.ts}]
    for number, one in enumerate(versions, 2):
        told.append(
            {
                "number": number,
                "made": one.made,
                "event": one.event_id,
                "text": one.text,
                "written_at": one.ts,
            }
        )
    return {"turn_id": first.id, "version": told[-1]["event"], "versions": told}


def _told(first: Turn, versions: Sequence[TurnVersion]) -> list[Version]:
    told = [Version(1, "As it was first written", first.text, render_turn(first.text, first.segments))]
    for number, one in enumerate(versions, 2):
        how = "Written on" if one.made == CONTINUED else "Changed by you"
        told.append(Version(number, how, one.text, render_turn(one.text, one.segments)))
    return told
