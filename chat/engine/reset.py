"""A bot that begins anew in chats of the player's choice: one command for all of them, undone in each like any other.

The bot stays who it is, other chats and other bots keep what they have, and nothing is taken from the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chat.domain import resets
from chat.domain.bots import Bot
from chat.domain.events import NewEvent, story
from chat.domain.names import apart
from chat.engine import recovery
from chat.errors import NotFound, Refused, TurnRunning, ValueRefused
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine


async def reset(engine: Engine, bot_id: str, chat_ids: Sequence[str], name: str) -> None:
    """Let a bot forget these chats. Raises NotFound, ValueRefused for another name, Refused, TurnRunning."""
    bot = _known(engine, bot_id, chat_ids)
    if not chat_ids:
        raise Refused(
            "No chat is ticked, so nothing was reset.", "Tick the chats in which it is to begin anew."
        )
    must_be_named(bot.name, name)
    for chat_id in chat_ids:
        must_be_quiet(engine, chat_id)
        await engine.close_interrupted(chat_id)

    def begun_anew(state: State) -> list[NewEvent]:
        return [event for chat_id in chat_ids for event in _reset(state, bot_id, chat_id)]

    commit = await engine.store.execute(begun_anew)
    for chat_id in chat_ids:
        engine.history_from.pop((chat_id, bot_id), None)
    await recovery.finish_scenes(engine, commit.events)


def must_be_named(name: str, typed: str, what: str = "name") -> None:
    """What cannot be done by mistake: the name was typed, whatever its spaces and capitals. Raises ValueRefused.

    `what` is what such a thing has in the place of a name.
    """
    if " ".join(typed.split()).casefold() != " ".join(name.split()).casefold():
        raise ValueRefused(
            f"What was typed is not the {what}, so nothing was changed.",
            "Type it as it stands at the top of the page.",
            field="name",
        )


def must_be_quiet(engine: Engine, chat_id: str) -> None:
    """Raises TurnRunning while a reply is being written in a chat."""
    if run := engine.runs.get(chat_id):
        title = engine.store.library.chats[chat_id].title
        raise TurnRunning(
            f"A reply is being written in “{apart(title)}”, so nothing was changed.",
            turn_id=run.reply_id,
            next_step="Wait for it, or stop it first.",
        )


def _known(engine: Engine, bot_id: str, chat_ids: Sequence[str]) -> Bot:
    library = engine.store.library
    bot = library.bots.get(bot_id)
    if bot is None:
        raise NotFound("There is no such bot.")
    for chat_id in chat_ids:
        chat = library.chats.get(chat_id)
        if chat is None or bot_id not in chat.bot_ids:
            raise NotFound("This bot has no such chat.")
    return bot


def _reset(state: State, bot_id: str, chat_id: str) -> list[NewEvent]:
    chat, world = state.chat(chat_id), state.world(chat_id)
    events = resets.reset(world, bot_id, state.beginning(chat_id))
    return story(chat_id, chat.branch_id, world.state.head_step + 1, *events)
