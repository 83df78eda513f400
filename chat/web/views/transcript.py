"""The transcript as a page shows it: entries in order, headings where scene or hour change, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from markupsafe import Markup
from msgspec.structs import replace

from chat.domain.kickoff import NARRATOR
from chat.domain.library import Library
from chat.domain.turns import Turn, is_spoken
from chat.domain.versions import EDITED, TurnVersion
from chat.store.views import Alternative
from chat.web import story_time
from chat.web.markup import render_turn
from chat.web.views import faces, travel
from chat.web.views.checkpoint_marks import Mark
from chat.web.views.demo_words import is_by_demo
from chat.web.views.faces import Face, Server
from chat.web.views.travel import Rewrite, Swipe

WINDOW, EARLIER = 24, 50
"""Turns a page comes with, some screens of them; and those that come with each step back, so a long story costs what a
short one does."""

_rendered = lru_cache(maxsize=500)(render_turn)
"""The HTML of the turns shown last: a stored turn is rendered once, not once a page."""


class Heading(NamedTuple):
    """Where and when. One that `goes_on` begins no scene: it tells where a window stands while no turn is above it."""

    place: str
    time: str
    goes_on: bool = False


class Forgot(NamedTuple):
    """A mark in the story: from this step on bots that were reset know nothing of what came before."""

    step: int
    sentence: str


class Entry(msgspec.Struct, frozen=True):
    """One turn ready for its template. `kind` is you, bot or opening; `face` tells of a reply that is not whole.

    `again` is what stands on the button that has it written anew, empty where there is none. `swipe` is there for a
    reply that is not the only one at its place, `rewrite` for one's own latest turn, `version` is the event that gave
    it its present words, 0 for the first; `forgot` says who was reset right before it, `by_demo` that the demo
    wrote it, `marks` are the checkpoints that lie behind it.
    """

    id: str
    step: int
    kind: str
    speaker: str
    name: str
    html: Markup
    is_running: bool
    face: Face | None = None
    again: str = ""
    can_continue: bool = False
    heading: Heading | None = None
    hour: str = ""
    swipe: Swipe | None = None
    rewrite: Rewrite | None = None
    forgot: Forgot | None = None
    is_edited: bool = False
    by_demo: bool = False
    version: int = 0
    marks: Sequence[Mark] = ()


class TranscriptView(msgspec.Struct, frozen=True):
    """A window of the story. `older` is the step before which there is more; `newer` when this is not the end."""

    entries: list[Entry]
    older: int | None = None
    newer: bool = False
    forgot: Forgot | None = None
    """Who was reset behind the last entry."""

    @property
    def by_demo(self) -> bool:
        """Whether words of the demo's are among these."""
        return any(entry.by_demo for entry in self.entries)


def window_of(before: int | None) -> int:
    """How many turns a page shows that ends before a step, or with the story (None)."""
    return WINDOW if before is None else EARLIER


def entries(
    turns: Sequence[Turn],
    library: Library,
    places: Mapping[str, str],
    *,
    running_text: str = "",
    is_end: bool,
    server: Server | None = None,
    alternatives: Mapping[str, Sequence[Alternative]] = MappingProxyType({}),
    versions: Mapping[str, Sequence[TurnVersion]] = MappingProxyType({}),
    marks: Mapping[str, Sequence[Mark]] = MappingProxyType({}),
    prior: Turn | None = None,
) -> list[Entry]:
    """Turns (oldest first) as entries. `places` names each scene's place; only at the end is there a retry.

    `prior` is the turn before the first of them, if there is one.

    `server` is what is known of the model's server; None while it is writing, so that nothing is offered then.
    """
    made, before = [], None
    rewrites = travel.rewrites(turns) if is_end else {}
    for turn in turns:
        asks = server if is_end and turn is turns[-1] else None
        entry = _entry(turn, before, library, places, running_text, asks)
        entry = replace(entry, marks=marks.get(turn.id, ()))
        swipe = travel.swipe(turn, alternatives.get(turn.id, ()))
        known = versions.get(turn.id, ())
        version = known[-1].event_id if known else 0
        is_edited = any(one.made == EDITED for one in known)
        rewrite = rewrites.get(turn.id)
        made.append(replace(entry, swipe=swipe, rewrite=rewrite, version=version, is_edited=is_edited))
        before = turn
    if prior and made and (heading := made[0].heading):
        made[0] = replace(made[0], heading=heading._replace(goes_on=_goes_on(prior, turns[0])))
    return made


