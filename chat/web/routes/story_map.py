"""The story map: a picture of a chat's branches with its table, a look at any moment of it, and the named moments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from chat.domain.names import apart
from chat.errors import ChatError, NotFound
from chat.web import failures
from chat.web.failures import Notice, status_of
from chat.web.forms import read_fields
from chat.web.pages import engine_of, is_htmx, json_response, page, part, see_other, wants_json
from chat.web.views.map_nodes import Look, StoryMap, read_map
from chat.web.views.map_ways import address
from chat.web.views.moment import moment_json, read_moment
from chat.web.views.story_map import map_json, map_view

router = APIRouter()
Step = Annotated[int | None, Query(ge=0, lt=2**53)]
_STEP_MAX = 2**53


@router.get("/chats/{chat_id}/map")
async def get_map(
    request: Request,
    chat_id: str,
    branch: str = "",
    step: Step = None,
    along: str = "",
    until: Step = None,
    fan: Step = None,
    skip: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> Response:
    """The branches of a chat as a picture and as a table. `branch` and `step` name the moment that is looked at.

    `along` draws the story as that branch tells it, `until` the part that ends with a step, `fan` all that leaves
    after one (without the first `skip`). As JSON the whole map, and the moment if one is named.
    """
    look = Look(along, until, fan, skip)
    return await map_page(request, chat_id, look, branch, step)


@router.post("/chats/{chat_id}/checkpoints")
async def post_checkpoint(request: Request, chat_id: str) -> Response:
    """Names a moment (`name`): right after a `turn` of the story, or after a `step` of a `branch`, or now."""
    engine, fields = engine_of(request), await read_fields(request)
    branch, step = fields.line("branch"), fields.whole("step", 0, 0, _STEP_MAX)
    try:
        if branch:
            made = await engine.name_moment(chat_id, branch, step, fields.text("name"))
        else:
            made = await engine.name_turn(chat_id, fields.line("turn"), fields.text("name"))
    except ChatError as error:
        return await _refused(request, chat_id, error, fields.text("name"), branch, step)
    if wants_json(request):
        return json_response({"checkpoint_id": made}, 201)
    if not branch and is_htmx(request):
        name = engine.store.library.checkpoints[made].name
        told = Notice(
            f"This moment is called “{apart(name)}”. The story map leads back to it.",
            tone="plain",
            is_passing=True,
        )
        return part(request, ("_error_fragment.html", {"notice": told}))
    return see_other(request, _of(request, chat_id, made))


@router.post("/chats/{chat_id}/checkpoints/{checkpoint_id}/rename")
async def post_rename(request: Request, chat_id: str, checkpoint_id: str) -> Response:
    """Calls a checkpoint something else (`name`)."""
    engine, fields = engine_of(request), await read_fields(request)
    try:
        await engine.rename_checkpoint(chat_id, checkpoint_id, fields.text("name"))
    except ChatError as error:
        return await _refused(request, chat_id, error, fields.text("name"))
    return see_other(request, _of(request, chat_id, checkpoint_id))


@router.post("/chats/{chat_id}/checkpoints/{checkpoint_id}/remove")
async def post_remove(request: Request, chat_id: str, checkpoint_id: str) -> Response:
    """Takes a name away from a moment; the moment stays, and the name can be given again."""
    engine = engine_of(request)
    there = _of(request, chat_id, checkpoint_id)
    await engine.remove_checkpoint(chat_id, checkpoint_id)
    return see_other(request, there)


def _of(request: Request, chat_id: str, checkpoint_id: str) -> str:
    """Where a checkpoint is looked at."""
    found = engine_of(request).store.library.checkpoints.get(checkpoint_id)
    if found is None or found.chat_id != chat_id:
        return f"/chats/{chat_id}/map"
    return address(chat_id, Look(), branch=found.branch_id, step=found.step) + "#moment"


async def map_page(
    request: Request,
    chat_id: str,
    look: Look,
    branch: str = "",
    step: int | None = None,
    *,
    notice: Notice | None = None,
    status: int = 200,
    typed: str = "",
) -> Response:
    """The page, or for htmx its two parts. `typed` is a name that was refused."""
    engine = engine_of(request)
    story = await engine.store.read(lambda reader: read_map(reader, engine.store.library, chat_id, look))
    at = (branch, 10**15 if step is None else step) if branch else story.here
    moment = await read_moment(engine, story, *at)
    if wants_json(request):
        return json_response(map_json(story) | ({"moment": moment_json(moment)} if branch else {}))
    view = {
        "chat_id": chat_id,
        "chat": story.chat,
        "map": map_view(story, (moment.branch_id, moment.step)),
        "moment": moment,
        "is_picked": bool(branch),
        "checkpoints": _listed(story),
        "typed": typed,
        "notice": notice,
        "steps": await engine.undo_steps(chat_id),
    }
    if is_htmx(request):
        return part(request, ("_map.html", view), ("_moment.html", view))
    return await page(request, "pages/map.html", view, status=status, chat_id=chat_id)


def _listed(story: StoryMap) -> list[tuple[str, str]]:
    """Every checkpoint of the chat: where it is looked at, and its name."""
    chat_id = story.chat.id
    return [
        (address(chat_id, Look(), branch=one.branch_id, step=one.step) + "#moment", one.name)
        for one in story.checkpoints
    ]


async def _refused(
    request: Request, chat_id: str, error: ChatError, typed: str, branch: str = "", step: int | None = None
) -> Response:
    """A name that was refused stays in its box."""
    if wants_json(request) or isinstance(error, NotFound):
        raise error
    if is_htmx(request):
        return failures.fragment(request, Notice.of(error), status_of(error))
    notice, status = Notice.of(error), status_of(error)
    return await map_page(request, chat_id, Look(), branch, step, notice=notice, status=status, typed=typed)
