"""The one line above the composer: what is happening, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chat.domain.turns import Turn
from chat.web.views.transcript import trouble

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


@dataclass(frozen=True)
class StatusView:
    """`status` is one of the seven; `turn_id` names the reply that Stop would stop."""

    status: str
    sentence: str
    turn_id: str | None = None


def status_view(status: RunStatus, last: Turn | None) -> StatusView:
    if status.turn_id:
        told = status.detail or _AT_WORK.get(status.status, _AT_WORK["thinking"])
        return StatusView(status.status, f"{told} {_WHAT_TO_DO}", status.turn_id)
    if status.detail:
        return StatusView(status.status, f"{status.detail} {_MEANWHILE}")
    if last and last.role == "assistant" and trouble(last):
        return StatusView(status.status, "The last reply is not whole. Retry it, or write on.")
    if last and last.role == "user":
        return StatusView(status.status, "Nobody has answered this yet. Write on.")
    return StatusView(status.status, _AT_REST.get(status.status, _AT_REST["idle"]))


def as_json(view: StatusView) -> dict[str, Any]:
    return {"status": view.status, "detail": view.sentence, "turn_id": view.turn_id}