def _goes_on(before: Turn, turn: Turn) -> bool:
    return before.scene_id == turn.scene_id and not story_time.has_jumped(before.at, turn.at)


def forgotten(resets: Mapping[str, int], library: Library, after: int, before: int) -> Forgot | None:
    """The bots that were reset between two steps; None when none was."""
    found = {library.spoken_name(bot): step for bot, step in resets.items() if after < step < before}
    if not found:
        return None
    know = "knows" if len(found) == 1 else "know"
    return Forgot(
        max(found.values()), f"{' and '.join(sorted(found))} {know} nothing of what came before this."
    )


def _entry(
    turn: Turn,
    before: Turn | None,
    library: Library,
    places: Mapping[str, str],
    running_text: str,
    server: Server | None,
) -> Entry:
    is_new_scene = bool(turn.scene_id) and (before is None or before.scene_id != turn.scene_id)
    has_jumped = before is not None and story_time.has_jumped(before.at, turn.at)
    return Entry(
        id=turn.id,
        step=turn.step,
        kind=_kind(turn),
        speaker=turn.speaker,
        name=library.name_of(turn.speaker),
        html=render_turn(running_text) if turn.is_running else _rendered(turn.text, turn.segments),
        is_running=turn.is_running,
        by_demo=is_by_demo(turn.model),
        face=(shown := faces.face(turn, server)),
        again=_again(turn, shown) if server else "",
        can_continue=bool(server)
        and _is_reply(turn)
        and bool(turn.text.strip())
        and not faces.continues(shown),
        heading=Heading(places.get(turn.scene_id, ""), story_time.spoken(turn.at)) if is_new_scene else None,
        hour=story_time.spoken(turn.at) if has_jumped else "",
    )


def _is_reply(turn: Turn) -> bool:
    return turn.role == "assistant" and turn.origin == "reply" and not turn.is_running


def _again(turn: Turn, shown: Face | None) -> str:
    """What stands on the quiet button of the latest turn; empty where its face has the same button already."""
    if turn.role == "user":
        return "Ask for the reply" if is_spoken(turn.segments) else ""
    if not _is_reply(turn):
        return ""
    if shown is None or shown.button is None:
        return "Retry" if shown else "Write it again"
    return "" if shown.button.address.endswith("/regenerate") and not shown.button.fields else "Retry"


def _kind(turn: Turn) -> str:
    if turn.role == "user":
        return "you"
    return "opening" if turn.speaker == NARRATOR else "bot"


def as_json(
    turn: Turn,
    library: Library,
    running_text: str = "",
    alternatives: Sequence[Alternative] = (),
    versions: Sequence[TurnVersion] = (),
    server: Server | None = None,
) -> dict[str, Any]:
    """A turn for a script: the words as they were written, not as HTML."""
    return {
        "id": turn.id,
        "step": turn.step,
        "role": turn.role,
        "speaker": {"id": turn.speaker, "name": library.name_of(turn.speaker)},
        "text": running_text if turn.is_running else turn.text,
        "status": "running" if turn.is_running else "truncated" if turn.truncated else "whole",
        "stop_reason": turn.stop_reason,
        "error": faces.as_json(faces.face(turn, server)) if turn.error_message else None,
        "story_time": turn.at,
        "written_at": turn.ts,
        "model": turn.model,
        "alternatives": [one._asdict() for one in alternatives],
        "version": versions[-1].event_id if versions else 0,
        "versions": 1 + len(versions),
    }
