"""The one line above the composer: what is happening, and what to do next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from chat.domain.turns import Turn, is_spoken
from chat.web.views.faces import face

if TYPE_CHECKING:
    from chat.engine.run import RunStatus

_AT_REST = {
    "idle": "Your turn. Write what happens next.",
    "stopped": "The reply was stopped. Write on, or have it written again.",
}
_AT_WORK = {
    "thinking": "The reply is on its way.",
    "reasoning": "The reply is being thought over.",
    "tool_running": "A step of the reply is under way.",
    "summarizing": "The scene is being summed up.",
    "waiting_approval": "A change waits for your decision.",
}
_WHAT_TO_DO = "Read along, or stop it."
_MEANWHILE = "You can write on meanwhile."


class StatusView(msgspec.Struct, frozen=True):
    """`status` is one of the seven; `turn_id` names the reply that Stop would stop.

    `is_draft`: what is being written, and can be stopped, is a draft of the player's own turn.
    `wait_s` is how many seconds it is until the server is asked again, None when that is not what is waited for.
    """

    status: str
    sentence: str
    turn_id: str | None = None
    wait_s: int | None = None
    is_draft: bool = False


def status_view(status: RunStatus, last: Turn | None) -> StatusView:
    if status.turn_id:
        told = status.detail or _AT_WORK.get(status.status, _AT_WORK["thinking"])
        if status.wait_s is not None:
            return StatusView(status.status, told, status.turn_id, math.ceil(status.wait_s))
        return StatusView(status.status, f"{told} {_WHAT_TO_DO}", status.turn_id)
    if status.is_draft:
        return StatusView(status.status, f"{status.detail} {_MEANWHILE}", is_draft=True)
    if status.detail:
        return StatusView(status.status, f"{status.detail} {_MEANWHILE}")
    if last and face(last):
        how = "not whole" if last.text.strip() else "missing"
        return StatusView(status.status, f"The last reply is {how}. Have it written again, or write on.")
    if last and last.role == "user" and is_spoken(last.segments):
        return StatusView(status.status, "Nobody has answered this yet. Ask for the reply, or write on.")
    return StatusView(status.status, _AT_REST.get(status.status, _AT_REST["idle"]))


def as_json(view: StatusView) -> dict[str, Any]:
    return {
        "status": view.status,
        "detail": view.sentence,
        "turn_id": view.turn_id,
        "asked_again_in_s": view.wait_s,
    }
