"""Turns: writing one, stopping and repeating the reply, the draft, and the fragments that live updates fetch."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter, Request, Response

from chat.errors import ChatError, NotFound, StoreError, TextNotStorable
from chat.store import views
from chat.web.failures import Notice, status_of
from chat.web.forms import check_storable, read_fields
from chat.web.pages import engine_of, is_htmx, json_response, part, see_other, wants_json
from chat.web.routes.chats import Number, chat_page, composer, story_view, unstored_notice
from chat.web.views.status import as_json as status_json
from chat.web.views.story import LATEST, Story, read_story, read_with_drawer
from chat.web.views.transcript import WINDOW

router = APIRouter()
_TURNS_AFTER = 8
"""Steps shown after a turn that a link leads to, so that it can be read in its place."""


async def post_turn(request: Request) -> Response:
    """Takes the player's turn (`prose`, `idempotency_key`) and starts the reply."""
    chat_id, prose = request.path_params["chat_id"], ""
    try:
        fields = await read_fields(request, checked=False)
        prose = fields.text("prose")
        check_storable(prose)
        accepted = await engine_of(request).take_turn(chat_id, prose, fields.line("idempotency_key"))
    except ChatError as error:
        if wants_json(request) or is_htmx(request) or isinstance(error, NotFound):
            raise
        return await _given_back(request, chat_id, prose, error)
    if wants_json(request):
        return json_response({"turn_id": accepted.turn_id, "reply_id": accepted.reply_id}, 202)
    if is_htmx(request):
        return await turns_part(request, chat_id, {accepted.turn_id, accepted.reply_id})
    return see_other(request, f"/chats/{chat_id}")


# FastAPI's own routes take longer to find out what a handler wants than the rest of the way to it does; here one waits.
router.add_route("/chats/{chat_id}/turns", post_turn, methods=["POST"])


@router.post("/chats/{chat_id}/turns/{turn_id}/stop")
async def post_stop(request: Request, chat_id: str, turn_id: str) -> Response:
    """Stops a reply; what had arrived is kept. Stopping one that has ended changes nothing."""
    stopped = await engine_of(request).stop_reply(chat_id, turn_id)
    if wants_json(request):
        return json_response({"stopped": stopped})
    if is_htmx(request):
        return await turns_part(request, chat_id, set())
    return see_other(request, f"/chats/{chat_id}")


@router.put("/chats/{chat_id}/draft", status_code=204)
async def put_draft(request: Request, chat_id: str) -> Response:
    """Keeps what stands in the box (`prose`), so that it is there in every tab and after a restart."""
    fields = await read_fields(request)
    await engine_of(request).save_composer_draft(chat_id, fields.text("prose"))
    return Response(status_code=204)


@router.get("/chats/{chat_id}/draft")
async def get_draft(request: Request, chat_id: str) -> Response:
    """What is kept for the box: words that were not sent, or that an undo gave back."""
    story = await read_story(engine_of(request), chat_id, limit=1)
    if wants_json(request):
        return json_response({"prose": story.draft, "head": story.head})
    return part(request, ("_composer.html", {"chat_id": chat_id, "composer": composer(request, story)}))


@router.get("/chats/{chat_id}/transcript")
async def get_transcript(
    request: Request, chat_id: str, before: Number = None, since: Number = None
) -> Response:
    """A window of the story: its end, what lies `before` a step, or only what was written `since` an event."""
    story = await read_story(engine_of(request), chat_id, before)
    newer = {turn.id for turn in story.turns if since is None or turn.is_running or turn.event_id > since}
    if wants_json(request):
        turns = [turn for turn in story.turns_as_json() if turn["id"] in newer]
        return json_response({"head": story.head, "turns": turns, "before": _older(story)})
    if since is None:
        return part(request, ("_transcript.html", story_view(story)))
    return part(request, *entries(story, newer))


