"""The drawer: what is true now in one chat, and changing it by hand.

An edit that is refused comes back with every word that was typed, and with the newer value where somebody was faster.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat.domain.people import is_you
from chat.domain.scenes import NextPlace
from chat.errors import ChatError, NotFound, Refused, Stale, StoreError
from chat.store import views
from chat.web.failures import Notice, details, status_of
from chat.web.forms import Fields, check_storable, read_fields
from chat.web.pages import engine_of, is_htmx, json_response, part, see_other, wants_json
from chat.web.routes.chats import chat_page
from chat.web.views import editors
from chat.web.views.drawer import as_json
from chat.web.views.editors import Attempt, Posted, dom_id
from chat.web.views.story import read_with_drawer

router = APIRouter()
_WINDOW = 16
"""Turns read for a drawer alone: enough to hold the last reply and what was withheld from it."""
NOTHING = "-"
"""Stands in an address for the one clock and the one weather, which have no id."""


@router.get("/chats/{chat_id}/drawer")
async def get_drawer(request: Request, chat_id: str, memory: str = "") -> Response:
    """Scene, clock, weather, who is present, feelings, memories and pins, and all about the last reply.

    `memory` names one whose form is wanted although its text is long.
    """
    return await _shown(request, chat_id, full=memory)


@router.post("/chats/{chat_id}/drawer/pin/{memory_id}")
async def post_pin(request: Request, chat_id: str, memory_id: str) -> Response:
    """Pins a memory (`pinned`: on) or lets it go (`pinned` empty)."""
    fields = await read_fields(request)
    try:
        await engine_of(request).pin(chat_id, memory_id, pinned=fields.flag("pinned"))
    except ChatError as error:
        attempt = Attempt("pin", memory_id, {}, frozenset(), _sentence(error))
        return await _refused(request, chat_id, attempt, error)
    return await _taken(request, chat_id, "memory", memory_id)


@router.post("/chats/{chat_id}/drawer/{what}/{target}")
async def post_edit(request: Request, chat_id: str, what: str, target: str) -> Response:
    """Changes an activity, edge ("source>target"), memory, place, or the clock or weather ("-"), by hand.

    The fields are those the drawer names as editable, with the `revision` they were seen at. `release` names a field
    that may change by itself again; `keep` leaves everything as it is. A stale edit is 409 with the newer value.
    """
    target = "" if target == NOTHING else target
    fields = await read_fields(request, checked=False)
    edit = editors.posted(what, target, fields)
    try:
        if not fields.has("keep"):
            await _edit(request, chat_id, edit)
    except ChatError as error:
        return await _refused(request, chat_id, _attempt(edit, error), error)
    return await _taken(request, chat_id, what, target)


@router.post("/chats/{chat_id}/scene/close")
async def post_close(request: Request, chat_id: str) -> Response:
    """Closes the scene and opens the next: at the place `name` (of a `place_type`), or right here without one.

    Of several bots those in `moved` come along; in a form each has a tick of its own, `moved:<id>`.
    """
    fields = await read_fields(request, checked=False)
    moved = await _moved(request, chat_id, fields)
    name, kind = fields.line("name"), fields.line("place_type")
    try:
        check_storable(name + kind)
        if fields.has("asks_who") and not moved and name:
            raise Refused("Nobody would be there.", "Choose at least one who comes along.")
        await engine_of(request).close_scene(chat_id, NextPlace(name, kind or "place", moved))
    except ChatError as error:
        typed = {"name": name, "place_type": kind, "moved": " ".join(moved)}
        attempt = Attempt("scene", "", typed, frozenset(typed), _sentence(error))
        return await _refused(request, chat_id, attempt, error)
    return await _taken(request, chat_id, "scene", "")


@router.post("/chats/{chat_id}/turns/{turn_id}/digest")
async def post_digest(request: Request, chat_id: str, turn_id: str) -> Response:
    """Works out once more what a reply changed, where that failed."""
    await engine_of(request).digest_again(chat_id, turn_id)
    if wants_json(request):
        return json_response({"started": True}, 202)
    return await _taken(request, chat_id, "reply", "")


async def _edit(request: Request, chat_id: str, edit: Posted) -> None:
    for text in edit.typed.values():
        check_storable(text)
    await engine_of(request).edit(chat_id, edit.what, edit.target, edit.values, edit.revision, edit.releases)


def _attempt(edit: Posted, error: ChatError) -> Attempt:
    return Attempt(
        edit.what,
        edit.target,
        edit.typed,
        frozenset(edit.values),
        _sentence(error),
        field=getattr(error, "field", ""),
        is_stale=isinstance(error, Stale),
    )


def _sentence(error: ChatError) -> str:
    return f"{error.message} {error.next_step}".strip()


async def _moved(request: Request, chat_id: str, fields: Fields) -> tuple[str, ...]:
    engine = engine_of(request)
    async with engine.store.reading() as reader:
        present = (await views.world(reader, chat_id)).state.present
    named = fields.text("moved").split("\n")
    return tuple(one for one in present if not is_you(one) and (one in named or fields.flag(f"moved:{one}")))


async def _taken(request: Request, chat_id: str, what: str, target: str) -> Response:
    """What came of it: the drawer again, back to its place on the page, or the newest values for a script."""
    if is_htmx(request):
        return await _shown(request, chat_id)
    if wants_json(request):
        story = await read_with_drawer(engine_of(request), chat_id, limit=_WINDOW, full=_memory(what, target))
        form = story.drawer(full=_memory(what, target)).form(what, target)
        return json_response({"head": story.head, **(form.as_json() if form else {})})
    return see_other(request, f"/chats/{chat_id}?drawer=open#{dom_id(what, target)}")


async def _refused(request: Request, chat_id: str, attempt: Attempt, error: ChatError) -> Response:
    """The drawer (or the page) with what was typed still in its fields; a script gets the newer values."""
    wants_error = wants_json(request) or isinstance(error, NotFound)
    if isinstance(error, Stale) and wants_json(request):
        return await _stale(request, chat_id, attempt, error)
    if wants_error or (is_htmx(request) and isinstance(error, StoreError)):
        raise error
    if is_htmx(request):
        return await _shown(request, chat_id, attempt, status=status_of(error))
    story = await read_with_drawer(engine_of(request), chat_id, full=_memory(attempt.what, attempt.target))
    notice = Notice.of(error) if isinstance(error, StoreError) else None
    return await chat_page(request, story, attempt=attempt, notice=notice, status=status_of(error))


async def _stale(request: Request, chat_id: str, attempt: Attempt, error: Stale) -> Response:
    full = _memory(attempt.what, attempt.target)
    story = await read_with_drawer(engine_of(request), chat_id, limit=_WINDOW, full=full)
    form = story.drawer(attempt, full).form(attempt.what, attempt.target)
    newer = {"current": dict(form.values), "revision": form.revision} if form else {"current": error.current}
    return json_response({"error": {**details(error), **newer}}, status_of(error))


async def _shown(
    request: Request, chat_id: str, attempt: Attempt | None = None, *, full: str = "", status: int = 200
) -> Response:
    wanted = full or (_memory(attempt.what, attempt.target) if attempt else "")
    story = await read_with_drawer(engine_of(request), chat_id, limit=_WINDOW, full=wanted)
    view = story.drawer(attempt, full)
    if wants_json(request):
        return json_response({**as_json(view), "head": story.head}, status)
    shown = {"chat_id": chat_id, "drawer": view, "head": story.head}
    return part(request, ("_drawer.html", shown), status=status)


def _memory(what: str, target: str) -> str:
    """The memory an edit is about: its form is shown again, however old it is."""
    return target if what in ("memory", "pin") else ""
