"""Chats and their branches: what exists, and which branch of each chat is selected."""

from __future__ import annotations

from chat.domain.events import (
    BranchForked,
    BranchSelected,
    ChatArchived,
    ChatRenamed,
    ChatRestored,
    ChatYouChosen,
    NewEvent,
    library,
)
from chat.domain.people import Person
from chat.domain.records import Record
from chat.errors import BlankText, NotFound, Refused


class Chat(Record, frozen=True):
    """`branch_id` is the selected branch; `bot_ids[0]` the host."""

    table = "chats"
    id: str
    title: str
    bot_ids: tuple[str, ...]
    you_id: str
    continuity: str
    branch_id: str
    archived: bool
    created_at: str


class Branch(Record, frozen=True):
    """The first branch of a chat has no parent; `fork_step` is the last step shared with the parent."""

    table = "branches"
    id: str
    chat_id: str
    parent_id: str | None
    fork_step: int
    reason: str
    created_at: str


def rename(chat: Chat | None, title: str) -> list[NewEvent]:
    found = known(chat)
    if not title.strip():
        raise BlankText("A chat needs a title.")
    return [library(ChatRenamed(chat_id=found.id, title=title.strip(), prior=found.title))]


def archive(chat: Chat | None) -> list[NewEvent]:
    found = known(chat)
    if found.archived:
        raise Refused("This chat is archived already.")
    return [library(ChatArchived(chat_id=found.id))]


def restore(chat: Chat | None) -> list[NewEvent]:
    found = known(chat)
    if not found.archived:
        raise Refused("This chat is not archived.")
    return [library(ChatRestored(chat_id=found.id))]


def play_as(chat: Chat | None, you: Person | None) -> list[NewEvent]:
    """Go on as another persona of the player. Raises NotFound; nothing happens when it is the same."""
    found = known(chat)
    if you is None:
        raise NotFound("There is no such persona.", "Choose one of yours, or write a new one in Settings.")
    if you.id == found.you_id:
        return []
    return [library(ChatYouChosen(chat_id=found.id, you_id=you.id, prior=found.you_id))]


def fork(chat: Chat, branch_id: str, parent_id: str, fork_step: int, reason: str) -> list[NewEvent]:
    """A new branch from `fork_step` of `parent_id` (the branch of the line on which that step lies), selected."""
    forked = BranchForked(
        chat_id=chat.id, branch_id=branch_id, parent_id=parent_id, fork_step=fork_step, reason=reason
    )
    return [library(forked), *select(chat, branch_id, fork_step, reason)]


def select(chat: Chat, branch_id: str, step: int, reason: str) -> list[NewEvent]:
    """Make a branch the visible one. `step` is where the line now stands."""
    return [
        library(
            BranchSelected(
                chat_id=chat.id, branch_id=branch_id, step=step, prior=chat.branch_id, reason=reason
            )
        )
    ]


def known(chat: Chat | None) -> Chat:
    if chat is None:
        raise NotFound("There is no such chat.")
    return chat
