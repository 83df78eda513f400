"""Versions of a turn: its words after the player changed them or a reply was written on, on one line of the story.

The turn's own row keeps its first words for every branch; a version is a row of the visible line alone, so going back
behind a change brings the earlier words back wherever they are shown.
"""

from __future__ import annotations

from chat.domain.events import Event, TurnContinued, TurnEdited, UserTurnEdit
from chat.domain.records import Record
from chat.domain.segments import Segment

EDITED, CONTINUED = "edited", "continued"
NOTHING_ADDED = "ok"
"""What there is to work out in a continuation without words."""


class TurnVersion(Record, frozen=True):
    """The newest step of a turn says what it reads now. `made` is edited or continued.

    `digest_outcome` belongs to what a continuation added; an edit leaves that of the turn as it is.
    """

    table = "turn_versions"
    key = ("turn_id", "step")
    turn_id: str
    step: int
    chat_id: str
    event_id: int
    made: str
    text: str
    segments: tuple[Segment, ...] = ()
    truncated: bool = False
    stop_reason: str = "complete"
    error_code: str = ""
    error_message: str = ""
    error_next_step: str = ""
    digest_outcome: str = ""
    ts: str = ""


def edited(chat_id: str, event: Event, data: UserTurnEdit | TurnEdited) -> TurnVersion:
    return TurnVersion(
        turn_id=data.turn_id,
        step=event.step or 0,
        chat_id=chat_id,
        event_id=event.id,
        made=EDITED,
        text=data.text,
        segments=data.segments,
        ts=event.ts,
    )


def continued(chat_id: str, event: Event, data: TurnContinued) -> TurnVersion:
    return TurnVersion(
        turn_id=data.turn_id,
        step=event.step or 0,
        chat_id=chat_id,
        event_id=event.id,
        made=CONTINUED,
        text=data.text,
        segments=data.segments,
        truncated=data.truncated,
        stop_reason=data.stop_reason,
        error_code=data.error_code,
        error_message=data.error_message,
        error_next_step=data.error_next_step,
        digest_outcome="" if data.text != data.prior else NOTHING_ADDED,
        ts=event.ts,
    )
