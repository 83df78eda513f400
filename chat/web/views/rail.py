"""The rail on the left of every page: the latest chats, the bots, who you are and who writes."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import msgspec

from chat.domain.bots import Bot
from chat.domain.names import apart
from chat.domain.people import Person
from chat.store import views
from chat.store.views import ChatLine
from chat.web import story_time
from chat.web.views.demo_words import is_by_demo

if TYPE_CHECKING:
    from chat.engine.engine import Engine

CHATS_SHOWN = 30
UNNAMED = "You"
_SNIPPET_CHARS = 110


class ChatItem(NamedTuple):
    """One chat in a list. `where` is place and story time; `snippet` the beginning of the last reply."""

    id: str
    title: str
    bot_id: str
    with_words: str
    where: str
    snippet: str
    is_running: bool
    by_demo: bool


class RailView(msgspec.Struct, frozen=True):
    chats: list[ChatItem]
    more_chats: bool
    bots: list[Bot]
    you: str
    connection: str
    current_chat: str


async def rail(engine: Engine, current_chat: str = "") -> RailView:
    async with engine.store.reading() as reader:
        lines = await views.chat_list(reader, limit=CHATS_SHOWN + 1)
    person = engine.store.library.default_person()
    return RailView(
        chats=[chat_item(line) for line in lines[:CHATS_SHOWN]],
        more_chats=len(lines) > CHATS_SHOWN,
        bots=shelved(engine),
        you=f"You are {apart(person.name)}" if is_named(person) else "You have no name yet",
        connection=connection_words(engine),
        current_chat=current_chat,
    )


def chat_item(line: ChatLine) -> ChatItem:
    where = " · ".join(part for part in (apart(line.place), story_time.clock(line.clock_at)) if part)
    names = [name for name in line.bot_names if name]
    return ChatItem(
        id=line.chat.id,
        title=line.chat.title,
        bot_id=line.chat.bot_ids[0],
        with_words=f"with {' and '.join(map(apart, names))}" if names else "",
        where=where,
        snippet=_snippet(line.snippet),
        is_running=line.is_running,
        by_demo=is_by_demo(line.model),
    )


def item_json(item: ChatItem) -> dict[str, Any]:
    return item._asdict()


def shelved(engine: Engine, *, archived: bool = False) -> list[Bot]:
    """The bots on the shelf (or put away), by name."""
    bots = (bot for bot in engine.store.library.bots.values() if bot.archived == archived)
    return sorted(bots, key=lambda bot: (_plain(bot.name), bot.name))


def _plain(name: str) -> str:
    """As a reader looks for it: Émile stands beside Emil, not behind Zoë."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def is_named(person: Person | None) -> TypeGuard[Person]:
    """False for the persona everybody starts with, until the player has written a name."""
    return person is not None and person.name != UNNAMED


def connection_words(engine: Engine) -> str:
    connection = engine.settings.connection
    if connection.is_demo:
        return "Demo, no model connected"
    return f"{connection.narrative_model or 'No model chosen'} at {connection.authority}"


def _snippet(text: str) -> str:
    words = " ".join(text.replace("*", "").split())
    return words if len(words) <= _SNIPPET_CHARS else words[:_SNIPPET_CHARS].rsplit(" ", 1)[0] + " …"
