"""Going back: every way of it is a fork at a step and a selection, so what is left behind is never lost.

A run in progress must have ended first; nothing here touches another chat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chat.domain import chats
from chat.domain.events import NewEvent
from chat.domain.lineage import branch_at
from chat.engine.turn import start_reply
from chat.errors import NotFound, Refused
from chat.store.state import State

if TYPE_CHECKING:
    from chat.domain.turns import Turn
    from chat.engine.engine import Engine


async def retry(engine: Engine, chat_id: str, turn_id: str) -> str:
    """Write the latest reply again, on a fork from right before it. Returns the new reply's turn id.

    Raises NotFound for a turn of another chat, Refused when it is not the latest reply, TurnRunning.
    """
    chats.known(engine.store.library.chats.get(chat_id))
    run = engine.new_run(chat_id)
    engine.runs.reserve(run)
    try:
        await engine.close_interrupted(chat_id)
        branch_id = engine.clock.new_id()
        again: list[Turn] = []

        def forked(state: State) -> list[NewEvent]:
            again.append(_latest_reply(state, chat_id, turn_id))
            before = again[0].step - 1
            parent = branch_at(state.library.lineage(chat_id), before)
            return chats.fork(state.library.chats[chat_id], branch_id, parent, before, "retry")

        await engine.store.execute(forked, caused_by=run.reply_id)
    except BaseException:
        engine.runs.release(run)
        raise
    run.user_turn_id = again[0].reply_to
    start_reply(engine, run, again[0].speaker)
    return run.reply_id


def _latest_reply(state: State, chat_id: str, turn_id: str) -> Turn:
    found = state.turn(turn_id)
    if found is None or found.chat_id != chat_id:
        raise NotFound("There is no such turn in this chat.")
    latest = state.recent_turns(chat_id, 1)
    if found.role != "assistant" or found.origin != "reply" or not latest or latest[0].id != found.id:
        raise Refused(
            "Only the latest reply can be written again.", "Reload the page to see where the story stands."
        )
    return found
