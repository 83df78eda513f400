"""Turns: one entry by one speaker. Their rows are kept for every branch, because each is a fact of its own event.

`changes` never looks at a world, so the same events give the same rows whatever branch is selected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from chat.domain.events import AssistantTurn, AssistantTurnStarted, DigestFinished, Event, Payload, UserTurn
from chat.domain.records import Change, Put, Record, Set
from chat.domain.segments import Segment
from chat.errors import BlankText, TextNotStorable, TextTooLong

NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
"""A NUL or half of an emoji: SQLite would cut a text at the one, and nothing can be written of the other."""


class Turn(Record, frozen=True):
    """`role` is user or assistant; `is_running` until the reply ended; `at` is story time, `ts` real time.

    `digest_outcome` is empty until what the reply changed was worked out.
    """

    table = "turns"
    id: str
    chat_id: str
    branch_id: str
    step: int
    role: str
    speaker: str
    text: str
    segments: tuple[Segment, ...] = ()
    present: tuple[str, ...] = ()
    is_running: bool = False
    truncated: bool = False
    stop_reason: str = ""
    error_code: str = ""
    error_message: str = ""
    error_next_step: str = ""
    reply_to: str | None = None
    model: str = ""
    call_id: str | None = None
    reasoning: str = ""
    origin: str = "reply"
    scene_id: str = ""
    at: str = ""
    ts: str = ""
    event_id: int = 0
    started_event_id: int | None = None
    idempotency_key: str = ""
    digest_outcome: str = ""


_encode = msgspec.json.Encoder().encode


def changes(event: Event) -> list[Change]:
    """The turn row an event makes or completes; empty for events that are not about a turn."""
    case = _CASES.get(type(event.data))
    return case(event, event.data) if case else []


def _said(event: Event, data: UserTurn) -> Turn:
    return Turn(
        id=data.turn_id,
        chat_id=event.stream.removeprefix("chat:"),
        branch_id=event.branch_id or "",
        step=event.step or 0,
        role="user",
        speaker=data.speaker,
        text=data.text,
        segments=data.segments,
        present=data.present,
        scene_id=data.scene_id,
        at=data.at,
        ts=event.ts,
        event_id=event.id,
        idempotency_key=data.idempotency_key,
    )


def _started(event: Event, data: AssistantTurnStarted) -> Turn:
    return Turn(
        id=data.turn_id,
        chat_id=event.stream.removeprefix("chat:"),
        branch_id=event.branch_id or "",
        step=event.step or 0,
        role="assistant",
        speaker=data.speaker,
        text="",
        is_running=True,
        reply_to=data.reply_to,
        model=data.model,
        ts=event.ts,
        event_id=event.id,
        started_event_id=event.id,
    )


def _ended(event: Event, data: AssistantTurn) -> dict[str, Any]:
    return {
        "speaker": data.speaker,
        "text": data.text,
        "segments": data.segments,
        "present": data.present,
        "truncated": data.truncated,
        "stop_reason": data.stop_reason,
        "error_code": data.error_code,
        "error_message": data.error_message,
        "error_next_step": data.error_next_step,
        "reply_to": data.reply_to,
        "model": data.model,
        "call_id": data.call_id,
        "reasoning": data.reasoning,
        "origin": data.origin,
        "scene_id": data.scene_id,
        "at": data.at,
        "ts": event.ts,
        "event_id": event.id,
    }


def _opened(event: Event, data: AssistantTurn) -> Turn:
    return Turn(
        id=data.turn_id,
        chat_id=event.stream.removeprefix("chat:"),
        branch_id=event.branch_id or "",
        step=event.step or 0,
        role="assistant",
        **_ended(event, data),
    )


def _finished(event: Event, data: AssistantTurn) -> Set:
    values = _ended(event, data)
    values["is_running"] = 0
    values["truncated"] = int(data.truncated)
    values["segments"] = _encode(data.segments).decode()
    values["present"] = _encode(data.present).decode()
    return Set(Turn.table, (data.turn_id,), values)


def _digested(event: Event, data: DigestFinished) -> list[Change]:
    """That of what was written on to a reply is kept with its version, see the world."""
    return [] if data.continued else [Set(Turn.table, (data.turn_id,), {"digest_outcome": data.outcome})]


def _replied(event: Event, data: AssistantTurn) -> list[Change]:
    return [Put(_opened(event, data)) if data.origin == "opening" else _finished(event, data)]


_CASES: dict[type[Payload], Callable[[Event, Any], list[Change]]] = {
    UserTurn: lambda event, data: [Put(_said(event, data))],
    AssistantTurnStarted: lambda event, data: [Put(_started(event, data))],
    AssistantTurn: _replied,
    DigestFinished: _digested,
}
KINDS = frozenset(_CASES)
"""What `changes` may be not empty for."""


def check_text(text: str, limit_chars: int, what: str = "one turn") -> str:
    """The player's words with line ends as LF, or a refusal that says why; nothing else is changed."""
    tidy = text.replace("\r\n", "\n").replace("\r", "\n")
    if not tidy.strip():
        raise BlankText("There is nothing to send: the text is blank.")
    if len(tidy) > limit_chars:
        raise TextTooLong(f"The text has {len(tidy):,} characters; {what} can have {limit_chars:,}.")
    if NOT_STORABLE.search(tidy):
        raise TextNotStorable(
            "The text holds a character that cannot be stored (a NUL or half of a broken emoji)."
        )
    return tidy


def is_spoken(segments: Sequence[Segment]) -> bool:
    """True when there is more than out-of-character talk, so that a reply makes sense."""
    return any(segment.kind != "ooc" and segment.text.strip() for segment in segments)
