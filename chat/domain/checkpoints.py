"""Checkpoints: moments of a chat that have a name, on whatever branch they lie. No way of going back takes one away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from chat.domain.events import CheckpointNamed, CheckpointRemoved, NewEvent, library
from chat.domain.lineage import owner_of
from chat.domain.records import Record
from chat.errors import BlankText, NotFound, Refused, TextTooLong

if TYPE_CHECKING:
    from chat.domain.chats import Branch, Chat

NAME_CHARS = 80


class Checkpoint(Record, frozen=True):
    """A name for the moment right after `step` of `branch_id`, the branch on which that step lies."""

    table = "checkpoints"
    id: str
    chat_id: str
    branch_id: str
    step: int
    name: str
    created_at: str


def name(
    chat: Chat, branches: Mapping[str, Branch], branch_id: str, step: int, called: str, new_id: str
) -> list[NewEvent]:
    """Name the moment right after a step, as seen from a branch. Raises what refuses a name."""
    lies_on = owner_of(branches, branch_id, step)
    named = CheckpointNamed(
        chat_id=chat.id, checkpoint_id=new_id, branch_id=lies_on, step=step, name=_tidy(called)
    )
    return [library(named)]


def alike(shelf: Iterable[Checkpoint], named: list[NewEvent]) -> Checkpoint | None:
    """The checkpoint that has this name at this moment already."""
    new = named[0].data
    assert isinstance(new, CheckpointNamed)
    wanted = (new.chat_id, new.branch_id, new.step, new.name)
    return next((one for one in shelf if (one.chat_id, one.branch_id, one.step, one.name) == wanted), None)


def rename(found: Checkpoint | None, chat_id: str, called: str) -> list[NewEvent]:
    """Empty when it is called that already."""
    kept, new = known(found, chat_id), _tidy(called)
    if new == kept.name:
        return []
    named = CheckpointNamed(
        chat_id=kept.chat_id,
        checkpoint_id=kept.id,
        branch_id=kept.branch_id,
        step=kept.step,
        name=new,
        prior=kept.name,
    )
    return [library(named)]


def remove(found: Checkpoint | None, chat_id: str) -> list[NewEvent]:
    kept = known(found, chat_id)
    return [library(CheckpointRemoved(chat_id=kept.chat_id, checkpoint_id=kept.id, name=kept.name))]


def known(found: Checkpoint | None, chat_id: str) -> Checkpoint:
    if found is None or found.chat_id != chat_id:
        raise NotFound("There is no such checkpoint in this chat.", "Reload the page to see those there are.")
    return found


def _tidy(called: str) -> str:
    """The name on one line."""
    tidy = " ".join(called.split())
    if not tidy:
        raise BlankText("A checkpoint needs a name.")
    if len(tidy) > NAME_CHARS:
        raise TextTooLong(
            f"The name of a checkpoint can have {NAME_CHARS} characters; this has {len(tidy):,}."
        )
    if any(not char.isprintable() for char in tidy):
        raise Refused("The name holds a character that cannot be shown.", "Type it anew.")
    return tidy
