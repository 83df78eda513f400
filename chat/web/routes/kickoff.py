"""Kickoff: prose is read once, every line of what came of it can be changed, and confirming begins the story."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from chat.domain.bots import Bot
from chat.domain.kickoff import KickoffDraft
from chat.errors import BlankText, ChatError, NotFound
from chat.web.failures import Notice, status_of
from chat.web.forms import Fields, read_fields
from chat.web.pages import engine_of, is_htmx, json_response, page, see_other, wants_json
from chat.web.views import kickoff_form
from chat.web.views.bot_state import bot_state, known_bot

router = APIRouter()


@router.get("/bots/{bot_id}/kickoff")
async def get_kickoff(request: Request, bot_id: str) -> Response:
    """The opening as far as it is written: the prose, and every field once it was read."""
    bot = known_bot(engine_of(request), bot_id)
    draft = await engine_of(request).kickoff_draft(bot_id)
    if wants_json(request):
        return json_response({"bot_id": bot_id, "draft": msgspec.to_builtins(draft)})
    return await _page(request, bot, draft)


@router.post("/bots/{bot_id}/kickoff")
async def post_kickoff(request: Request, bot_id: str) -> Response:
    """`action`: parse reads `prose` into a draft, save keeps the fields, confirm begins the story with them.

    begin does all of it at once with the bot's own opening; where that cannot be read it leads to the fields.
    """
    fields = await read_fields(request)
    bot = known_bot(engine_of(request), bot_id)
    try:
        return await _acted(request, bot, fields)
    except ChatError as error:
        if wants_json(request) or is_htmx(request):
            raise
        return await _given_back(request, bot, fields, error)


async def _acted(request: Request, bot: Bot, fields: Fields) -> Response:
    engine, here = engine_of(request), f"/bots/{bot.id}/kickoff"
    action = fields.choice("action", ("parse", "save", "confirm", "begin"))
    if action == "parse":
        if not fields.text("prose").strip():
            raise BlankText(
                "There is nothing to read yet.", "Write where the story begins, then read it.", field="prose"
            )
        draft = await engine.parse_kickoff(bot.id, fields.text("prose"), you_id=fields.line("you_id") or None)
        return see_other(request, here, draft=msgspec.to_builtins(draft))
    if fields.line("draft_id") in engine.store.library.chats:  # confirmed before: a double click
        return _to_chat(request, fields.line("draft_id"))
    if action == "begin":
        begun = await engine.begin_at_once(bot.id, fields.line("draft_id"))
        return _to_chat(request, begun) if begun else see_other(request, here)
    draft = kickoff_form.from_form(fields, await _current(request, bot))
    if action == "save":
        await engine.save_kickoff_draft(draft)
        return see_other(request, here, draft=msgspec.to_builtins(draft))
    return _to_chat(request, await engine.confirm_kickoff(draft))


def _to_chat(request: Request, chat_id: str) -> Response:
    return see_other(request, f"/chats/{chat_id}", chat_id=chat_id)


async def _given_back(request: Request, bot: Bot, fields: Fields, error: ChatError) -> Response:
    """The form again with everything that was typed, and what was wrong with it."""
    kept = await engine_of(request).kickoff_draft(bot.id)
    draft = kickoff_form.from_form(fields, kept or await _current(request, bot))
    shown = draft if kept or fields.has("place_name") else None
    notice = Notice.of(error)
    return await _page(
        request, bot, shown, prose=fields.text("prose"), notice=notice, status=status_of(error)
    )


async def _page(
    request: Request,
    bot: Bot,
    draft: KickoffDraft | None,
    *,
    prose: str | None = None,
    notice: Notice | None = None,
    status: int = 200,
) -> Response:
    library = engine_of(request).store.library
    default = library.default_person()
    you_id = default.id if default else ""
    if draft and draft.you_id in library.people:
        you_id = draft.you_id
    form: dict[str, Any] = kickoff_form.to_form(draft) if draft else {"prose": bot.kickoff_prose}
    if prose is not None:
        form["prose"] = prose
    view = {
        "bot": bot,
        "state": bot_state(engine_of(request), bot.id, "kickoff"),
        "draft": draft,
        "form": {**form, "you_id": you_id, "you_name": library.name_of(you_id)},
        "people": [(person.id, person.name) for person in library.people.values()],
        "audible_ranges": kickoff_form.AUDIBLE_RANGES,
        "attentions": kickoff_form.ATTENTIONS,
        "carried": kickoff_form.carried(draft, library) if draft else None,
        "continuities": kickoff_form.continuities(bot.name),
        "notice": notice,
    }
    return await page(request, "pages/kickoff.html", view, status=status)


async def _current(request: Request, bot: Bot) -> KickoffDraft:
    """The kept draft, or an empty one: a script may confirm without having prose read first."""
    engine = engine_of(request)
    if draft := await engine.kickoff_draft(bot.id):
        return draft
    person = engine.store.library.default_person()
    if person is None:
        raise NotFound("There is no persona to play.", "Say who you are in Settings first.")
    now = engine.clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    return KickoffDraft(
        draft_id=engine.clock.new_id(),
        bot_id=bot.id,
        you_id=person.id,
        title=bot.name,
        prose=bot.kickoff_prose,
        place_name="somewhere",
        start_at=f"{now.isoformat()}Z",
    )
