"""The transcript as a page shows it: entries in order, headings where scene or hour change, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from markupsafe import Markup

from chat.domain.kickoff import NARRATOR
from chat.domain.library import Library
from chat.domain.turns import Turn
from chat.domain.versions import EDITED, TurnVersion
from chat.store.views import Alternative
from chat.web import story_time
from chat.web.markup import render_turn
from chat.web.views import travel
from chat.web.views.travel import Rewrite, Swipe

WINDOW = 50
"""Turns on a page; older ones are a link away, so a long story costs what a short one does."""

_rendered = lru_cache(maxsize=500)(render_turn)
"""The HTML of the turns shown last: a stored turn is rendered once, not once a page."""

_ENDED = {
    "user_stop": "You stopped this reply here.",
    "budget_exceeded": "The reply ended here, because a limit was reached.",
    "length": "The reply ended here, because it reached the length set in Settings.",
}


class Heading(NamedTuple):
    place: str
    time: str


class Forgot(NamedTuple):
    """A mark in the story: from this step on bots that were reset know nothing of what came before."""

    step: int
    sentence: str


@dataclass(frozen=True)
class Entry:
    """One turn ready for its template. `kind` is you, bot or opening; `trouble` a sentence, if any.

    `swipe` is there for a reply that is not the only one at its place, `rewrite` for one's own latest turn, `version`
    is the event that gave it its present words, 0 for the first; `forgot` says who was reset right before it.
    """

    id: str
    step: int
    kind: str
    speaker: str
    name: str
    html: Markup
    is_running: bool
    trouble: str = ""
    can_retry: bool = False
    can_continue: bool = False
    heading: Heading | None = None
    hour: str = ""
    swipe: Swipe | None = None
    rewrite: Rewrite | None = None
    forgot: Forgot | None = None
    is_edited: bool = False
    version: int = 0


@dataclass(frozen=True)
class TranscriptView:
    """A window of the story. `older` is the step before which there is more; `newer` when this is not the end."""

    entries: list[Entry]
    older: int | None = None
    newer: bool = False
    forgot: Forgot | None = None
    """Who was reset behind the last entry."""


def entries(
    turns: Sequence[Turn],
    library: Library,
    places: Mapping[str, str],
    *,
    running_text: str = "",
    is_end: bool,
    alternatives: Mapping[str, Sequence[Alternative]] = MappingProxyType({}),
    versions: Mapping[str, Sequence[TurnVersion]] = MappingProxyType({}),
) -> list[Entry]:
    """Turns (oldest first) as entries. `places` names each scene's place; only at the end is there a retry."""
    made, before = [], None
    rewrites = travel.rewrites(turns) if is_end else {}
    for turn in turns:
        last = is_end and turn is turns[-1]
        entry = _entry(turn, before, library, places, running_text, last)
        swipe = travel.swipe(turn, alternatives.get(turn.id, ()))
        known = versions.get(turn.id, ())
        version = known[-1].event_id if known else 0
        is_edited = any(one.made == EDITED for one in known)
        rewrite = rewrites.get(turn.id)
        made.append(replace(entry, swipe=swipe, rewrite=rewrite, version=version, is_edited=is_edited))
        before = turn
    return made


def forgotten(resets: Mapping[str, int], library: Library, after: int, before: int) -> Forgot | None:
    """The bots that were reset between two steps; None when none was."""
    found = {library.name_of(bot): step for bot, step in resets.items() if after < step < before}
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
    is_last: bool,
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
        trouble=trouble(turn),
        can_retry=is_last and _is_reply(turn),
        can_continue=is_last and _is_reply(turn) and bool(turn.text.strip()),
        heading=Heading(places.get(turn.scene_id, ""), story_time.spoken(turn.at)) if is_new_scene else None,
        hour=story_time.spoken(turn.at) if has_jumped else "",
    )


def _is_reply(turn: Turn) -> bool:
    return turn.role == "assistant" and turn.origin == "reply" and not turn.is_running


def _kind(turn: Turn) -> str:
    if turn.role == "user":
        return "you"
    return "opening" if turn.speaker == NARRATOR else "bot"


def trouble(turn: Turn) -> str:
    """Why a reply is not whole, in the words it was stored with; empty for a whole one."""
    if turn.error_message:
        return f"{turn.error_message} {turn.error_next_step}".strip()
    if turn.stop_reason in _ENDED and turn.stop_reason != "length":
        return _ENDED[turn.stop_reason]
    return _ENDED["length"] if turn.truncated else ""


def as_json(
    turn: Turn,
    library: Library,
    running_text: str = "",
    alternatives: Sequence[Alternative] = (),
    versions: Sequence[TurnVersion] = (),
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
        "error": {"code": turn.error_code, "message": turn.error_message, "next_step": turn.error_next_step}
        if turn.error_message
        else None,
        "story_time": turn.at,
        "written_at": turn.ts,
        "model": turn.model,
        "alternatives": [one._asdict() for one in alternatives],
        "version": versions[-1].event_id if versions else 0,
        "versions": 1 + len(versions),
    }
