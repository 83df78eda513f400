"""A turn in other words: the form with every version of it, the change in its place, and going on from there.

What was typed is never lost: a refusal keeps it in its form, beside what the turn reads by now.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat.domain.lineage import is_visible
from chat.domain.turns import Turn
from chat.domain.versions import TurnVersion
from chat.engine.engine import Engine
from chat.errors import ChatError, NotFound, Refused, Stale, TextNotStorable
from chat.store import views
from chat.web import failures
from chat.web.failures import Notice, status_of
from chat.web.forms import Fields, check_storable, read_fields
from chat.web.pages import engine_of, is_htmx, json_response, page, part, see_other, wants_json
from chat.web.routes.travel import offer_to_stop, refused, stop_running
from chat.web.routes.turns import turns_part
from chat.web.views import rewording
from chat.web.views.rewording import TurnEditor, turn_editor

router = APIRouter()


@router.get("/chats/{chat_id}/turns/{turn_id}/edit")
async def get_edit(request: Request, chat_id: str, turn_id: str) -> Response:
    """The words of a turn to be changed, and what it read before."""
    engine = engine_of(request)
    first, versions = await _versions(engine, chat_id, turn_id)
    if wants_json(request):
        return json_response(rewording.as_json(first, versions))
    return await _form(request, chat_id, turn_editor(first, versions, engine.store.library))


@router.post("/chats/{chat_id}/turns/{turn_id}/edit")
async def post_edit(request: Request, chat_id: str, turn_id: str) -> Response:
    """Changes the words of a turn in its place (`prose`, or the number of a version to `restore`).

    With `version`, the event of the words that were changed, a stale change is refused. `go_on` leaves the turn as it
    is, and goes on from it in the new words on a branch of its own.
    """
    fields = Fields({})
    try:
        fields = await read_fields(request, checked=False)
        typed = fields.text("prose")
        check_storable(typed)
        if fields.flag("stop"):
            await stop_running(request, chat_id)
        done = await _changed(request, chat_id, turn_id, fields)
    except ChatError as error:
        return await _refused(request, chat_id, turn_id, fields, error)
    return done


@router.post("/chats/{chat_id}/turns/{turn_id}/continue")
async def post_continue(request: Request, chat_id: str, turn_id: str) -> Response:
    """Has the latest reply written on from where it stands; its text stays whatever comes of it."""
    fields = Fields({})
    try:
        fields = await read_fields(request)
        if fields.flag("stop"):
            await stop_running(request, chat_id)
        reply_id = await engine_of(request).continue_reply(chat_id, turn_id)
    except ChatError as error:
        offer = await offer_to_stop(request, error, "write on", fields, about=turn_id)
        return await refused(request, chat_id, error, offer)
    if wants_json(request):
        return json_response({"reply_id": reply_id}, 202)
    if is_htmx(request):
        return await turns_part(request, chat_id, {turn_id})
    return see_other(request, f"/chats/{chat_id}")


async def _changed(request: Request, chat_id: str, turn_id: str, fields: Fields) -> Response:
    engine = engine_of(request)
    if fields.flag("go_on"):
        reply_id = await engine.go_on_from(chat_id, turn_id, fields.text("prose"))
        if wants_json(request):
            return json_response({"reply_id": reply_id}, 202)
        return (
            await turns_part(request, chat_id, set())
            if is_htmx(request)
            else see_other(request, f"/chats/{chat_id}")
        )
    prose = fields.text("prose")
    if fields.has("restore"):
        prose = await _restored(engine, chat_id, turn_id, fields.whole("restore", 0, 0, 1_000_000))
    seen = fields.whole("version", 0, 0, 2**53) if fields.has("version") else None
    head = await engine.edit_turn(chat_id, turn_id, prose, seen)
    if wants_json(request):
        return json_response({"turn_id": turn_id, "head": head})
    if is_htmx(request):
        return await turns_part(request, chat_id, {turn_id})
    return see_other(request, f"/chats/{chat_id}/turns/{turn_id}")


async def _restored(engine: Engine, chat_id: str, turn_id: str, number: int) -> str:
    first, versions = await _versions(engine, chat_id, turn_id)
    words = rewording.words_of(first, versions, number)
    if words is None:
        raise Refused("This turn has no such version on this line of the story.")
    return words


async def _versions(engine: Engine, chat_id: str, turn_id: str) -> tuple[Turn, list[TurnVersion]]:
    """A turn of the visible line with its first words, and what it came to read. Raises NotFound."""
    library = engine.store.library
    async with engine.store.reading() as reader:
        first = await views.first_words(reader, turn_id)
        versions = await views.versions(reader, [turn_id])
    if first is None or first.chat_id != chat_id:
        raise NotFound("There is no such turn in this chat.")
    if not is_visible(library.lineage(chat_id), first.branch_id, first.step):
        raise NotFound("There is no such turn on this line of the story.")
    return first, versions.get(turn_id, [])


async def _form(
    request: Request, chat_id: str, editor: TurnEditor, notice: Notice | None = None, status: int = 200
) -> Response:
    engine = engine_of(request)
    view = {
        "chat_id": chat_id,
        "chat": engine.store.library.chats[chat_id],
        "editor": editor,
        "notice": notice,
    }
    if is_htmx(request):
        told = [("_error_fragment.html", {"notice": notice})] if notice else []
        return part(request, *told, ("_edit_turn.html", view), status=status)
    return await page(request, "pages/edit_turn.html", view, chat_id=chat_id, status=status)


async def _refused(
    request: Request, chat_id: str, turn_id: str, fields: Fields, error: ChatError
) -> Response:
    """The form once more, with every word that was typed, and the button that helps."""
    if isinstance(error, NotFound):
        raise error
    engine = engine_of(request)
    first, versions = await _versions(engine, chat_id, turn_id)
    is_stale, status = isinstance(error, Stale), status_of(error)
    if wants_json(request):
        newer = rewording.as_json(first, versions) if is_stale else {}
        return json_response({"error": failures.details(error), **newer}, status)
    verb, typed = "go on from it" if fields.flag("go_on") else "save", fields.text("prose")
    offer = await offer_to_stop(request, error, verb, fields, "prose", "version", "restore", "go_on")
    notice = Notice.of(error, offer)
    if is_htmx(request) and not is_stale:
        return failures.fragment(request, notice, status)
    kept = typed if typed or not isinstance(error, TextNotStorable) else None
    editor = turn_editor(first, versions, engine.store.library, kept, is_stale=is_stale)
    return await _form(request, chat_id, editor, notice, status)
