"""A draft of the player's own turn, for the box and never for the story."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from chat import errors
from chat.engine.engine import Engine
from chat.engine.impersonate import Draft
from chat.errors import ChatError, NotFound
from chat.web import failures
from chat.web.failures import Notice, Offer, status_of
from chat.web.forms import read_fields
from chat.web.pages import engine_of, is_htmx, json_response, part, see_other, wants_json
from chat.web.routes.chats import chat_page
from chat.web.routes.turns import status_part
from chat.web.views import faces
from chat.web.views.story import read_story, read_with_drawer

router = APIRouter()
_MEANS = "There is no draft; the story and the words in the box are as they were."


@router.post("/chats/{chat_id}/impersonate")
async def post_impersonate(request: Request, chat_id: str) -> Response:
    """Drafts the player's next turn into the box, behind what is in it (`prose`, else what is kept for it).

    Nothing is posted by itself.
    """
    engine, typed = engine_of(request), None
    try:
        fields = await read_fields(request)
        typed = fields.text("prose") if fields.has("prose") else None
        draft = await engine.draft_turn(chat_id, typed)
    except ChatError as error:
        if wants_json(request) or isinstance(error, NotFound):
            raise
        return await _failed(request, chat_id, typed, error)
    if wants_json(request):
        told = {"draft": draft.words, "prose": draft.prose, "stopped": draft.is_stopped}
        return json_response({**told, "demo": engine.is_demo})
    if is_htmx(request):
        return await _parts(request, chat_id, draft)
    return see_other(request, f"/chats/{chat_id}#prose")


@router.post("/chats/{chat_id}/impersonate/stop")
async def post_stop_draft(request: Request, chat_id: str) -> Response:
    """Stops the draft that is being written; nothing of it goes into the box."""
    stopped = await engine_of(request).stop_draft(chat_id)
    if wants_json(request):
        return json_response({"stopped": stopped})
    if is_htmx(request):
        return await _parts(request, chat_id)
    return see_other(request, f"/chats/{chat_id}")


async def _parts(request: Request, chat_id: str, draft: Draft | None = None) -> Response:
    """The words for the box, if there are any, and the status line."""
    story = await read_story(engine_of(request), chat_id, limit=1)
    words = [("_draft.html", {"words": draft.words})] if draft and draft.words else []
    return part(request, *words, status_part(story, oob=True))


async def _failed(request: Request, chat_id: str, typed: str | None, error: ChatError) -> Response:
    engine, status = engine_of(request), status_of(error)
    notice = _notice(engine, chat_id, error)
    if is_htmx(request):
        return failures.fragment(request, notice, status)
    story = await read_with_drawer(engine, chat_id)
    return await chat_page(request, story, text=typed, notice=notice, status=status)


def _notice(engine: Engine, chat_id: str, error: ChatError) -> Notice:
    """What happened, what it means, and one button: the same ways out as for a reply that failed."""
    if not isinstance(error, errors.ProviderError):
        return Notice.of(error)
    about: dict[str, Any] = {"code": error.code, "means": _MEANS}
    if field := faces.setting_of(error.code):
        return Notice(
            error.message,
            error.next_step,
            offer=Offer(f"/settings#{field}", "Open Settings", is_link=True),
            **about,
        )
    wait_s = faces.wait_s(error.code, engine.server_notes.rest_s(engine.endpoint().name))
    again = Offer(f"/chats/{chat_id}/impersonate", "Draft again", form="composer")
    return Notice(error.message, error.next_step, offer=again, wait_s=wait_s, **about)
