"""The opening of a story as a form: from a draft to fields and back, with nothing lost on the way."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from chat.domain.kickoff import ActivityDraft, KickoffDraft
from chat.domain.library import Library
from chat.domain.names import apart
from chat.web import story_time
from chat.web.forms import Fields

AUDIBLE_RANGES = (
    ("room", "through the room"),
    ("none", "not at all"),
    ("near", "a step or two"),
    ("far", "far"),
)
ATTENTIONS = (("low", "little attention"), ("medium", "some attention"), ("high", "all attention"))
MINUTES_MAX = 100_000


def continuities(bot_name: str) -> tuple[tuple[str, str], ...]:
    return (
        ("main", f"Shared: {apart(bot_name)} remembers the other chats"),
        ("own", f"On its own: {apart(bot_name)} has never met you before"),
    )


class Carried(NamedTuple):
    """Where a bot's feelings come from, and what a story on its own begins with instead."""

    chat_id: str
    title: str
    instead: str


def carried(draft: KickoffDraft, library: Library) -> Carried | None:
    chat = library.chats.get(draft.carried_from)
    if chat is None or draft.fresh is None:
        return None
    fresh = draft.fresh
    words = [f"affinity {fresh.affinity}", f"trust {fresh.trust}"]
    words += [f"“{fresh.summary}”"] if fresh.summary else []
    words += [f"{len(fresh.facts)} {'fact' if len(fresh.facts) == 1 else 'facts'}"] if fresh.facts else []
    return Carried(chat.id, chat.title, ", ".join(words))


def to_form(draft: KickoffDraft) -> dict[str, Any]:
    """Every field as the form shows it."""
    day, hour = story_time.for_input(draft.start_at)
    values = {name: getattr(draft, name) for name in draft.__struct_fields__ if name not in ("you", "bot")}
    values |= {"start_date": day, "start_time": hour, "facts": "\n".join(draft.facts)}
    for who, activity in (("you", draft.you), ("bot", draft.bot)):
        for name in activity.__struct_fields__:
            values[f"{who}_{name}"] = getattr(activity, name)
        values[f"{who}_holding"] = ", ".join(activity.holding)
        values[f"{who}_expected_minutes"] = activity.expected_minutes or ""
    return values


def from_form(fields: Fields, draft: KickoffDraft) -> KickoffDraft:
    """The draft with what was posted. A form always posts its text fields; without one, the draft's value stays."""
    texts = {
        name: fields.line(name)
        for name in ("title", "place_name", "place_type", "feeling_summary", "you_id")
        if fields.has(name) and fields.line(name) != Fields({name: getattr(draft, name)}).line(name)
    }
    texts |= {name: fields.text(name) for name in ("prose", "opening") if fields.has(name)}
    return msgspec.structs.replace(
        draft,
        **texts,
        **_choices(fields, draft),
        start_at=story_time.from_input(fields.line("start_date"), fields.line("start_time"), draft.start_at),
        you=_activity(fields, "you", draft.you),
        bot=_activity(fields, "bot", draft.bot),
        affinity=fields.whole("affinity", draft.affinity, 0, 100),
        trust=fields.whole("trust", draft.trust, 0, 100),
        facts=_facts(fields, draft.facts),
    )


def _choices(fields: Fields, draft: KickoffDraft) -> dict[str, Any]:
    """Ticks are posted only when set, so they count as unset only when the form around them was posted."""
    chosen: dict[str, Any] = {}
    if fields.has("audible_range"):
        chosen["audible_range"] = fields.choice("audible_range", tuple(value for value, _ in AUDIBLE_RANGES))
    if fields.has("continuity"):
        chosen["continuity"] = fields.choice("continuity", ("main", "own"))
    if fields.has("place_name"):
        chosen |= {name: fields.flag(name) for name in ("is_moving", "is_public", "bot_speaks_first")}
    return chosen


def _activity(fields: Fields, who: str, activity: ActivityDraft) -> ActivityDraft:
    if not fields.has(f"{who}_posture", f"{who}_action"):
        return activity
    minutes = fields.whole(f"{who}_expected_minutes", 0, 0, MINUTES_MAX)
    attention = fields.choice(f"{who}_required_attention", tuple(value for value, _ in ATTENTIONS))
    return ActivityDraft(
        posture=fields.line(f"{who}_posture"),
        action=fields.line(f"{who}_action"),
        attention=fields.line(f"{who}_attention"),
        holding=split_on_commas(fields.line(f"{who}_holding")),
        is_interruptible=fields.flag(f"{who}_is_interruptible"),
        required_attention=attention,  # type: ignore[arg-type]
        expected_minutes=minutes or None,
    )


def split_on_commas(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _facts(fields: Fields, known: tuple[str, ...]) -> tuple[str, ...]:
    """Facts that were left as they were shown stay exactly what they are, so that they still count as carried over."""
    shown = Fields({"facts": "\n".join(known)}).text("facts")
    if not fields.has("facts") or fields.text("facts") == shown:
        return known
    return _lines(fields.text("facts"))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split("\n") if line.strip())
