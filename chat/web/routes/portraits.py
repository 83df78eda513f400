"""Portraits: setting one, taking it away, and the pictures themselves."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat.domain import portraits
from chat.domain.people import is_you
from chat.errors import ChatError, NotFound, PictureRefused
from chat.web.failures import Notice, answer, status_of
from chat.web.pages import engine_of, is_htmx, part, see_other, wants_json
from chat.web.uploads import read_upload

router = APIRouter()


@router.post("/bots/{bot_id}/portrait")
async def post_bot_portrait(request: Request, bot_id: str) -> Response:
    """Gives a bot a portrait (`picture`, a PNG, JPEG or WebP file of a multipart form), or takes it away (`remove`)."""
    return await _changed(request, bot_id, is_persona=False, back=f"/bots/{bot_id}#portrait")


@router.post("/settings/personas/{you_id}/portrait")
async def post_persona_portrait(request: Request, you_id: str) -> Response:
    """The same for a persona of the player."""
    return await _changed(request, you_id, is_persona=True, back="/settings#you")


@router.get("/media/{name}")
async def get_media(request: Request, name: str) -> Response:
    """A portrait. Its name says what it holds, so it may be kept for ever."""
    body = engine_of(request).media.read(name.removesuffix(".png")) if name.endswith(".png") else None
    if body is None:
        raise NotFound("There is no such picture.")
    return Response(
        body, media_type="image/png", headers={"Cache-Control": "private, max-age=31536000, immutable"}
    )


async def _changed(request: Request, entity: str, *, is_persona: bool, back: str) -> Response:
    if is_you(entity) != is_persona:
        raise NotFound("There is nobody of that name to have a portrait.")
    in_place = is_htmx(request) and not wants_json(request)
    try:
        media_id = await _change(request, entity)
    except ChatError as error:
        if in_place and isinstance(error, PictureRefused):
            return _form(request, entity, error)
        if wants_json(request) or in_place or isinstance(error, NotFound):
            raise
        return await answer(request, Notice.of(error), status_of(error))
    if in_place:
        return _form(request, entity)
    return see_other(request, back, portrait=f"/media/{media_id}.png" if media_id else None)


def _form(request: Request, entity: str, refused: PictureRefused | None = None) -> Response:
    """The form alone: what is typed in the other forms of the page stays where it is."""
    name = portraits.known(engine_of(request).store.library, entity).name
    view = {"entity": entity, "name": name, "address": request.url.path, "refused": refused}
    return part(request, ("_portrait_form.html", view), status=status_of(refused) if refused else 200)


async def _change(request: Request, entity: str) -> str:
    upload = await read_upload(request)
    picture = upload.files.get("picture", b"")
    if upload.fields.get("remove"):
        return await engine_of(request).change_portrait(entity, None)
    if not picture:
        raise PictureRefused("No picture was chosen.", "Choose a PNG, JPEG or WebP file, then set it.")
    return await engine_of(request).change_portrait(entity, picture)
