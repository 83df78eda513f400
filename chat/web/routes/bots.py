"""Bots: the shelf, the author form, writing one anew, putting one away."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request, Response

from chat.domain.bots import Bot
from chat.domain.names import apart
from chat.domain.wording import revision_of
from chat.engine.authoring import BOT_WORDS, BotFields
from chat.errors import ChatError, NotFound, Stale
from chat.web.failures import Notice, details, status_of
from chat.web.forms import Fields, read_fields
from chat.web.pages import engine_of, is_htmx, json_response, page, part, see_other, wants_json
from chat.web.views.bot_state import PAGES, bot_state, known_bot
from chat.web.views.kickoff_form import split_on_commas
from chat.web.views.rail import shelved

router = APIRouter()
_SAMPLE_BREAK = re.compile(r"^[ \t]*-{3,}[ \t]*$", re.MULTILINE)
_TEXTS = ("name", "persona", "appearance", "backstory", "initial_relationship_to_you", "kickoff_prose")
_EMPTY = dict.fromkeys((*_TEXTS, "voice_samples", "traits"), "")


@router.get("/bots")
async def get_bots(request: Request) -> Response:
    """Every bot, by name."""
    engine = engine_of(request)
    bots, archived = shelved(engine), shelved(engine, archived=True)
    if wants_json(request):
        return json_response(
            {"bots": [bot_json(bot) for bot in bots], "archived": [bot_json(bot) for bot in archived]}
        )
    return await page(request, "pages/bots.html", {"bots": bots, "archived": archived})


@router.get("/bots/new")
async def get_new_bot(request: Request) -> Response:
    """An empty author form."""
    if wants_json(request):
        return json_response({"fields": _EMPTY})
    return await page(request, "pages/bot.html", {"bot": None, "form": _EMPTY, "chats": []})


@router.post("/bots/new")
async def post_new_bot(request: Request) -> Response:
    """Writes a bot: `name`, `persona`, `appearance`, `voice_samples`, `traits`, `backstory`, and so on."""
    return await _author(request, None)


@router.get("/bots/{bot_id}")
async def get_bot(request: Request, bot_id: str, reset: str = "", kept: str = "") -> Response:
    """The author form of a bot; `reset` is in how many chats it was just reset, `kept` that it was just saved."""
    bot = known_bot(engine_of(request), bot_id)
    if wants_json(request):
        return json_response(bot_json(bot))
    name = apart(bot.name)
    told = f"{name} is saved." if kept else ""
    if reset.isdigit():
        told = f"{name} was reset in {reset} chats. Undo in each brings everything back."
    if reset == "1":
        told = f"{name} was reset in one chat. Undo there brings everything back."
    return await _form(request, bot, _to_form(bot), notice=Notice(told, tone="plain") if told else None)


@router.post("/bots/{bot_id}")
async def post_bot(request: Request, bot_id: str) -> Response:
    """Writes a bot anew; its earlier versions stay in the log. Fields that are not posted stay as they are.

    With the `revision` the form was opened with, it is refused (409, with the newer words) where others stand there.
    """
    try:
        bot = known_bot(engine_of(request), bot_id)
    except NotFound as error:
        if wants_json(request) or is_htmx(request):
            raise
        return await _given_back(request, error)
    return await _author(request, bot)


@router.get("/bots/{bot_id}/state")
async def get_state(request: Request, bot_id: str, on: str = "") -> Response:
    """Whether a bot is there, put away or gone; `on` is the page that asks: author, kickoff, reset or delete."""
    state = bot_state(engine_of(request), bot_id, on if on in PAGES else PAGES[0])
    if wants_json(request):
        return json_response({"bot_id": bot_id, "state": state.what or "there"})
    return part(request, ("_bot_state.html", {"state": state}))


@router.post("/bots/{bot_id}/archive")
async def post_archive(request: Request, bot_id: str) -> Response:
    """Puts a bot away; its chats stay."""
    await engine_of(request).archive_bot(bot_id)
    return see_other(request, "/bots")


@router.post("/bots/{bot_id}/restore")
async def post_restore(request: Request, bot_id: str) -> Response:
    """Brings a bot back to the shelf."""
    await engine_of(request).restore_bot(bot_id)
    return see_other(request, f"/bots/{bot_id}")


def bot_json(bot: Bot) -> dict[str, Any]:
    values = {name: getattr(bot, name) for name in ("id", *_TEXTS, "archived", "created_at", "updated_at")}
    words = {"voice_samples": list(bot.voice_samples), "traits": list(bot.traits)}
    return {**values, **words, "revision": revision_of(bot, BOT_WORDS)}


async def _author(request: Request, bot: Bot | None) -> Response:
    fields = await read_fields(request)
    try:
        written, revision = _from_form(fields, bot), fields.line("revision")
        bot_id = await engine_of(request).author_bot(bot.id if bot else None, written, revision)
    except Stale as error:
        return await _stale(request, fields, error)
    except ChatError as error:
        if wants_json(request) or is_htmx(request):
            raise
        typed = (_to_form(bot) if bot else _EMPTY) | fields.typed()
        return await _form(request, bot, typed, notice=Notice.of(error), status=status_of(error))
    return see_other(request, f"/bots/{bot_id}?kept=on" if bot else f"/bots/{bot_id}/kickoff", bot_id=bot_id)


async def _stale(request: Request, fields: Fields, error: Stale) -> Response:
    """The form as it was typed, beside what stands there by now; saved once more it takes its place."""
    now = error.current
    assert isinstance(now, Bot)
    if wants_json(request):
        return json_response({"error": {**details(error), "current": bot_json(now)}}, status_of(error))
    stored, typed = _to_form(now), fields.typed()
    newer = {name: value for name, value in stored.items() if typed.get(name, value) != value}
    form = stored | typed | {"revision": stored["revision"], "newer": newer}
    return await _form(request, now, form, notice=Notice.of(error), status=status_of(error))


async def _given_back(request: Request, error: NotFound) -> Response:
    """The form as it was typed for a bot that is gone; saved from there it becomes a new one."""
    typed = _EMPTY | (await read_fields(request)).typed()
    notice = Notice(error.message, "What you wrote is still here. Save it, and it becomes a new bot.")
    return await _form(request, None, typed, notice=notice, status=status_of(error))


async def _form(
    request: Request,
    bot: Bot | None,
    form: dict[str, Any],
    *,
    notice: Notice | None = None,
    status: int = 200,
) -> Response:
    engine = engine_of(request)
    library = engine.store.library
    chats = [chat for chat in library.chats.values() if bot and bot.id in chat.bot_ids and not chat.archived]
    view: dict[str, Any] = {"bot": bot, "form": form, "chats": chats, "notice": notice}
    if bot:
        view["state"] = bot_state(engine, bot.id, "author")
    return await page(request, "pages/bot.html", view, status=status)


def _from_form(fields: Fields, bot: Bot | None) -> BotFields:
    kept = _to_form(bot) if bot else {}
    values = {name: fields.text(name, kept.get(name, "")) for name in _TEXTS}
    samples = fields.text("voice_samples", kept.get("voice_samples", ""))
    traits = fields.line("traits", kept.get("traits", ""))
    return BotFields(**values, voice_samples=split_samples(samples), traits=split_on_commas(traits))


def _to_form(bot: Bot) -> dict[str, Any]:
    values = {name: getattr(bot, name) for name in _TEXTS}
    texts = {"voice_samples": "\n---\n".join(bot.voice_samples), "traits": ", ".join(bot.traits)}
    return {**values, **texts, "revision": revision_of(bot, BOT_WORDS)}


def split_samples(text: str) -> tuple[str, ...]:
    """Samples are parted by a line of three dashes or more."""
    return tuple(sample.strip() for sample in _SAMPLE_BREAK.split(text) if sample.strip())
