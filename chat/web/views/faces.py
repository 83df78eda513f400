"""What a failed reply looks like: what happened, what it means for the story, and the one button that helps.

Pure: a stored turn and what is known of the server just now go in. Every code of a failure has its line here.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import msgspec

from chat.domain.turns import Turn

Way = Literal["retry", "less", "other", "settings", "again"]


class Server(NamedTuple):
    """What a face needs to know beyond its turn: another model there is, and how long the server wants to rest."""

    other_model: str = ""
    rest_s: float = 0.0


class Button(NamedTuple):
    """A link when `is_link`, else a form that posts `fields` to the address."""

    label: str
    address: str
    fields: dict[str, str]
    is_link: bool = False


class Face(msgspec.Struct, frozen=True):
    """`wait_s` is there when waiting helps: whole seconds until the server may be asked again."""

    code: str
    what: str
    means: str
    next_step: str
    button: Button | None = None
    wait_s: int | None = None


_WAYS: dict[str, tuple[Way, str]] = {
    "auth": ("settings", "api_key"),
    "payment": ("settings", "api_key"),
    "model_not_found": ("settings", "narrative_model"),
    "wrong_address": ("settings", "base_url"),
    "web_page": ("settings", "base_url"),
    "refused": ("settings", "narrative_model"),
    "invalid_request": ("settings", "connection"),
    "does_not_fit": ("settings", "connection"),
    "thoughts_only": ("settings", "reply_tokens"),
    "context_too_long": ("less", ""),
    "busy": ("other", ""),
    "declined": ("other", ""),
    "held_back": ("other", ""),
    "endless_reply": ("again", ""),
}
"""How each code is helped; everything else by writing on what there is, or by asking again."""

_STOPS = {
    "user_stop": ("stopped", "You stopped this reply here."),
    "budget_exceeded": ("budget", "The reply ended here, because a limit was reached."),
    "guardrail_triggered": ("guardrail", "A guardrail ended this reply."),
}
_LENGTH = ("length", "The reply ended here, because it reached the length set in Settings.")
_ON = "Have it written on from here, retry it, or go on yourself."
_LESS = "The next try tells the model less of what is long past; the story itself keeps everything."


def face(turn: Turn, server: Server | None = None) -> Face | None:
    """The face of a reply that is not whole, None for a whole one. Without a `server` it has no button: it is past."""
    if turn.is_running or turn.role != "assistant":
        return None
    if not turn.error_message:
        return _ended(turn, server)
    button = _button(turn, server) if server else None
    next_step = _next_step(turn, button)
    wait = wait_s(turn.error_code, server.rest_s) if server else None
    return Face(turn.error_code, turn.error_message, _means(turn), next_step, button, wait)


def _next_step(turn: Turn, button: Button | None) -> str:
    """What was stored, unless the button that is offered now has a better word for it."""
    if button and turn.error_code == "context_too_long":
        return _LESS
    return _ON if button and button.address.endswith("/continue") else turn.error_next_step


def continues(shown: Face | None) -> bool:
    """Whether the one button of a face writes the reply on."""
    return bool(shown and shown.button and shown.button.address.endswith("/continue"))


def _ended(turn: Turn, server: Server | None) -> Face | None:
    stopped = _STOPS.get(turn.stop_reason) or (_LENGTH if turn.truncated else None)
    if stopped is None:
        return None
    code, what = stopped
    button = _button(turn, server) if server else None
    return Face(code, what, "" if turn.text else _means(turn), "", button)


def _means(turn: Turn) -> str:
    if turn.text.strip():
        return "What had arrived is kept, and the story can go on from there."
    if turn.reply_to:
        return "Your turn is kept; it has no answer yet."
    return "Nothing of the story is lost; this reply has no words yet."


def _button(turn: Turn, server: Server) -> Button:
    usual: Way = "again" if turn.error_code.startswith("store") else "retry"
    way, field = _WAYS.get(turn.error_code, (usual, ""))
    if way == "settings":
        return Button("Open Settings", f"/settings#{field}", {}, is_link=True)
    address = f"/chats/{turn.chat_id}/turns/{turn.id}/regenerate"
    if way == "other" and server.other_model and turn.model != server.other_model:
        return Button(f"Ask {_short(server.other_model)} instead", address, {"other_model": "on"})
    if way == "retry" and turn.text.strip():
        return Button("Continue", f"/chats/{turn.chat_id}/turns/{turn.id}/continue", {})
    return Button("Retry with less of the past" if way == "less" else "Retry", address, {})


def _short(model: str) -> str:
    """A model's own name, without whoever published it."""
    return model.rsplit("/", 1)[-1]


def wait_s(code: str, rest_s: float) -> int | None:
    """Whole seconds to be waited after a failure of this kind, None where that does not help."""
    return math.ceil(rest_s) if code in ("rate_limited", "busy") and rest_s > 0 else None


def setting_of(code: str) -> str:
    """The setting that has to be changed before asking again helps; empty where none has."""
    way, field = _WAYS.get(code, ("retry", ""))
    return field if way == "settings" else ""


def as_json(shown: Face | None) -> dict[str, Any] | None:
    if shown is None or not shown.code:
        return None
    button = shown.button
    told = {
        "code": shown.code,
        "message": shown.what,
        "means": shown.means,
        "next_step": shown.next_step,
        "wait_s": shown.wait_s,
    }
    helps = button and {"label": button.label, "address": button.address, "fields": button.fields}
    return told | {"button": helps}
