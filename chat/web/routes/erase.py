"""Deleting a chat or a bot for good: the page that says what goes and what stays, and the action behind its name."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from chat.errors import BackupRunning, ChatError, NotFound, Refused, TurnRunning
from chat.store.erase import Wanted
from chat.web import failures
from chat.web.failures import Notice, status_of
from chat.web.forms import Fields, read_fields
from chat.web.pages import engine_of, is_htmx, json_response, page, part, see_other, wants_json
from chat.web.routes.reset import stop_replies
from chat.web.views.bot_state import bot_state

router = APIRouter()
_TICKS = ("feelings", "told", "copies", "back_up")
SOON_S = 1.5
"""A page waits this long for it to be done before it shows how far it is."""


@router.get("/chats/{chat_id}/delete")
async def get_delete_chat(request: Request, chat_id: str) -> Response:
    """What deleting a chat for good would take away, and what of it went over into other chats."""
    return await _outlook(request, Wanted(chat_ids=(chat_id,)))


@router.post("/chats/{chat_id}/delete")
async def post_delete_chat(request: Request, chat_id: str) -> Response:
    """Deletes a chat for good (`name`: its title; `feelings`, `told`, `copies`; `back_up`: done unless `off`)."""
    return await _delete(request, Wanted(chat_ids=(chat_id,)))


@router.get("/bots/{bot_id}/delete")
async def get_delete_bot(request: Request, bot_id: str) -> Response:
    """What deleting a bot and its chats for good would take away."""
    return await _outlook(request, Wanted(bot_ids=(bot_id,)))


@router.post("/bots/{bot_id}/delete")
async def post_delete_bot(request: Request, bot_id: str) -> Response:
    """Deletes a bot and its chats for good (`name` as typed, and what `post_delete_chat` takes)."""
    return await _delete(request, Wanted(bot_ids=(bot_id,)))


@router.get("/settings/personas/{you_id}/delete")
async def get_delete_persona(request: Request, you_id: str) -> Response:
    """What deleting a persona for good would take away, or which stories keep it."""
    return await _outlook(request, Wanted(you_ids=(you_id,)))


@router.post("/settings/personas/{you_id}/delete")
async def post_delete_persona(request: Request, you_id: str) -> Response:
    """Deletes a persona that no story has words of (`name` as typed; `copies`; `back_up`: done unless `off`)."""
    return await _delete(request, Wanted(you_ids=(you_id,)))


@router.get("/deleting")
async def get_deleting(request: Request) -> Response:
    """How far a deletion is, or what became of the last one."""
    erasing = engine_of(request).erasing
    if wants_json(request):
        problem = (
            {"code": erasing.problem.code, "message": erasing.problem.message} if erasing.problem else None
        )
        left = {
            "copies_left": erasing.left and erasing.left.count,
            "left": msgspec.to_builtins(erasing.left),
        }
        return json_response({"stage": erasing.stage, "problem": problem, **left})
    if is_htmx(request):
        if erasing.stage:
            return part(request, ("_erase_progress.html", {"stage": erasing.stage}))
        return see_other(request, "/deleting")
    notice = Notice.of(erasing.problem) if erasing.problem and not erasing.stage else None
    settings = engine_of(request).settings
    folders = {"damaged": str(settings.db_path.parent), "foreign": str(settings.backups_dir)}
    view = {"stage": erasing.stage, "notice": notice, "left": erasing.left, "folders": folders}
    return await page(request, "pages/deleting.html", view)


async def _outlook(request: Request, wanted: Wanted) -> Response:
    if wants_json(request):
        return json_response(msgspec.to_builtins(await engine_of(request).erasing.outlook(wanted)))
    return await _page(
        request, wanted, {"name": "", **dict.fromkeys(_TICKS, False), "feelings": True, "back_up": True}
    )


async def _delete(request: Request, wanted: Wanted) -> Response:
    fields, engine = await read_fields(request), engine_of(request)
    form = _form(fields)
    chosen = wanted._replace(feelings=form["feelings"], told=form["told"], copies=form["copies"])
    try:
        if fields.flag("stop"):
            await stop_replies(request, [one.id for one in (await engine.erasing.outlook(wanted)).chats])
        work = asyncio.ensure_future(engine.erasing.erase(chosen, form["name"], back_up=form["back_up"]))
        if wants_json(request):
            await work
            return json_response({"location": "/chats"})
        done, _ = await asyncio.wait({work}, timeout=SOON_S)
        if done:
            work.result()
        else:
            work.add_done_callback(_looked_at)
    except ChatError as error:
        return await _refused(request, wanted, form, error)
    return see_other(request, "/deleting")


async def _refused(request: Request, wanted: Wanted, form: dict[str, Any], error: ChatError) -> Response:
    """The page again with what was typed, where it was refused before anything was done."""
    is_before = isinstance(error, Refused) and not isinstance(error, NotFound | BackupRunning)
    if wants_json(request) or not is_before:
        raise error
    if is_htmx(request):
        return failures.fragment(request, Notice.of(error), status_of(error))
    return await _page(
        request, wanted, form, Notice.of(error), status_of(error), stops=isinstance(error, TurnRunning)
    )


async def _page(
    request: Request,
    wanted: Wanted,
    form: dict[str, Any],
    notice: Notice | None = None,
    status: int = 200,
    *,
    stops: bool = False,
) -> Response:
    engine = engine_of(request)
    seen = await engine.erasing.outlook(wanted)
    what, base, back = _place(wanted)
    bot_id = wanted.bot_ids[0] if wanted.bot_ids else ""
    view = {
        "what": what,
        "base": base,
        "back": back,
        "state": bot_state(engine, bot_id, "delete") if bot_id else None,
        "seen": seen,
        "held": len(seen.copies) + len(seen.damaged),
        "form": form,
        "notice": notice,
        "stops": stops,
        "folder": str(engine.settings.backups_dir),
    }
    return await page(request, "pages/delete.html", view, status=status)


def _place(wanted: Wanted) -> tuple[str, str, str]:
    """What is to go, the address its own stands below, and the page it was come from."""
    if wanted.you_ids:
        return "persona", f"/settings/personas/{wanted.you_ids[0]}", "/settings#you"
    what = "bot" if wanted.bot_ids else "chat"
    address = f"/{what}s/{(wanted.bot_ids or wanted.chat_ids)[0]}"
    return what, address, address


def _form(fields: Fields) -> dict[str, Any]:
    """A backup is made before unless that is refused: the form sends `off` before its checkbox."""
    ticks = {one: fields.flag(one, default=one == "back_up") for one in _TICKS}
    return {"name": fields.line("name")} | ticks


def _looked_at(work: asyncio.Future[None]) -> None:
    """What went wrong stands on the page that shows how far it is; here it is only taken note of."""
    if not work.cancelled():
        work.exception()
