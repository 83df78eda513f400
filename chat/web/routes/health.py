"""Whether the program is alive, whether it can write, and its figures."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from chat import __version__
from chat.engine.engine import Engine
from chat.errors import StoreError
from chat.observe import metrics
from chat.store import views
from chat.store.maintenance import sqlite_version
from chat.web.pages import engine_of, json_response, page, wants_json

router = APIRouter()
PATIENCE_S = 5
_READER_STAYS = (
    "The write-ahead log grows, because another program keeps reading the database. Nothing is at risk; "
    "close that program, and the next reply empties it."
)


_CALLED = {"head": "Last event", "sqlite": "SQLite", "write_ahead_log_bytes": "Bytes in the write-ahead log"}


@router.get("/health")
async def get_health(request: Request) -> Response:
    """That the program runs, and facts about it."""
    engine = engine_of(request)
    library = engine.store.library
    sqlite, is_fixed = sqlite_version()
    facts: dict[str, Any] = {
        "status": "ok",
        "version": __version__,
        "head": engine.store.head,
        "chats": len(library.chats),
        "bots": len(library.bots),
        "listening_tabs": engine.hub.subscriber_count(),
        "sqlite": sqlite if is_fixed else f"{sqlite} (older than the fix of its write-ahead log)",
        "write_ahead_log_bytes": engine.store.log_bytes,
        "warnings": _warnings(engine),
    }
    if wants_json(request) or "text/html" not in request.headers.get("accept", ""):
        return json_response(facts)
    shown = [(_called(name), _shown(value)) for name, value in facts.items()]
    return await page(request, "pages/health.html", {"facts": shown})


@router.get("/ready")
async def get_ready(request: Request) -> Response:
    """200 when a turn would be taken: the database is read and written and nothing is behind; else 503 and why."""
    engine = engine_of(request)
    store = engine.store
    checks, message = {"writable": False, "readable": False, "current": False}, ""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await store.execute(lambda state: [])  # through the writer and back, leaving nothing behind
            checks["writable"] = True
            async with store.reading() as reader:
                newer = await views.events(reader, store.head, limit=1)
            checks |= {"readable": True, "current": not newer}
        if closed_by := engine.runs.closed_by:
            checks["writable"], message = False, closed_by.message
    except StoreError as error:
        message = error.message
    except TimeoutError:
        message = f"The database did not answer within {PATIENCE_S} seconds."
    ready = all(checks.values())
    return json_response({"ready": ready, "checks": checks, "message": message}, 200 if ready else 503)


@router.get("/metrics")
async def get_metrics() -> Response:
    """The program's figures, in the text format of Prometheus."""
    text, media_type = metrics.metrics_page()
    return Response(text, media_type=media_type)


def _warnings(engine: Engine) -> list[str]:
    """Sentences about what is not as it should be, although everything works."""
    now = (_READER_STAYS if engine.store.is_log_long else "", engine.timekeeping.warning())
    return [*engine.store.warnings, *filter(None, now)]


def _shown(value: Any) -> str:
    return " ".join(value) or "none" if isinstance(value, list) else str(value)


def _called(name: str) -> str:
    return _CALLED.get(name) or name.replace("_", " ").capitalize()
