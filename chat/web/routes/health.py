"""Whether the program is alive, whether it can write, and its figures."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from chat import __version__
from chat.observe import metrics
from chat.store import views
from chat.web.pages import engine_of, json_response, page, wants_json

router = APIRouter()


@router.get("/health")
async def get_health(request: Request) -> Response:
    """That the program runs, and facts about it."""
    engine = engine_of(request)
    library = engine.store.library
    facts: dict[str, Any] = {
        "status": "ok",
        "version": __version__,
        "head": engine.store.head,
        "chats": len(library.chats),
        "bots": len(library.bots),
        "listening_tabs": engine.hub.subscriber_count(),
        "warnings": list(engine.store.warnings),
    }
    if wants_json(request) or "text/html" not in request.headers.get("accept", ""):
        return json_response(facts)
    shown = [(name.replace("_", " ").capitalize(), _shown(value)) for name, value in facts.items()]
    return await page(request, "pages/health.html", {"facts": shown})


@router.get("/ready")
async def get_ready(request: Request) -> Response:
    """200 when the database can be read and written and nothing is behind; else 503 and why."""
    engine = engine_of(request)
    checks: dict[str, Any] = {"writable": engine.store.fault is None, "readable": True}
    problem = engine.store.fault
    async with engine.store.reading() as reader:
        newest = await views.events(reader, engine.store.head, limit=1)
    checks["current"] = not newest
    ready = all(checks.values())
    told = {"ready": ready, "checks": checks, "message": problem.message if problem else ""}
    return json_response(told, 200 if ready else 503)


@router.get("/metrics")
async def get_metrics() -> Response:
    """The program's figures, in the text format of Prometheus."""
    return Response(metrics.metrics_text(), media_type=metrics.CONTENT_TYPE)


def _shown(value: Any) -> str:
    return "; ".join(value) or "none" if isinstance(value, list) else str(value)
