"""Answers a request with a page, a block of it, or JSON, whichever was asked for. It holds no facts of its own."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chat.domain.names import apart
from chat.errors import StoreDamaged, StoreError
from chat.web import story_time
from chat.web.assets import Assets
from chat.web.compiled import CompiledTemplates
from chat.web.markup import render_turn
from chat.web.portraits import monogram, speaker_hue
from chat.web.story_time import spoken_wait
from chat.web.views.editors import NOTE_PLACES, SIGNIFICANCE
from chat.web.views.rail import RailView, rail

if TYPE_CHECKING:
    from chat.engine.engine import Engine

_TEMPLATES = Path(__file__).parent / "templates"
_WORTH_SQUEEZING, _WORTH_SQUEEZING_A_PART = 1400, 20_000
_NOT_IN_HTML = re.compile("[\x00\ud800-\udfff]")
THEMES = ("system", "light", "dark", "phosphor")
_SCHEMES = {"system": "light dark", "light": "light"}
"""What a page is painted in before its style sheet is there; every other theme is dark."""


def environment(assets: Assets) -> Environment:
    """Templates escape everything; an unknown name in one is an error."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=CompiledTemplates(_TEMPLATES, Path(__file__)),
    )
    made.globals |= {
        "asset": assets.url,
        "themes": THEMES,
        "significance": SIGNIFICANCE,
        "note_places": NOTE_PLACES,
    }
    made.filters |= {
        "turn": render_turn,
        "apart": apart,
        "monogram": monogram,
        "hue": speaker_hue,
        "story_time": story_time.spoken,
        "story_clock": story_time.clock,
        "wait": spoken_wait,
    }
    made.globals["portrait"] = made.get_template("macros/portrait.html").module.portrait  # type: ignore[attr-defined]
    return made


SEND_KEYS = {
    "ctrl-enter": "Ctrl+Enter sends, Enter makes a new line",
    "enter": "Enter sends, Shift+Enter makes a new line",
}
"""What sends a turn, and how that is said."""


def send_key_of(request: Request) -> str:
    chosen = request.cookies.get("send_key", "")
    return chosen if chosen in SEND_KEYS else next(iter(SEND_KEYS))


def engine_of(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


def is_htmx(request: Request) -> bool:
    """True for a request by a part of a page; going back in history is a request for the whole page."""
    return (
        request.headers.get("hx-request") == "true"
        and request.headers.get("hx-history-restore-request") != "true"
    )


def wants_json(request: Request) -> bool:
    """True when JSON is named before HTML in `Accept`; browsers name HTML first."""
    accept = request.headers.get("accept", "").lower()
    at_json, at_html = accept.find("application/json"), accept.find("text/html")
    return at_json >= 0 and (at_html < 0 or at_json < at_html)


def theme_of(request: Request) -> str:
    chosen = request.cookies.get("theme", "system")
    return chosen if chosen in THEMES else "system"


async def page(
    request: Request,
    template: str,
    view: Mapping[str, Any],
    *,
    status: int = 200,
    chat_id: str = "",
    with_rail: bool = True,
) -> Response:
    """The whole page in its frame. `chat_id` is the chat that the rail marks as the open one."""
    shown = await _rail(engine_of(request), chat_id) if with_rail else None
    env: Environment = request.app.state.templates
    html = env.get_template(template).render({**frame(request), "rail": shown, **view})
    return html_response(request, html, status=status)


async def _rail(engine: Engine, chat_id: str) -> RailView | None:
    """None where a damaged database cannot be read: the page (the backups, say) is needed all the more."""
    try:
        return await rail(engine, chat_id)
    except StoreError:
        if not isinstance(engine.store.fault, StoreDamaged):
            raise
        return None


def part(request: Request, *parts: tuple[str, Mapping[str, Any]], status: int = 200) -> Response:
    """Parts of pages, one after the other, as one fragment."""
    env: Environment = request.app.state.templates
    html = "".join(
        env.get_template(f"parts/{name}").render({**frame(request), **view}) for name, view in parts
    )
    return html_response(request, html, status=status)


def html_response(request: Request, html: str, *, status: int = 200) -> Response:
    """HTML that no cache keeps. A page is squeezed where the browser reads that, a part of one only if it is large."""
    headers = {"Cache-Control": "no-store", "Vary": "HX-Request, Accept, Accept-Encoding, Cookie"}
    body = _NOT_IN_HTML.sub("\ufffd", html).encode()
    reads_gzip = "gzip" in request.headers.get("accept-encoding", "")
    if reads_gzip and len(body) > (_WORTH_SQUEEZING_A_PART if is_htmx(request) else _WORTH_SQUEEZING):
        body = gzip.compress(body, 1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, media_type="text/html; charset=utf-8")


def json_response(data: Any, status: int = 200) -> Response:
    return JSONResponse(data, status, {"Cache-Control": "no-store", "Vary": "Accept"})


def see_other(request: Request, address: str, **data: Any) -> Response:
    """Where to go after a form: 303, a header for htmx, or the data for a script. `address` is our own path."""
    if wants_json(request):
        return json_response({**data, "location": address})
    if is_htmx(request):
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


def _path(request: Request) -> str:
    """The address of the page itself, also where a form's answer shows it."""
    path = request.url.path
    if request.method == "POST" and path.startswith("/chats/"):
        return "/".join(path.split("/")[:3])
    return path.removesuffix("/test") if request.method == "POST" else path


def frame(request: Request) -> dict[str, Any]:
    """What every page and part may show besides its own content."""
    engine, theme = engine_of(request), theme_of(request)
    return {
        "head": engine.store.head,
        "oob": False,
        "theme": theme,
        "scheme": _SCHEMES.get(theme, "dark"),
        "path": _path(request),
        "fault": engine.store.fault,
        "is_damaged": isinstance(engine.store.fault, StoreDamaged),
        "is_demo": engine.is_demo,
        "by_demo": False,
        "first_run": not engine.store.library.chats,
        "epoch": engine.hub.epoch,
        "face": engine.face,
        "send_key": send_key_of(request),
        "notice": None,
        "rewriting": "",
    }
