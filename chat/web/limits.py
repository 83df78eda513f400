"""Takes a posted body in whole before any page sees it, and gives up on what is too large or too slow.

Handlers never meet half a body, so nothing can be half done.
"""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive

from chat.web.refusals import BAD_LENGTH, TOO_SLOW, Refusal, too_large

BODY_S = 60
# A browser shows an answer only once its upload was taken, so a refused body is read to its end, up to this.
DRAINED_BYTES = 64_000_000


class ClientGone(Exception):
    """The client left while sending; there is nobody to answer."""


def declared_length(value: bytes | None, limit_bytes: int) -> Refusal | None:
    """Refuses a Content-Length that is no number, or so large that reading on would help nobody."""
    if value is None:
        return None
    if not (value.isdigit() and len(value) < 19):
        return BAD_LENGTH
    return too_large(limit_bytes) if int(value) > DRAINED_BYTES else None


async def take_body(receive: Receive, limit_bytes: int, within_s: float = BODY_S) -> bytes | Refusal:
    """The body, or why it is refused. Raises ClientGone."""
    try:
        async with asyncio.timeout(within_s):
            return await _counted(receive, limit_bytes)
    except TimeoutError:
        return TOO_SLOW


def given_back(body: bytes, receive: Receive) -> Receive:
    """Hands the body to the handler in one piece, then whatever the connection says next."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


async def _counted(receive: Receive, limit_bytes: int) -> bytes | Refusal:
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= DRAINED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size <= limit_bytes:
            parts.append(part)
        else:
            parts.clear()
        more = message.get("more_body", False)
    return b"".join(parts) if size <= limit_bytes else too_large(limit_bytes)
