"""Letting a bot begin anew: the page that says what goes, and the action behind typing its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from chat.domain.bots import Bot
from chat.domain.chats import Chat
from chat.errors import ChatError, NotFound, TurnRunning
from chat.store import views
from chat.web import failures
from chat.web.failures import Notice, status_of
from chat.web.forms import Fields, read_fields
from chat.web.pages import engine_of, is_htmx, json_response, page, see_other, wants_json
from chat.web.views import travel
from chat.web.views.bot_state import bot_state, known_bot

router = APIRouter()
_TICK = "chat-"


class Kept(NamedTuple):
    """A chat of the bot, and in words what it would forget there."""

    id: str
    title: str
    archived: bool
    memories: int
    feeling: str
    is_running: bool


@router.get("/bots/{bot_id}/reset")
async def get_reset(request: Request, bot_id: str, chat: str = "") -> Response:
    """What a bot would forget, chat by chat; `chat` is ticked already."""
    bot = known_bot(engine_of(request), bot_id)
    chats = await _chats(request, bot)
    if wants_json(request):
        return json_response({"bot_id": bot.id, "name": bot.name, "chats": [one._asdict() for one in chats]})
    ticked = [chat] if chat else [one.id for one in chats[:1] if len(chats) == 1]
    return await _page(request, bot, chats, ticked)


@router.post("/bots/{bot_id}/reset")
async def post_reset(request: Request, bot_id: str) -> Response:
    """Resets a bot (`name` as typed) in the chats that are ticked (`chat-<id>`, or `chats` in JSON).

    With `stop` a reply that is being written in one of them is stopped first.
    """
    fields = await read_fields(request)
    bot = known_bot(engine_of(request), bot_id)
    ticked = _ticked(fields)
    try:
        if fields.flag("stop"):
            await stop_replies(request, ticked)
        await engine_of(request).reset_bot(bot_id, ticked, fields.line("name"))
    except ChatError as error:
        if wants_json(request) or isinstance(error, NotFound):
            raise
        notice = Notice.of(error)
        if is_htmx(request):
            return failures.fragment(request, notice, status_of(error))
        is_running = isinstance(error, TurnRunning)
        chats = await _chats(request, bot)
        return await _page(
            request, bot, chats, ticked, fields.line("name"), notice, status_of(error), stops=is_running
        )
    where = (
        f"/chats/{ticked[0]}?went={travel.RESET}"
        if len(ticked) == 1
        else f"/bots/{bot_id}?reset={len(ticked)}"
    )
    return see_other(request, where, chats=ticked)


async def stop_replies(request: Request, chat_ids: Sequence[str]) -> None:
    """Ends what is being written in these chats; what had arrived is kept."""
    engine = engine_of(request)
    for chat_id in chat_ids:
        if run := engine.runs.get(chat_id):
            await engine.stop_reply(chat_id, run.reply_id)


async def _page(
    request: Request,
    bot: Bot,
    chats: Sequence[Kept],
    ticked: Sequence[str],
    typed: str = "",
    notice: Notice | None = None,
    status: int = 200,
    *,
    stops: bool = False,
) -> Response:
    form = {"name": typed} | {_TICK + one.id: one.id in ticked for one in chats}
    view: dict[str, Any] = {"bot": bot, "chats": chats, "form": form, "notice": notice, "stops": stops}
    view["state"] = bot_state(engine_of(request), bot.id, "reset")
    return await page(request, "pages/reset.html", view, status=status)


async def _chats(request: Request, bot: Bot) -> list[Kept]:
    engine = engine_of(request)
    library = engine.store.library
    async with engine.store.reading() as reader:
        memories = await views.memories_by_chat(reader, bot.id)
        edges = {
            chat.id: (await views.world(reader, chat.id)).edges.get((bot.id, chat.you_id))
            for chat in _of(list(library.chats.values()), bot.id)
        }
    return [
        Kept(
            id=chat.id,
            title=chat.title,
            archived=chat.archived,
            memories=memories.get(chat.id, 0),
            feeling=f"affinity {edge.affinity}, trust {edge.trust}" if (edge := edges[chat.id]) else "",
            is_running=engine.runs.get(chat.id) is not None,
        )
        for chat in _of(list(library.chats.values()), bot.id)
    ]


def _of(chats: Sequence[Chat], bot_id: str) -> list[Chat]:
    """The chats of a bot, the newest first, those put away last."""
    mine = [chat for chat in reversed(chats) if bot_id in chat.bot_ids]
    return sorted(mine, key=lambda chat: chat.archived)


def _ticked(fields: Fields) -> list[str]:
    typed = fields.typed()
    boxes = [name.removeprefix(_TICK) for name in typed if name.startswith(_TICK) and fields.flag(name)]
    listed = [line.strip() for line in fields.text("chats").split("\n") if line.strip()]
    return list(dict.fromkeys([*boxes, *listed]))
