"""Settings: who you are, which server writes, and the colours of the page. The key is taken, never given back."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request, Response

from chat.errors import BlankText, ChatError, NotFound, Stale
from chat.llm.calls import Finding
from chat.web.failures import Notice, details, status_of
from chat.web.forms import Fields, read_fields
from chat.web.pages import THEMES, engine_of, is_htmx, json_response, page, part, see_other, wants_json
from chat.web.views import settings_form

router = APIRouter()
_OWN_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9/_.?=&-]*", re.ASCII)
_YEAR_S = 31_536_000
_KEPT = {"persona": "Your persona is saved.", "connection": "The connection is saved."}


@router.get("/settings")
async def get_settings(request: Request, kept: str = "") -> Response:
    """Personas and the connection; `kept` is what was just saved (persona or connection)."""
    engine = engine_of(request)
    if wants_json(request):
        return json_response(settings_form.as_json(engine.settings, engine.store.library))
    notice = Notice(_KEPT[kept], tone="plain") if kept in _KEPT else None
    return await settings_page(request, notice=notice)


@router.post("/settings")
async def post_settings(request: Request) -> Response:
    """Keeps a persona (`name`, `pronouns`, `persona`), the connection (`base_url`, `api_key`, models), or both."""
    fields = await read_fields(request)
    refused = await _kept(request, fields)
    kept = "connection" if settings_form.posts_connection(fields) else "persona"
    return refused or see_other(request, f"/settings?kept={kept}", **_told(request))


@router.post("/settings/test")
async def post_test(request: Request) -> Response:
    """Keeps the connection, then asks the server what works and says it in sentences."""
    fields = await read_fields(request)
    if refused := await _kept(request, fields):
        return refused
    engine = engine_of(request)
    try:
        probe = await engine.test_connection()
        findings = list(probe.findings)
        request.app.state.models = [model.id for model in probe.models]
    except ChatError as error:
        findings = [Finding("server", False, f"{error.message} {error.next_step}")]
    if wants_json(request):
        told = [{"what": one.what, "ok": one.ok, "sentence": one.sentence} for one in findings]
        return json_response({"findings": told, "models": request.app.state.models})
    return await settings_page(request, findings=findings)


@router.get("/settings/models")
async def get_models(request: Request) -> Response:
    """The models the server offers, for the lists of the form; an empty list when it does not answer."""
    try:
        models = [model.id for model in await engine_of(request).models()]
    except ChatError:
        models = []
    request.app.state.models = models
    if wants_json(request):
        return json_response({"models": models})
    return part(request, ("_models.html", {"models": models}))


@router.post("/settings/theme")
async def post_theme(request: Request) -> Response:
    """Chooses the colours (`theme`: system, light, dark or phosphor) and goes back to the page it came from."""
    fields = await read_fields(request)
    theme = fields.choice("theme", THEMES)
    back = fields.line("back")
    response = see_other(request, back if _OWN_PATH.fullmatch(back) else "/settings", theme=theme)
    response.set_cookie("theme", theme, max_age=_YEAR_S, httponly=True, samesite="strict")
    return response


async def _kept(request: Request, fields: Fields) -> Response | None:
    """Keeps what was posted; the page again with everything but the key when something was refused."""
    try:
        await _keep(request, fields)
    except Stale as error:
        if wants_json(request):
            newer = settings_form.words_of(error.current)
            return json_response({"error": {**details(error), "current": newer}}, status_of(error))
        return await settings_page(
            request, typed=fields.typed(), notice=Notice.of(error), status=status_of(error)
        )
    except ChatError as error:
        if wants_json(request) or is_htmx(request):
            raise
        return await settings_page(
            request, typed=fields.typed(), notice=Notice.of(error), status=status_of(error)
        )
    return None


async def _keep(request: Request, fields: Fields) -> None:
    engine = engine_of(request)
    library = engine.store.library
    if settings_form.posts_persona(fields):
        you_id = settings_form.which(library, fields.line("you_id"))
        known = library.people.get(you_id) if you_id else None
        if you_id and known is None:
            raise NotFound("There is no such persona.")
        persona = settings_form.persona_of(fields, known)
        if not persona.name.strip():
            raise BlankText(
                "Your persona needs a name.", "Write the name the bots should call you by.", field="name"
            )
    if settings_form.posts_connection(fields):
        await engine.update_connection(settings_form.connection_update(fields))
        request.app.state.models = []
    if settings_form.posts_persona(fields):
        await engine.author_you(you_id, persona, fields.line("revision"))


async def settings_page(
    request: Request,
    *,
    typed: dict[str, str] | None = None,
    findings: list[Finding] | None = None,
    notice: Notice | None = None,
    status: int = 200,
    local: dict[str, Any] | None = None,
) -> Response:
    """The page. `typed` is what was refused, `local` the servers found on this machine where that was waited for."""
    engine = engine_of(request)
    is_persona = bool(typed and "name" in typed)
    wrong = notice.field if notice else ""
    models: list[str] = request.app.state.models
    view = {
        "people": settings_form.personas(engine.store.library, typed if is_persona else None, wrong),
        "connection": settings_form.connection_view(engine.settings, models, typed, wrong),
        "probe": findings,
        "local": local or {"servers": None, "back": "settings"},
        "notice": notice,
    }
    return await page(request, "pages/settings.html", view, status=status)


def _told(request: Request) -> dict[str, Any]:
    engine = engine_of(request)
    return settings_form.as_json(engine.settings, engine.store.library)