@router.get("/chats/{chat_id}/turns/{turn_id}")
async def get_turn(request: Request, chat_id: str, turn_id: str) -> Response:
    """One turn of the visible line; as a page of its own it leads to its place in the story.

    A tab may ask for a turn of which it was told before it hears that the story went elsewhere: that is no error, and
    there is nothing to show for it.
    """
    story = await _story_with(request, chat_id, turn_id)
    if story is None and is_htmx(request):
        return Response(status_code=204)
    if story is None:
        raise NotFound("There is no such turn on this line of the story.")
    if wants_json(request):
        return json_response(next(turn for turn in story.turns_as_json() if turn["id"] == turn_id))
    if not is_htmx(request):
        window = "" if story.before is None else f"?before={story.before + _TURNS_AFTER}"
        return see_other(request, f"/chats/{chat_id}{window}#turn-{turn_id}")
    return part(request, *entries(story, {turn_id}))


@router.get("/chats/{chat_id}/status")
async def get_status(request: Request, chat_id: str) -> Response:
    """What is happening in a chat, in a sentence."""
    story = await read_story(engine_of(request), chat_id, limit=1)
    if wants_json(request):
        return json_response({**status_json(story.status), "head": story.head})
    return part(request, status_part(story))


@router.get("/chats/{chat_id}/notice")
async def get_notice(request: Request, chat_id: str) -> Response:
    """What has to be known before anything else in a chat: that its latest reply could not be stored, if so."""
    story = await read_story(engine_of(request), chat_id, limit=1)
    notice = unstored_notice(story)
    if wants_json(request):
        told = notice and {"message": notice.message, "next_step": notice.next_step}
        return json_response({"notice": told})
    return part(request, *([("_error_fragment.html", {"notice": notice})] if notice else []))


async def _given_back(request: Request, chat_id: str, prose: str, error: ChatError) -> Response:
    """A refused turn of a plain form: the page again, with every word still in the box and in the kept draft."""
    engine = engine_of(request)
    if prose.strip() and not isinstance(error, TextNotStorable):
        with suppress(StoreError):  # the page below holds the words anyway
            await engine.save_composer_draft(chat_id, prose)
    story = await read_with_drawer(engine, chat_id)
    return await chat_page(request, story, text=prose, notice=Notice.of(error), status=status_of(error))


async def turns_part(request: Request, chat_id: str, wanted: set[str | None]) -> Response:
    """Some turns and, out of band, the status line."""
    story = await read_story(engine_of(request), chat_id, limit=LATEST)
    return part(request, *entries(story, wanted), status_part(story, oob=True), status=202)


def status_part(story: Story, *, oob: bool = False) -> tuple[str, dict[str, object]]:
    view = {"chat_id": story.chat.id, "head": story.head, "status": story.status, "oob": oob}
    return "_status.html", view


def entries(story: Story, wanted: set[str | None] | set[str]) -> list[tuple[str, dict[str, object]]]:
    view = {"chat_id": story.chat.id, "head": story.head, "is_past": False}
    return [
        ("_turn.html", {**view, "entry": entry}) for entry in story.transcript.entries if entry.id in wanted
    ]


def _older(story: Story) -> int | None:
    return story.turns[0].step if story.has_more else None


async def _story_with(request: Request, chat_id: str, turn_id: str) -> Story | None:
    """The end of the story, or what `story_around` finds where the turn is older than that."""
    is_page = not (is_htmx(request) or wants_json(request))
    story = await read_story(engine_of(request), chat_id, limit=WINDOW if is_page else LATEST)
    if any(turn.id == turn_id for turn in story.turns):
        return story
    return await story_around(request, chat_id, turn_id)


async def story_around(request: Request, chat_id: str, turn_id: str) -> Story | None:
    """The window that ends with a turn; None when the turn is not on the visible line.

    Raises NotFound when it is no turn of this chat at all.
    """
    engine = engine_of(request)
    async with engine.store.reading() as reader:
        turn = await views.turn(reader, turn_id)
    if turn is None or turn.chat_id != chat_id:
        raise NotFound("There is no such turn in this chat.")
    story = await read_story(engine, chat_id, turn.step + 1, limit=2)
    return story if story.turns and story.turns[-1].id == turn_id else None
