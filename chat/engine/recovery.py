"""Work a crash left undone, derived from the log: a reply that was started and never ended is closed with what
its journal kept. Doing it twice changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chat.domain import exchange
from chat.domain.events import NewEvent
from chat.domain.exchange import Moment
from chat.domain.turns import Turn
from chat.engine.turn import UNANSWERED_MAX, interrupted
from chat.observe import get_logger
from chat.store import views
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)


async def recover(engine: Engine) -> int:
    """Close every reply that no run is writing; returns how many. Called before the first page is served."""
    async with engine.store.reading() as reader:
        left = await views.running_turns(reader)
    for turn in left:
        await close_turn(engine, turn)
    for turn_id in engine.store.journals():
        engine.store.reply_journal(turn_id).remove()
    await _finish_digests(engine)
    return len(left)


async def _finish_digests(engine: Engine) -> None:
    """Digests a crash left undone, where the reply is still the last turn of its chat."""
    library = engine.store.library
    async with engine.store.reading() as reader:
        for turn in await views.undigested_turns(reader):
            latest = await views.transcript(reader, library, turn.chat_id, limit=1)
            if latest.turns and latest.turns[-1].id == turn.id:
                engine.digests.start(engine, turn.chat_id, turn.id)


async def close_interrupted(engine: Engine, chat_id: str) -> None:
    """Close what an earlier failure to store left running in one chat, so that the story can go on."""
    for turn in await engine.store.read(lambda reader: views.running_turns(reader, chat_id)):
        await close_turn(engine, turn)


async def close_turn(engine: Engine, turn: Turn) -> None:
    journal = engine.store.reply_journal(turn.id)
    chat = engine.store.library.chats[turn.chat_id]
    ending = interrupted(turn, journal.read().strip(), engine.names_of(chat))

    def closed(state: State) -> list[NewEvent]:
        known = state.turn(turn.id)
        if known is None or not known.is_running:
            return []
        world = state.world(turn.chat_id)
        here = exchange.next_moment(world, chat)
        moment = Moment(turn.branch_id, turn.step, here.scene_id, here.at, here.present)
        reply = exchange.finish(turn.chat_id, moment, turn.id, turn.speaker, turn.reply_to, ending)
        before = [one for one in state.recent_turns(turn.chat_id, UNANSWERED_MAX) if one.step < turn.step]
        kept = exchange.remember(chat, moment, before, reply, state.library.name_of, engine.clock.new_id)
        return [*exchange.story_of(turn.chat_id, moment, reply), *kept]

    await engine.store.execute(closed, caused_by=turn.id)
    journal.remove()
    log.info("reply_recovered", chat_id=turn.chat_id, turn_id=turn.id, kept_chars=len(ending.text))
