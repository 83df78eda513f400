"""The library fold: personas, bots, chats, branches, and what is selected. Its events are permanent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from chat.domain import bots
from chat.domain.bots import Bot
from chat.domain.chats import Branch, Chat
from chat.domain.chats import known as known_chat
from chat.domain.checkpoints import Checkpoint
from chat.domain.events import (
    BotArchived,
    BotAuthored,
    BotRestored,
    BranchForked,
    BranchSelected,
    ChatArchived,
    ChatCreated,
    ChatRenamed,
    ChatRestored,
    ChatYouChosen,
    CheckpointNamed,
    CheckpointRemoved,
    Event,
    PortraitChanged,
    WordsErased,
    YouAuthored,
)
from chat.domain.lineage import Lineage, lineage_of
from chat.domain.names import apart
from chat.domain.people import Person
from chat.domain.records import Change, Drop, Put, Record

R = TypeVar("R", bound=Record)


class Library(msgspec.Struct, frozen=True):
    """Everything that exists outside the stories, by id."""

    people: dict[str, Person] = {}
    bots: dict[str, Bot] = {}
    chats: dict[str, Chat] = {}
    branches: dict[str, Branch] = {}
    checkpoints: dict[str, Checkpoint] = {}

    def lineage(self, chat_id: str) -> Lineage:
        """The selected branch of a chat and its ancestors, with their cuts. Raises NotFound."""
        return lineage_of(self.branches, known_chat(self.chats.get(chat_id)).branch_id)

    def default_person(self) -> Person | None:
        return next((person for person in self.people.values() if person.is_default), None)

    def name_of(self, entity: str) -> str:
        found = self.people.get(entity) or self.bots.get(entity)
        return found.name if found else "Narrator"

    def spoken_name(self, entity: str) -> str:
        """The name as it stands in a sentence of ours."""
        return apart(self.name_of(entity))


Step = tuple[Library, list[Change]]


def evolve(library: Library, event: Event) -> Step:
    """The library after one event, and the rows that changed. Only library events come here."""
    return _CASES[type(event.data)](library, event, event.data)


def _with(records: dict[str, R], *changed: R) -> dict[str, R]:
    return {**records, **{record.id: record for record in changed}}  # type: ignore[attr-defined]


def _you_authored(library: Library, event: Event, data: YouAuthored) -> Step:
    known = library.people.get(data.you_id)
    person = Person(
        id=data.you_id,
        name=data.name,
        pronouns=data.pronouns,
        persona=data.persona,
        appearance=data.appearance,
        is_default=data.is_default or not library.people,
        updated_at=event.ts,
        portrait=known.portrait if known else "",
    )
    others = (
        [p for p in library.people.values() if p.is_default and p.id != person.id]
        if person.is_default
        else []
    )
    changed = [person, *(replace(other, is_default=False) for other in others)]
    return replace(library, people=_with(library.people, *changed)), [Put(record) for record in changed]


def _bot(library: Library, bot: Bot) -> Step:
    return replace(library, bots=_with(library.bots, bot)), [Put(bot)]


def _bot_authored(library: Library, event: Event, data: BotAuthored) -> Step:
    return _bot(library, bots.authored(library.bots.get(data.bot_id), event, data))


def _bot_archived(library: Library, event: Event, data: BotArchived) -> Step:
    return _bot(library, bots.archived(library.bots[data.bot_id], event, True))


def _bot_restored(library: Library, event: Event, data: BotRestored) -> Step:
    return _bot(library, bots.archived(library.bots[data.bot_id], event, False))


def _portrait_changed(library: Library, event: Event, data: PortraitChanged) -> Step:
    if person := library.people.get(data.entity):
        person = replace(person, portrait=data.media_id)
        return replace(library, people=_with(library.people, person)), [Put(person)]
    return _bot(library, replace(library.bots[data.entity], portrait=data.media_id))


def _chat(library: Library, chat: Chat) -> Step:
    return replace(library, chats=_with(library.chats, chat)), [Put(chat)]


def _chat_created(library: Library, event: Event, data: ChatCreated) -> Step:
    branch = Branch(
        id=data.branch_id,
        chat_id=data.chat_id,
        parent_id=None,
        fork_step=0,
        reason="start",
        created_at=event.ts,
    )
    chat = Chat(
        id=data.chat_id,
        title=data.title,
        bot_ids=data.bot_ids,
        you_id=data.you_id,
        continuity=data.continuity,
        branch_id=data.branch_id,
        archived=False,
        created_at=event.ts,
    )
    known, changes = _chat(library, chat)
    return replace(known, branches=_with(library.branches, branch)), [*changes, Put(branch)]


def _chat_renamed(library: Library, event: Event, data: ChatRenamed) -> Step:
    return _chat(library, replace(library.chats[data.chat_id], title=data.title))


def _chat_archived(library: Library, event: Event, data: ChatArchived) -> Step:
    return _chat(library, replace(library.chats[data.chat_id], archived=True))


def _chat_restored(library: Library, event: Event, data: ChatRestored) -> Step:
    return _chat(library, replace(library.chats[data.chat_id], archived=False))


def _chat_you_chosen(library: Library, event: Event, data: ChatYouChosen) -> Step:
    return _chat(library, replace(library.chats[data.chat_id], you_id=data.you_id))


def _branch_forked(library: Library, event: Event, data: BranchForked) -> Step:
    branch = Branch(
        id=data.branch_id,
        chat_id=data.chat_id,
        parent_id=data.parent_id,
        fork_step=data.fork_step,
        reason=data.reason,
        created_at=event.ts,
    )
    return replace(library, branches=_with(library.branches, branch)), [Put(branch)]


def _branch_selected(library: Library, event: Event, data: BranchSelected) -> Step:
    return _chat(library, replace(library.chats[data.chat_id], branch_id=data.branch_id))


def _checkpoint_named(library: Library, event: Event, data: CheckpointNamed) -> Step:
    known = library.checkpoints.get(data.checkpoint_id)
    checkpoint = Checkpoint(
        id=data.checkpoint_id,
        chat_id=data.chat_id,
        branch_id=data.branch_id,
        step=data.step,
        name=data.name,
        created_at=known.created_at if known else event.ts,
    )
    return replace(library, checkpoints=_with(library.checkpoints, checkpoint)), [Put(checkpoint)]


def _checkpoint_removed(library: Library, event: Event, data: CheckpointRemoved) -> Step:
    kept = {key: one for key, one in library.checkpoints.items() if key != data.checkpoint_id}
    return replace(library, checkpoints=kept), [Drop(Checkpoint.table, (data.checkpoint_id,))]


def _words_erased(library: Library, event: Event, data: WordsErased) -> Step:
    """In a log that is read anew there is nothing left of them; what is remembered of them goes here."""
    gone = {*data.chat_ids, *data.bot_ids}
    chats = {one: chat for one, chat in library.chats.items() if one not in gone}
    branches = {one: branch for one, branch in library.branches.items() if branch.chat_id not in gone}
    known = {one: bot for one, bot in library.bots.items() if one not in gone}
    named = {one: place for one, place in library.checkpoints.items() if place.chat_id not in gone}
    dropped: list[Change] = [Drop(Chat.table, (one,)) for one in data.chat_ids if one in library.chats]
    dropped += [Drop(Bot.table, (one,)) for one in data.bot_ids if one in library.bots]
    return replace(library, chats=chats, branches=branches, bots=known, checkpoints=named), dropped


_CASES: dict[type, Callable[[Library, Event, Any], Step]] = {
    WordsErased: _words_erased,
    YouAuthored: _you_authored,
    BotAuthored: _bot_authored,
    BotArchived: _bot_archived,
    BotRestored: _bot_restored,
    PortraitChanged: _portrait_changed,
    ChatCreated: _chat_created,
    ChatRenamed: _chat_renamed,
    ChatArchived: _chat_archived,
    ChatRestored: _chat_restored,
    ChatYouChosen: _chat_you_chosen,
    BranchForked: _branch_forked,
    BranchSelected: _branch_selected,
    CheckpointNamed: _checkpoint_named,
    CheckpointRemoved: _checkpoint_removed,
}
