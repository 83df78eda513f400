"""What stands behind the last reply: what its prompt held, what was recalled and why, and what came of it.

Everything is read from the log's own record of the reply; what a record does not hold is left unsaid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from chat.domain.events import (
    ActivityChange,
    ClockAdvanced,
    DigestFinished,
    EdgeSummarySet,
    EdgeUpdate,
    MemoryPinChanged,
    MemorySignificanceSet,
    MemoryWritten,
    Payload,
    SceneClosed,
    WeatherChanged,
)
from chat.domain.turns import Turn
from chat.web import story_time
from chat.web.views.drawer_facts import Facts
from chat.web.views.editors import SIGNIFICANCE
from chat.web.views.remembered import excerpt

FAILED = "failed"
_OUTCOMES = {
    "": "What it changed has not been worked out yet.",
    "ok": "",
    "partial": "Only a part of the answer could be read; that part counts.",
    "late": "The answer came late, so what would have moved the present was left as it was.",
    FAILED: "What it changed could not be worked out. The story goes on without it.",
}
_CLOSED = {
    "left_place": "The scene closed: the story went on to another place.",
    "time_skip": "The scene closed: much time passed.",
    "parted": "The scene closed: those who were there parted.",
}
"""Why a digest saw a scene end, as a reader is told it; who closed one by hand, or began anew, knows why."""
_NOTHING = "Nothing changed."
_CHOSEN_CHARS, _PASSED_OVER_CHARS = 140, 80


class Section(NamedTuple):
    name: str
    tokens: int


class Prompt(msgspec.Struct, frozen=True):
    """`notes` are sentences about what was not sent whole."""

    summary: str
    sections: list[Section]
    notes: list[str]


class Recall(NamedTuple):
    """A memory that was considered. `left_out` says why it was not told, empty for one that was."""

    text: str
    why: str
    left_out: str
    turn_id: str
    chat_id: str


class Withheld(NamedTuple):
    """Something the bot was not told. `turn_id` is empty where it is no turn."""

    what: str
    why: str
    turn_id: str


class Outcome(msgspec.Struct, frozen=True):
    """What the digest made of a reply. `dropped` says what was not believed and why, `unread` names what lies aside."""

    sentence: str
    changes: list[str]
    dropped: list[str]
    unread: list[str]
    can_retry: bool


class LastReply(msgspec.Struct, frozen=True):
    turn_id: str
    name: str
    prompt: Prompt | None
    chosen: list[Recall]
    passed_over: list[Recall]
    withheld: list[Withheld]
    outcome: Outcome | None


def last_reply(facts: Facts) -> LastReply | None:
    if facts.reply is None:
        return None
    manifest = facts.manifest or {}
    considered = [_recall(one, facts) for one in manifest.get("memories", ())]
    return LastReply(
        turn_id=facts.reply.id,
        name=facts.library.name_of(facts.reply.speaker),
        prompt=prompt(manifest) if manifest else None,
        chosen=[one for one in considered if not one.left_out],
        passed_over=[one for one in considered if one.left_out],
        withheld=[_withheld(one, facts) for one in manifest.get("withheld", ())],
        outcome=None if facts.reply.is_running else _outcome(facts, facts.reply),
    )


def as_json(reply: LastReply | None) -> dict[str, Any] | None:
    if reply is None:
        return None
    told, outcome = reply.prompt, reply.outcome
    return {
        "turn_id": reply.turn_id,
        "prompt": told
        and {"summary": told.summary, "sections": [s._asdict() for s in told.sections], "notes": told.notes},
        "recalled": [one._asdict() for one in reply.chosen],
        "passed_over": [one._asdict() for one in reply.passed_over],
        "withheld": [one._asdict() for one in reply.withheld],
        "digest": outcome
        and {
            "outcome": outcome.sentence or "ok",
            "changes": outcome.changes,
            "dropped": outcome.dropped,
            "quarantine": outcome.unread,
            "failed": outcome.can_retry,
        },
    }


def prompt(manifest: Mapping[str, Any]) -> Prompt:
    """Sizes of the parts that were sent, and sentences about what was not."""
    sent = [one for one in manifest.get("sections", ()) if not one.get("trimmed")]
    sections = [Section(_words(one["name"]), one.get("tokens", 0)) for one in sent]
    if manifest.get("turns_tokens"):
        sections.append(Section(f"{manifest['turns']} earlier turns", manifest["turns_tokens"]))
    if manifest.get("player_tokens"):
        sections.append(Section("Your words", manifest["player_tokens"]))
    summary = f"{manifest.get('total_tokens', 0):,} of at most {manifest.get('hard_tokens', 0):,} tokens"
    return Prompt(summary, sections, list(_shortened(manifest)))


def _shortened(manifest: Mapping[str, Any]) -> Iterator[str]:
    trimmed = [_words(one["name"]).lower() for one in manifest.get("sections", ()) if one.get("trimmed")]
    clipped = [_words(one["name"]).lower() for one in manifest.get("sections", ()) if one.get("clipped")]
    if trimmed:
        yield f"Left out for want of room: {', '.join(trimmed)}."
    if clipped:
        yield f"Shortened: {', '.join(clipped)}."
    if count := len(manifest.get("turns_left_out", ())):
        yield f"{count} older {'turn was' if count == 1 else 'turns were'} left out for want of room."


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", ", ").capitalize()


def _recall(use: Mapping[str, Any], facts: Facts) -> Recall:
    memory = facts.recalled.get(use.get("memory_id", ""))
    left_out = "" if use.get("used") else use.get("left_out") or "no room in the prompt"
    if memory is None:
        return Recall(
            "A memory that is not on this line of the story any more.", use["why"], left_out, "", ""
        )
    text = excerpt(memory.text, _PASSED_OVER_CHARS if left_out else _CHOSEN_CHARS)
    return Recall(text, use.get("why", ""), left_out, memory.turn_id, memory.chat_id)


def _withheld(one: Mapping[str, str], facts: Facts) -> Withheld:
    turn = facts.recent.get(one["what"])
    if turn is None:
        return Withheld("An earlier turn" if one["what"].isalnum() else one["what"], one["why"], "")
    return Withheld(f"What {facts.library.spoken_name(turn.speaker)} said or did", one["why"], turn.id)


def _outcome(facts: Facts, reply: Turn) -> Outcome:
    name_of = facts.library.spoken_name
    finished = [event.data for event in facts.changes if isinstance(event.data, DigestFinished)]
    changes = [told for event in facts.changes for told in _told(event.data, name_of)]
    sentence = _OUTCOMES.get(reply.digest_outcome, "")
    nothing = not (sentence or changes)
    last = finished[-1:]
    return Outcome(
        sentence=_NOTHING if nothing else sentence,
        changes=list(dict.fromkeys(changes)),
        dropped=[reason for one in last for reason in one.dropped],
        unread=[case for one in last for case in one.quarantine_ids],
        can_retry=reply.digest_outcome == FAILED,
    )


Named = Callable[[str], str]


def _told(data: Payload, name_of: Named) -> Sequence[str]:
    """A change in sentences; none for what nobody needs to be told."""
    says = _SENTENCES.get(type(data))
    return says(data, name_of) if says else ()


def _edge(data: EdgeUpdate, name_of: Named) -> list[str]:
    source, target = name_of(data.source), name_of(data.target)
    deltas = [("affinity", data.affinity_delta), ("trust", data.trust_delta)]
    moved = " and ".join(f"{name} {delta:+d}".replace("-", "−") for name, delta in deltas if delta)
    told = [f"{source} toward {target}: {moved}, {data.reason}."] if moved else []
    return told + [f"{source} learned: {fact}" for fact in data.facts]


def _activity(data: ActivityChange, name_of: Named) -> list[str]:
    held = f"holding {', '.join(data.holding)}" if data.holding else ""
    doing = ", ".join(part for part in (data.posture, data.action, held) if part)
    return [f"{name_of(data.entity)}: {doing}."] if doing else []


def _weight(data: MemorySignificanceSet, name_of: Named) -> list[str]:
    return [f"It is kept as {SIGNIFICANCE[data.significance]}."] if 0 <= data.significance <= 3 else []


def _scene_memory(data: MemoryWritten, name_of: Named) -> list[str]:
    return [f"{name_of(data.owner)} keeps a memory of the whole scene."] if data.level == "scene" else []


_SENTENCES: dict[type, Callable[[Any, Named], Sequence[str]]] = {
    EdgeUpdate: _edge,
    ActivityChange: _activity,
    ClockAdvanced: lambda data, _: [f"It is {story_time.spoken(data.at)} now."],
    WeatherChanged: lambda data, _: [f"The weather: {data.weather}."],
    MemorySignificanceSet: _weight,
    MemoryPinChanged: lambda data, name_of: [
        f"{name_of(data.owner)} {'pinned it' if data.pinned else 'let an older pin go'}."
    ],
    MemoryWritten: _scene_memory,
    EdgeSummarySet: lambda data, name_of: [
        f"{name_of(data.source)} about {name_of(data.target)}: {data.summary}"
    ],
    SceneClosed: lambda data, _: [_CLOSED.get(data.reason, "The scene closed.")],
}
