"""Bots: who they are. A bot is never edited in place; writing it anew is a new event, identity stays."""

from __future__ import annotations

import msgspec

from chat.domain.events import BotArchived, BotAuthored, BotRestored, Event, NewEvent, library
from chat.domain.records import Record
from chat.errors import BlankText, NotFound, Refused


class Bot(Record, frozen=True):
    table = "bots"
    id: str
    name: str
    persona: str
    appearance: str
    voice_samples: tuple[str, ...]
    traits: tuple[str, ...]
    backstory: str
    initial_relationship_to_you: str
    kickoff_prose: str
    archived: bool
    created_at: str
    updated_at: str
    portrait: str = ""


def authored(known: Bot | None, event: Event, data: BotAuthored) -> Bot:
    """The bot after it was written; when it was first written stays."""
    return Bot(
        id=data.bot_id,
        name=data.name,
        persona=data.persona,
        appearance=data.appearance,
        voice_samples=data.voice_samples,
        traits=data.traits,
        backstory=data.backstory,
        initial_relationship_to_you=data.initial_relationship_to_you,
        kickoff_prose=data.kickoff_prose,
        archived=known.archived if known else False,
        created_at=known.created_at if known else event.ts,
        updated_at=event.ts,
        portrait=known.portrait if known else "",
    )


def archived(bot: Bot, event: Event, flag: bool) -> Bot:
    return msgspec.structs.replace(bot, archived=flag, updated_at=event.ts)


def author(data: BotAuthored) -> list[NewEvent]:
    """Write a bot. A bot needs a name; everything else may come later."""
    if not data.name.strip():
        next_step = "Give it a name and save again; the rest of the form is kept."
        raise BlankText("A bot needs a name.", next_step, field="name")
    return [library(data)]


def archive(bot: Bot | None) -> list[NewEvent]:
    found = _known(bot)
    if found.archived:
        raise Refused(f"{found.name} is archived already.")
    return [library(BotArchived(bot_id=found.id))]


def restore(bot: Bot | None) -> list[NewEvent]:
    found = _known(bot)
    if not found.archived:
        raise Refused(f"{found.name} is not archived.")
    return [library(BotRestored(bot_id=found.id))]


def _known(bot: Bot | None) -> Bot:
    if bot is None:
        raise NotFound("There is no such bot.")
    return bot
