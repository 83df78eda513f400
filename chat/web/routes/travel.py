"""Going back and forth in a story: rewind, undo, redo, alternatives, and the latest exchange written anew.

Nothing here is lost by going, so nothing is asked twice; a reply that is being written has to be stopped first, and the
refusal offers that (`stop` in the form does both at once).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from chat.domain import chats
from chat.engine.timeline import Moved
from chat.errors import ChatError, NotFound, TurnRunning
from chat.store import views
from chat.web import failures
from chat.web.failures import Notice, Offer, status_of
from chat.web.forms import Fields, check_storable, read_fields
from chat.web.pages import engine_of, is_htmx, json_response, page, part, see_other, wants_json
from chat.web.routes.chats import chat_page
from chat.web.routes.turns import status_part, turns_part
from chat.web.views import travel
from chat.web.views.story import read_story, read_with_drawer

router = APIRouter()
_STEP_MAX = 2**53
Step = Annotated[int | None, Query(ge=0, lt=_STEP_MAX)]


@router.get("/chats/{chat_id}/steps")
async def get_steps(request: Request, chat_id: str) -> Response:
    """What Undo and Redo would do, in words; empty when there is nothing."""
    if wants_json(request):
        return json_response(await steps_json(request, chat_id))
    return part(request, await steps_part(request, chat_id))


async def steps_json(request: Request, chat_id: str) -> dict[str, Any]:
    """The same for a script: the steps and what they would do, null where there is nothing."""
    steps = await engine_of(request).undo_steps(chat_id)
    told = {"undo_told": steps.undo_told, "redo_told": steps.redo_told}
    return {"undo": steps.undo, "redo": steps.redo, **told}


async def steps_part(request: Request, chat_id: str) -> tuple[str, dict[str, Any]]:
    """The two buttons as a part of the page."""
    steps = await engine_of(request).undo_steps(chat_id)
    return "_steps.html", {"chat_id": chat_id, "steps": steps}


@router.post("/chats/{chat_id}/undo")
async def post_undo(request: Request, chat_id: str) -> Response:
    """Takes the last action back, whatever it was; words that were said come back into an empty box."""
    return await _went(request, chat_id, travel.UNDO, lambda: engine_of(request).undo(chat_id))


@router.post("/chats/{chat_id}/redo")
async def post_redo(request: Request, chat_id: str) -> Response:
    """Does again what was undone last."""
    return await _went(request, chat_id, travel.REDO, lambda: engine_of(request).redo(chat_id))


@router.post("/chats/{chat_id}/branches/{branch_id}/select")
async def post_select(request: Request, chat_id: str, branch_id: str, step: Step = None) -> Response:
    """Goes on from another branch: as it was left (so the arrows between replies work), or from after a `step`."""
    fields = await read_fields(request)
    if step is None and fields.has("step"):
        step = fields.whole("step", 0, 0, _STEP_MAX)
    if step is not None:
        at, there, again = step, engine_of(request).go_to, f"{request.url.path}?step={step}"
        return await _went(request, chat_id, travel.MOMENT, lambda: there(chat_id, branch_id, at), again)
    return await _went(
        request, chat_id, travel.SWIPE, lambda: engine_of(request).select_branch(chat_id, branch_id)
    )


@router.post("/chats/{chat_id}/checkpoints/{checkpoint_id}/go")
async def post_go(request: Request, chat_id: str, checkpoint_id: str) -> Response:
    """Comes back to a moment that has a name; what is left for it stays on its own branch."""
    back = engine_of(request).come_back
    return await _went(request, chat_id, travel.CHECKPOINT, lambda: back(chat_id, checkpoint_id))


@router.get("/chats/{chat_id}/turns/{turn_id}/rewind")
async def get_rewind(request: Request, chat_id: str, turn_id: str) -> Response:
    """What going back to right after a turn would leave behind, before it is done."""
    engine = engine_of(request)
    impact = await engine.impact(chat_id, turn_id)
    async with engine.store.reading() as reader:
        turn = await views.turn(reader, turn_id)
    if turn is None:
        raise NotFound("There is no such turn in this chat.")
    going = travel.going_back(turn, engine.store.library, impact)
    if wants_json(request):
        return json_response({"turn_id": turn_id, **travel.as_json(impact), "sentences": going.losses})
    view = {"chat_id": chat_id, "chat": chats.known(engine.store.library.chats.get(chat_id)), "going": going}
    if is_htmx(request):
        return part(request, ("_rewind.html", view))
    return await page(request, "pages/rewind.html", view, chat_id=chat_id)


@router.post("/chats/{chat_id}/turns/{turn_id}/rewind")
async def post_rewind(request: Request, chat_id: str, turn_id: str) -> Response:
    """Goes back to right after a turn; what came later stays on its own branch."""
    return await _went(request, chat_id, travel.REWIND, lambda: engine_of(request).rewind(chat_id, turn_id))


@router.post("/chats/{chat_id}/turns/{turn_id}/regenerate")
async def post_regenerate(request: Request, chat_id: str, turn_id: str) -> Response:
    """Writes the latest reply again, on a branch of its own; with `prose`, one's own turn before it too.

    `other_model` asks the other configured model; named with one's own latest turn, its missing reply is written.
    """
    engine, typed, fields = engine_of(request), None, Fields({})
    try:
        fields = await read_fields(request, checked=False)
        typed = fields.text("prose") if fields.has("prose") else None
        check_storable(typed or "")
        if fields.flag("stop"):
            await stop_running(request, chat_id)
        reply_id = await engine.retry(chat_id, turn_id, typed, with_other_model=fields.flag("other_model"))
    except ChatError as error:
        offer = await offer_to_stop(
            request, error, "write it again", fields, "prose", "other_model", about=turn_id
        )
        return await refused(request, chat_id, error, offer, rewriting=typed or "")
    if wants_json(request):
        return json_response({"reply_id": reply_id}, 202)
    if is_htmx(request):
        return await turns_part(request, chat_id, set())
    return see_other(request, f"/chats/{chat_id}")


async def _went(
    request: Request, chat_id: str, kind: str, go: Callable[[], Awaitable[Moved]], again: str = ""
) -> Response:
    """Goes, and answers with the way back: a notice and the buttons, the page, or where the story stands now.

    `again` is where the same is asked once more, if that is not the address alone.
    """
    engine = engine_of(request)
    fields = await read_fields(request)
    try:
        if fields.flag("stop"):
            await stop_running(request, chat_id)
        moved = await go()
    except ChatError as error:
        offer = Offer(again or request.url.path, f"Stop the reply and {_VERBS[kind]}", stops=True)
        return await refused(request, chat_id, error, offer if isinstance(error, TurnRunning) else None)
    steps = await engine.undo_steps(chat_id)
    if wants_json(request):
        where = {"branch_id": moved.branch_id, "what": moved.what, "words": moved.words}
        return json_response({**where, "undo": steps.undo, "redo": steps.redo, "head": engine.store.head})
    if not is_htmx(request):
        return see_other(request, f"/chats/{chat_id}?went={kind}")
    notice, story = travel.went(kind, steps, chat_id), await read_story(engine, chat_id, limit=1)
    told = [("_error_fragment.html", {"notice": notice})] if notice else []
    buttons = ("_steps.html", {"chat_id": chat_id, "steps": steps, "oob": True})
    return part(request, *told, buttons, status_part(story, oob=True))


_VERBS = {
    travel.REWIND: "go back",
    travel.SWIPE: "change it",
    travel.MOMENT: "go there",
    travel.CHECKPOINT: "go there",
    travel.UNDO: "undo",
    travel.REDO: "redo",
}


async def offer_to_stop(
    request: Request, error: ChatError, verb: str, fields: Fields, *names: str, about: str = ""
) -> Offer | None:
    """The button that ends the running reply and then does what was asked, with what was sent for it (`names`).

    Where that is `about` a reply, and another one is running by now, the reply that was to be written anew or on is the
    latest no more: stopping the other is not enough, so the way back to it is offered, as long as the story shows it.
    """
    if not isinstance(error, TurnRunning):
        return None
    chat_id = request.path_params["chat_id"]
    if about and about != error.turn_id:
        if await _is_behind(request, chat_id, about):
            return Offer(
                f"/chats/{chat_id}/turns/{about}/rewind", "Go back to that reply first", is_link=True
            )
        return Offer(f"/chats/{chat_id}/turns/{error.turn_id}/stop", "Stop the reply")
    sent = {name: fields.text(name) for name in names if fields.has(name)}
    return Offer(request.url.path, f"Stop the reply and {verb}", stops=True, fields=sent)


async def _is_behind(request: Request, chat_id: str, turn_id: str) -> bool:
    """True for a turn of the visible line with something told after it."""
    with suppress(NotFound):
        return bool((await engine_of(request).impact(chat_id, turn_id)).events)
    return False


async def stop_running(request: Request, chat_id: str) -> None:
    """Ends the reply that is being written, if one is."""
    engine = engine_of(request)
    if running := engine.status(chat_id).turn_id:
        await engine.stop_reply(chat_id, running)


async def refused(
    request: Request, chat_id: str, error: ChatError, offer: Offer | None, *, rewriting: str = ""
) -> Response:
    """A notice with the button that helps, if there is one; a plain form gets the page, with every word it sent."""
    if wants_json(request) or isinstance(error, NotFound):
        raise error
    notice, status = Notice.of(error, offer), status_of(error)
    if is_htmx(request):
        return failures.fragment(request, notice, status)
    story = await read_with_drawer(engine_of(request), chat_id)
    return await chat_page(request, story, notice=notice, status=status, rewriting=rewriting)
