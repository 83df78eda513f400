"""The live stream: server-sent events for any number of chats over one connection.

It only listens. A reply belongs to the engine, so a tab that goes away changes nothing. sse-starlette stays: it is in
the fixed set of dependencies, all of which are used; it is handed ready bytes, so it costs little.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import anyio
from fastapi import APIRouter, Query, Request
from sse_starlette.sse import EventSourceResponse

from chat.engine.engine import Engine
from chat.errors import NotFound

PING_S = 15
GRACE_S = 0.5
CHATS_MAX = 64

router = APIRouter()


@router.get("/events")
async def get_events(
    request: Request, chat: list[str] = Query(default=[]), after: str = ""
) -> EventSourceResponse:
    """One stream for several chats; `after` or Last-Event-ID resumes. A chat that is gone silences no other."""
    known = request.app.state.engine.store.library.chats
    return _stream(request, [one for one in chat[:CHATS_MAX] if one in known], after)


@router.get("/chats/{chat_id}/events")
async def get_chat_events(request: Request, chat_id: str, after: str = "") -> EventSourceResponse:
    """The same for one chat."""
    if chat_id not in request.app.state.engine.store.library.chats:
        raise NotFound("There is no such chat to listen to.")
    return _stream(request, [chat_id], after)


def _stream(request: Request, chat_ids: Sequence[str], after: str) -> EventSourceResponse:
    engine: Engine = request.app.state.engine
    last = after or request.headers.get("last-event-id", "")
    return EventSourceResponse(
        _frames(engine, chat_ids, last),
        ping=PING_S,
        headers={"Cache-Control": "no-store"},
        shutdown_event=_shutdown(request),
        shutdown_grace_period=GRACE_S,
    )


def _shutdown(request: Request) -> anyio.Event:
    """What ends the streams when the program stops. Made by the first one: it loads a whole event loop back end."""
    state = request.app.state
    if getattr(state, "stopping", None) is None:
        state.stopping = anyio.Event()
    stopping: anyio.Event = state.stopping
    return stopping


async def _frames(engine: Engine, chat_ids: Sequence[str], last: str) -> AsyncIterator[bytes]:
    """Subscribed first, then a snapshot for each chat, so nothing can fall between the two."""
    subscription = engine.hub.subscribe(chat_ids)
    try:
        event_id = _resumable(engine.hub.epoch, last)
        missed = None if event_id is None else subscription.missed(event_id)
        yield missed or subscription.snapshots() or b": listening\n\n"
        while body := await subscription.next():
            yield body
    finally:
        subscription.close()


def _resumable(epoch: str, last: str) -> int | None:
    """The event id of `<epoch>-<id>`; None for another epoch or anything that is not an id."""
    told, _, number = last.rpartition("-")
    return (
        int(number) if told == epoch and number.isascii() and number.isdigit() and len(number) < 19 else None
    )
