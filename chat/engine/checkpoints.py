"""Naming moments of a story and coming back to them: a name is a fact of the chat, coming back one more fork."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chat.domain import chats, checkpoints
from chat.domain.events import NewEvent
from chat.domain.history import CHECKPOINT
from chat.domain.lineage import is_visible
from chat.engine import timeline
from chat.engine.timeline import Moved
from chat.errors import NotFound
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine


async def name_turn(engine: Engine, chat_id: str, turn_id: str, name: str) -> str:
    """Name the moment right after a turn of the line; without a turn, the present one. Returns the checkpoint's id.

    Raises NotFound for a turn that is not on the line, and what refuses a name.
    """

    def named(state: State, new_id: str) -> list[NewEvent]:
        chat = chats.known(state.library.chats.get(chat_id))
        step = _step_of(state, chat_id, turn_id) if turn_id else state.world(chat_id).state.head_step
        return checkpoints.name(chat, state.library.branches, chat.branch_id, step, name, new_id)

    return await _once(engine, named)


async def name_moment(engine: Engine, chat_id: str, branch_id: str, step: int, name: str) -> str:
    """Name the moment right after a step of any branch of this chat. Returns the checkpoint's id."""

    def named(state: State, new_id: str) -> list[NewEvent]:
        chat = chats.known(state.library.chats.get(chat_id))
        branch = state.library.branches.get(branch_id)
        if branch is None or branch.chat_id != chat_id:
            raise NotFound("There is no such moment in this chat.")
        there = min(step, state.end(branch_id))
        return checkpoints.name(chat, state.library.branches, branch_id, there, name, new_id)

    return await _once(engine, named)


async def rename(engine: Engine, chat_id: str, checkpoint_id: str, name: str) -> None:
    """Call a checkpoint something else. Raises NotFound, and what refuses a name."""
    await engine.store.execute(
        lambda state: checkpoints.rename(state.library.checkpoints.get(checkpoint_id), chat_id, name)
    )


async def remove(engine: Engine, chat_id: str, checkpoint_id: str) -> None:
    """Take the name away; the moment stays. Raises NotFound."""
    await engine.store.execute(
        lambda state: checkpoints.remove(state.library.checkpoints.get(checkpoint_id), chat_id)
    )


async def come_back(engine: Engine, chat_id: str, checkpoint_id: str) -> Moved:
    """Go to a named moment. Raises NotFound, Refused when the story stands there already, TurnRunning."""
    found = checkpoints.known(engine.store.library.checkpoints.get(checkpoint_id), chat_id)
    return await timeline.stand(engine, chat_id, found.branch_id, found.step, CHECKPOINT)


async def _once(engine: Engine, naming: Callable[[State, str], list[NewEvent]]) -> str:
    """A moment that is called that already keeps the checkpoint it has; its id is returned."""
    made = engine.clock.new_id()

    def named(state: State) -> list[NewEvent]:
        nonlocal made
        events = naming(state, made)
        if known := checkpoints.alike(state.library.checkpoints.values(), events):
            made = known.id
            return []
        return events

    await engine.store.execute(named)
    return made


def _step_of(state: State, chat_id: str, turn_id: str) -> int:
    found = state.turn(turn_id)
    line = state.library.lineage(chat_id)
    if found is None or found.chat_id != chat_id or not is_visible(line, found.branch_id, found.step):
        raise NotFound("There is no such turn on this line of the story.")
    return found.step
