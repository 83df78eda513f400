"""What an open page of a bot has to know about the bot itself: that it was put away, or is gone for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from chat.domain.bots import Bot
from chat.domain.names import apart
from chat.errors import NotFound
from chat.web.failures import Notice, Offer

if TYPE_CHECKING:
    from chat.engine.engine import Engine

FORM = "bot-form"
"""The id of the author form; what stands in it can be kept as a new bot."""
THERE, AWAY, GONE = "", "away", "gone"
PAGES = ("author", "kickoff", "reset", "delete")


class BotState(NamedTuple):
    """`what` is away, gone or nothing; `address` is where a page that shows it looks again."""

    what: str
    address: str
    notice: Notice | None


def known_bot(engine: Engine, bot_id: str) -> Bot:
    """Raises NotFound."""
    bot = engine.store.library.bots.get(bot_id)
    if bot is None:
        raise NotFound(
            "There is no such bot; if there was one, it was deleted for good.",
            "Nothing was changed. Go back to the list and choose again.",
        )
    return bot


def bot_state(engine: Engine, bot_id: str, on: str) -> BotState:
    """What stands on top of a page of this bot; a page that shows one was opened while the bot was there."""
    address, bot = f"/bots/{bot_id}/state?on={on}", engine.store.library.bots.get(bot_id)
    if bot is None:
        return BotState(GONE, address, _gone(on))
    if bot.archived:
        return BotState(AWAY, address, _away(bot))
    return BotState(THERE, address, None)


def _away(bot: Bot) -> Notice:
    return Notice(
        f"{apart(bot.name)} is put away.",
        "Their chats are where they were, and a story can still be begun with them.",
        tone="plain",
        offer=Offer(f"/bots/{bot.id}/restore", "Bring back to the list"),
    )


def _gone(on: str) -> Notice:
    message = "This bot was deleted for good, with every chat they were in."
    if on == "author":
        return Notice(
            message,
            "What you wrote is still here; it can be kept as a new bot.",
            offer=Offer("/bots/new", "Save it as a new bot", form=FORM),
        )
    if on == "kickoff":
        return Notice(
            message,
            "What you wrote is still here; copy what you want to keep, and begin with someone else.",
            offer=Offer("/chats/new", "Choose someone else", is_link=True),
        )
    return Notice(
        message, "There is nothing left to do here.", offer=Offer("/bots", "To the bots", is_link=True)
    )
