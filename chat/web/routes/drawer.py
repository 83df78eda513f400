"""The drawer: what is true now in one chat. Read-only."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat.web.pages import engine_of, json_response, part, wants_json
from chat.web.views.drawer import as_json
from chat.web.views.story import read_story

router = APIRouter()


@router.get("/chats/{chat_id}/drawer")
async def get_drawer(request: Request, chat_id: str) -> Response:
    """Scene, clock, who is present and doing what, feelings, and what the last reply was told."""
    story = await read_story(engine_of(request), chat_id)
    if wants_json(request):
        return json_response({**as_json(story.drawer), "head": story.head})
    return part(request, ("_drawer.html", {"drawer": story.drawer, "head": story.head}))
