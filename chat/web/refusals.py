"""The small answers given before any page is asked: a sentence and a next step, as HTML, a fragment or JSON.

They repeat nothing of the request and load nothing but text, so they are safe to show to anyone.
"""

from __future__ import annotations

import json
from html import escape
from typing import NamedTuple

from starlette.types import Scope, Send

_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Refused</title></head>'
    "<body><main><h1>That was refused</h1><p>{message}</p><p>{next_step}</p></main></body></html>"
)
_FRAGMENT = (
    '<div hx-swap-oob="innerHTML:#notices"><div class="notice notice-error" role="alert">'
    '<p class="notice-message">{message}</p><p class="notice-next">{next_step}</p></div></div>'
)


class Refusal(NamedTuple):
    """`reason` is a stable code for scripts and figures; the sentences are for a person."""

    status: int
    reason: str
    message: str
    next_step: str


_OPEN_DIRECTLY = "Open the program at its own address, the one `chat serve` printed."
BAD_TARGET = Refusal(400, "bad_target", "The request does not name a page of this program.", _OPEN_DIRECTLY)
NO_HOST = Refusal(400, "bad_host", "The request does not say plainly which server it is for.", _OPEN_DIRECTLY)
FOREIGN_HOST = Refusal(
    403, "foreign_host", "This program does not answer under that name or port.", _OPEN_DIRECTLY
)
FOREIGN_ORIGIN = Refusal(
    403, "foreign_origin", "Another site or program asked for this, so nothing was done.", _OPEN_DIRECTLY
)
FRAMED = Refusal(403, "framed", "This program is not shown inside other pages.", _OPEN_DIRECTLY)
NOT_A_PAGE = Refusal(
    403, "foreign_origin", "Only pages can be reached by a link from elsewhere.", _OPEN_DIRECTLY
)
BAD_METHOD = Refusal(
    405,
    "bad_method",
    "This program does not know that kind of request.",
    "Use GET, POST, PUT, PATCH or DELETE.",
)
BAD_TYPE = Refusal(
    415, "bad_type", "The body is neither a form nor JSON, so nothing was done.",
    "Send application/x-www-form-urlencoded or application/json; multipart/form-data only with a portrait.",
)  # fmt: skip
BAD_LENGTH = Refusal(400, "bad_length", "The length of the request cannot be read.", "Send it again.")
TOO_SLOW = Refusal(
    408, "too_slow", "The text did not arrive in time, so nothing was stored.",
    "Send it again; what you wrote is still in the box.",
)  # fmt: skip
FILE_TOO_LARGE = Refusal(
    413, "too_large", "The file is larger than 12 MB, so nothing was changed.", "Choose a smaller one."
)


def too_large(limit_bytes: int) -> Refusal:
    return Refusal(
        413,
        "too_large",
        f"What you sent is larger than {limit_bytes // 1000} kB, so nothing was stored.",
        "Go back: what you wrote is still in the box. Shorten it and send it again.",
    )


async def refuse(refusal: Refusal, scope: Scope, send: Send) -> None:
    """Answers with the refusal. `send` adds the security headers."""
    asked = {name: value.lower() for name, value in scope["headers"] if name in (b"accept", b"hx-request")}
    kind, body, extra = _rendered(refusal, asked)
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *extra]
    if refusal.status == 405:
        headers.append((b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _rendered(refusal: Refusal, asked: dict[bytes, bytes]) -> tuple[bytes, bytes, list[tuple[bytes, bytes]]]:
    accept = asked.get(b"accept", b"")
    at_json, at_html = accept.find(b"application/json"), accept.find(b"text/html")
    if at_json >= 0 and (at_html < 0 or at_json < at_html):
        error = {"code": refusal.reason, "message": refusal.message, "next_step": refusal.next_step}
        return b"application/json", json.dumps({"error": error}).encode(), []
    as_fragment = asked.get(b"hx-request") == b"true"
    html = (_FRAGMENT if as_fragment else _PAGE).format(
        message=escape(refusal.message), next_step=escape(refusal.next_step)
    )
    return b"text/html; charset=utf-8", html.encode(), [(b"hx-reswap", b"none")] if as_fragment else []
