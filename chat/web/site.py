"""The web application: routes, files, error pages and the wall around them, put together in one place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from chat.clock import Clock
from chat.settings import Settings
from chat.web import assets, failures, lean, stream
from chat.web.assets import Assets
from chat.web.pages import environment
from chat.web.routes import (
    backups,
    bots,
    chats,
    drawer,
    erase,
    health,
    impersonate,
    kickoff,
    local_servers,
    parts,
    portraits,
    reset,
    rewording,
    shortcuts,
    story_map,
    transcripts,
    travel,
    turns,
)
from chat.web.routes import settings as settings_routes
from chat.web.security import SecurityMiddleware

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
ROUTERS = (
    turns.router,
    parts.router,
    chats.router,
    travel.router,
    transcripts.router,
    rewording.router,
    story_map.router,
    impersonate.router,
    shortcuts.router,
    drawer.router,
    bots.router,
    reset.router,
    erase.router,
    kickoff.router,
    settings_routes.router,
    local_servers.router,
    portraits.router,
    backups.router,
    health.router,
    stream.router,
    assets.router,
)


_NO_TELEMETRY: TelemetryConfig = {
    "auto_configure": False,
    "tracing": False,
    "metrics": False,
    "logs": False,
}
"""The framework would send addresses and errors of requests wherever the environment of this process says."""


def create_site(settings: Settings, *, clock: Clock, lifespan: Lifespan, port: int | None = None) -> FastAPI:
    """The app. Its lifespan sets `app.state.engine` before the first request and stops it after the last."""
    lean.give_back()
    site = FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    files = Assets()
    site.state.assets = files
    site.state.templates = environment(files)
    site.state.models = []
    site.state.port = port if port is not None else settings.port
    # As if each stood here: a router that is included is searched twice for each request.
    for router in ROUTERS:
        site.router.routes.extend(router.routes)
    failures.install(site)
    site.add_middleware(SecurityMiddleware, body_bytes=settings.limits.body_bytes, new_id=clock.new_id)
    return site
