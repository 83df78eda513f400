"""The live stream: server-sent events for any number of chats over one connection.

It only listens. A reply belongs to the engine, so a tab that goes away changes nothing. sse-starlette stays: it is in
the fixed set of dependencies, all of which are used; it is handed ready bytes, so it costs little.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio
from fastapi import APIRouter, Query, Request, Response
from sse_starlette.sse import EventSourceResponse
from starlette.types import Send

from chat.engine.engine import Engine
from chat.engine.hub import Subscription
from chat.errors import NotFound

PING_S = 15
GRACE_S = 0.5
CHATS_MAX = 64

router = APIRouter()


@router.get("/events")
async def get_events(request: Request, chat: list[str] = Query(default=[]), after: str = "") -> Response:
    """One stream for several chats; `after` or Last-Event-ID resumes. A chat that is gone silences no other."""
    known = request.app.state.engine.store.library.chats
    return _stream(request, [one for one in chat[:CHATS_MAX] if one in known], after)


@router.get("/chats/{chat_id}/events")
async def get_chat_events(request: Request, chat_id: str, after: str = "") -> Response:
    """The same for one chat."""
    if chat_id not in request.app.state.engine.store.library.chats:
        raise NotFound("There is no such chat to listen to.")
    return _stream(request, [chat_id], after)


def _stream(request: Request, chat_ids: Sequence[str], after: str) -> Response:
    engine: Engine = request.app.state.engine
    last = after or request.headers.get("last-event-id", "")
    return _Live(engine, chat_ids, last, _shutdown(request))


class _Live(EventSourceResponse):
    """Its pings, its end when the tab has gone and when the program stops are sse-starlette's; the frames are ready
    bytes and go out as they are, because what the library does to each of them costs more than all else here."""

    def __init__(self, engine: Engine, chat_ids: Sequence[str], last: str, shutdown: anyio.Event) -> None:
        super().__init__(
            iter(()),
            ping=PING_S,
            headers={"Cache-Control": "no-store"},
            shutdown_event=shutdown,
            shutdown_grace_period=GRACE_S,
        )
        self._engine, self._chat_ids, self._last = engine, chat_ids, last

    async def _stream_response(self, send: Send) -> None:
        """Subscribed first, then a snapshot for each chat, so nothing can fall between the two."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(start)
        subscription = self._engine.hub.subscribe(self._chat_ids)
        try:
            frames = self._first(subscription)
            while frames:
                await send({"type": "http.response.body", "body": frames, "more_body": True})
                frames = await subscription.next()
        finally:
            subscription.close()
        async with self._send_lock:
            self.active = False
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _first(self, subscription: Subscription) -> bytes:
        event_id = _resumable(self._engine.hub.epoch, self._last)
        missed = None if event_id is None else subscription.missed(event_id)
        return missed or subscription.snapshots() or b": listening\n\n"


def _shutdown(request: Request) -> anyio.Event:
    """What ends the streams when the program stops. Made by the first one: it loads a whole event loop back end."""
    state = request.app.state
    if getattr(state, "stopping", None) is None:
        state.stopping = anyio.Event()
    stopping: anyio.Event = state.stopping
    return stopping


def _resumable(epoch: str, last: str) -> int | None:
    """The event id of `<epoch>-<id>`; None for another epoch or anything that is not an id."""
    told, _, number = last.rpartition("-")
    return (
        int(number) if told == epoch and number.isascii() and number.isdigit() and len(number) < 19 else None
    )
