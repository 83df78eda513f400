"""What a live page asks for when it is told that something changed: turns and lines around them, all with one request.

Each part has an address of its own too; this one must never tell anything that those do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from chat.errors import Refused
from chat.web.pages import engine_of, json_response, part, wants_json
from chat.web.routes.travel import steps_json, steps_part
from chat.web.routes.turns import entries, status_part, story_around
from chat.web.views.ahead import Ahead
from chat.web.views.rail import item_json, rail
from chat.web.views.status import as_json as status_json
from chat.web.views.story import Story

router = APIRouter()
TURNS_MAX = 20
NAMES = ("rail", "steps", "status")


async def get_parts(request: Request) -> Response:
    """Turns of the visible line (`turn`, any number) and parts beside them (`part`: rail, steps, status).

    A turn that is not on the visible line any more is left out: the page was told of it before the story went
    elsewhere. A reply that is being stored is waited for.
    """
    chat_id = request.path_params["chat_id"]
    turns, names = request.query_params.getlist("turn"), request.query_params.getlist("part")
    if len(turns) > TURNS_MAX or not set(names) <= set(NAMES):
        raise Refused(
            f"At most {TURNS_MAX} turns can be asked for at once, and these parts: {', '.join(NAMES)}."
        )
    engine = engine_of(request)
    await engine.runs.ended(chat_id, turns)
    ahead: Ahead = request.app.state.ahead
    head, story = engine.store.head, await ahead.latest(chat_id)
    known = {turn.id for turn in story.turns}
    stories = [await story_around(request, chat_id, turn) for turn in turns if turn not in known]
    found = [*filter(None, stories), story]
    if wants_json(request):
        told = [turn for one in found for turn in one.turns_as_json() if turn["id"] in turns]
        return json_response({"head": head, "turns": told, **await _as_json(request, story, names)})
    shown = [one for each in found for one in entries(each, set(turns))]
    return part(request, *shown, *[await _part(request, story, name) for name in dict.fromkeys(names)])


# A reader waits, as where a turn is taken; see there why this is no route of FastAPI's own.
router.add_route("/chats/{chat_id}/parts", get_parts, methods=["GET"])


async def _part(request: Request, story: Story, name: str) -> tuple[str, dict[str, Any]]:
    chat_id = story.chat.id
    if name == "status":
        return status_part(story)
    if name == "steps":
        return await steps_part(request, chat_id)
    return "_rail.html", {"rail": await rail(engine_of(request), chat_id), "path": f"/chats/{chat_id}"}


async def _as_json(request: Request, story: Story, names: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if "status" in names:
        told["status"] = status_json(story.status)
    if "steps" in names:
        told["steps"] = await steps_json(request, story.chat.id)
    if "rail" in names:
        shown = await rail(engine_of(request), story.chat.id)
        told["rail"] = {"chats": [item_json(item) for item in shown.chats]}
    return told
