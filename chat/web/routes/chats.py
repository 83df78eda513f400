"""Chats: the list, a new one, the page of one, and keeping them on the shelf."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from chat.domain.segments import closing
from chat.store import views
from chat.web.failures import Notice
from chat.web.forms import read_fields
from chat.web.pages import engine_of, json_response, page, part, see_other, wants_json
from chat.web.views import travel
from chat.web.views.editors import Attempt
from chat.web.views.rail import ChatItem, chat_item, is_named, item_json, rail, shelved
from chat.web.views.status import as_json as status_json
from chat.web.views.story import Story, read_story, read_with_drawer

router = APIRouter()
CHATS_ON_PAGE = 500
Number = Annotated[int | None, Query(ge=0, lt=2**53)]
"""A step or an event id in an address."""


@router.get("/")
async def get_start(request: Request) -> Response:
    """Leads to the chats."""
    return see_other(request, "/chats")


@router.get("/chats")
async def get_chats(request: Request) -> Response:
    """Every chat, the last played first; on an empty shelf, how to begin."""
    chats, archived = await _chats(request, archived=False), await _chats(request, archived=True)
    if wants_json(request):
        told = {
            "chats": [item_json(chat) for chat in chats],
            "archived": [item_json(chat) for chat in archived],
        }
        return json_response(told)
    view = {
        "chats": [chat | _with_bot(request, chat) for chat in map(item_json, chats)],
        "archived": archived,
        "by_demo": any(chat.by_demo for chat in chats),
    }
    return await page(request, "pages/chats.html", {**view, "welcome": _welcome(request)})


@router.get("/chats/new")
async def get_new_chat(request: Request) -> Response:
    """Asks with whom the story is to be."""
    bots = shelved(engine_of(request))
    if wants_json(request):
        return json_response({"bots": [{"id": bot.id, "name": bot.name} for bot in bots]})
    return await page(request, "pages/new_chat.html", {"bots": bots})


@router.get("/chats/{chat_id}")
async def get_chat(
    request: Request, chat_id: str, before: Number = None, drawer: str = "", memory: str = "", went: str = ""
) -> Response:
    """The story and the box to write in; `before` shows the window that ends before a step, `drawer` opens the drawer.

    `memory` names a memory whose form is wanted although its text is long; `went` (rewind, swipe, undo, redo, reset)
    shows the way back from what was just done.
    """
    if wants_json(request):
        return json_response(story_json(await read_story(engine_of(request), chat_id, before)))
    story = await read_with_drawer(engine_of(request), chat_id, before, full=memory)
    return await chat_page(request, story, is_drawer_open=bool(drawer or memory), full=memory, went=went)


@router.get("/rail")
async def get_rail(request: Request, chat: str = "") -> Response:
    """The rail as it stands now; `chat` is the open one, else it is taken from the page that asks."""
    shown = await rail(engine_of(request), chat or _open_chat(request))
    if wants_json(request):
        return json_response({"chats": [item_json(item) for item in shown.chats]})
    return part(request, ("_rail.html", {"rail": shown, "path": _current_path(request)}))


@router.post("/chats/{chat_id}/rename")
async def post_rename(request: Request, chat_id: str) -> Response:
    """Gives a chat another title (`title`)."""
    fields = await read_fields(request)
    await engine_of(request).rename_chat(chat_id, fields.line("title"))
    return see_other(request, f"/chats/{chat_id}")


@router.post("/chats/{chat_id}/persona")
async def post_persona(request: Request, chat_id: str) -> Response:
    """Goes on as another persona of the player (`you_id`), from the next turn on."""
    fields = await read_fields(request)
    await engine_of(request).play_as(chat_id, fields.line("you_id"))
    return see_other(request, f"/chats/{chat_id}")


@router.post("/chats/{chat_id}/archive")
async def post_archive(request: Request, chat_id: str) -> Response:
    """Puts a chat away."""
    await engine_of(request).archive_chat(chat_id)
    return see_other(request, "/chats")


@router.post("/chats/{chat_id}/restore")
async def post_restore(request: Request, chat_id: str) -> Response:
    """Brings a chat back to the list."""
    await engine_of(request).restore_chat(chat_id)
    return see_other(request, f"/chats/{chat_id}")


async def chat_page(
    request: Request,
    story: Story,
    *,
    text: str | None = None,
    notice: Notice | None = None,
    status: int = 200,
    is_drawer_open: bool = False,
    attempt: Attempt | None = None,
    full: str = "",
    went: str = "",
    rewriting: str = "",
) -> Response:
    """The page of a chat. `text` is what stands in the box; without one, the kept draft does.

    `attempt` is an edit in the drawer that was refused, `full` a memory whose form is wanted, `went` what was just
    done, `rewriting` one's own latest turn in words that were refused.
    """
    steps = await engine_of(request).undo_steps(story.chat.id)
    view = {
        **story_view(story),
        "composer": composer(request, story, text),
        "steps": steps,
        "notice": notice or unstored_notice(story) or travel.went(went, steps, story.chat.id),
        "rewriting": rewriting,
        "drawer": story.drawer(attempt, full),
        "is_drawer_open": is_drawer_open or attempt is not None,
    }
    return await page(request, "pages/chat.html", view, status=status, chat_id=story.chat.id)


def unstored_notice(story: Story) -> Notice | None:
    """That the latest reply could not be stored, and that its words are kept meanwhile."""
    return Notice.of(story.unstored) if story.unstored else None


def story_view(story: Story) -> dict[str, Any]:
    """What the parts of a chat page show."""
    return {
        "chat": story.chat,
        "chat_id": story.chat.id,
        "head": story.head,
        "transcript": story.transcript,
        "status": story.status,
        "personas": [(one.id, one.name) for one in story.library.people.values()],
    }


def story_json(story: Story) -> dict[str, Any]:
    return {
        "id": story.chat.id,
        "title": story.chat.title,
        "archived": story.chat.archived,
        "continuity": story.chat.continuity,
        "you": {"id": story.chat.you_id, "name": story.you},
        "bots": [{"id": bot_id, "name": story.library.name_of(bot_id)} for bot_id in story.chat.bot_ids],
        "story_time": story.world.state.clock_at,
        "head": story.head,
        "turns": story.turns_as_json(),
        "before": story.turns[0].step if story.has_more else None,
        "draft": story.draft,
        **status_json(story.status),
    }


def composer(request: Request, story: Story, text: str | None = None) -> dict[str, Any]:
    """The box: whose words it takes, what stands in it, and how to write."""
    marker = engine_of(request).settings.ooc_marker
    return {
        "key": engine_of(request).clock.new_id(),
        "you": story.you,
        "text": story.draft if text is None else text,
        "aside": f"{marker}asides{closing(marker)}",
        "locked": story.status.turn_id is not None,
        "is_drafting": story.status.is_draft,
    }


async def _chats(request: Request, *, archived: bool) -> list[ChatItem]:
    async with engine_of(request).store.reading() as reader:
        lines = await views.chat_list(reader, archived=archived, limit=CHATS_ON_PAGE)
    return [chat_item(line) for line in lines]


def _with_bot(request: Request, chat: dict[str, Any]) -> dict[str, str]:
    return {"bot_name": engine_of(request).store.library.name_of(chat["bot_id"])}


def _welcome(request: Request) -> dict[str, Any]:
    engine = engine_of(request)
    person = engine.store.library.default_person()
    bots = shelved(engine)
    begins = next((bot for bot in bots if bot.kickoff_prose.strip()), None)
    return {
        "you": person.name if person else "",
        "is_named": is_named(person),
        "bots": bots,
        "begins": begins,
        "key": engine.clock.new_id(),
    }


def _current_path(request: Request) -> str:
    """The path of the page that asks, as htmx tells it; never used as an address to go to."""
    rest = request.headers.get("hx-current-url", "").partition("://")[2].partition("/")[2]
    return f"/{rest}".partition("?")[0].partition("#")[0]


def _open_chat(request: Request) -> str:
    return _current_path(request).removeprefix("/chats/") if "/chats/" in _current_path(request) else ""
