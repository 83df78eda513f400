"""The player's entry, from the words that were sent to what the log is told of them.

Where the words were seen coming, their prompt has been written: then one commit holds both the entry and the beginning
of the reply, and the model is asked while the disk is waited for. It must never let anything be asked for that is not
as it would have been asked without that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from chat.domain import exchange, resets
from chat.domain.chats import Chat
from chat.domain.events import NewEvent, UserTurn
from chat.domain.exchange import Moment
from chat.domain.segments import Segment
from chat.domain.turns import is_spoken
from chat.engine import narrate, prepare
from chat.engine.run import Run
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine
    from chat.engine.narrate import Asked
    from chat.engine.prepare import Prepared

UNANSWERED_MAX = 12
"""How far back an exchange is looked for; more unanswered entries than this are not gathered into one memory."""


class Accepted(msgspec.Struct, frozen=True):
    """`reply_id` is None when there is nothing to reply to; `repeated` when this very post was accepted before."""

    turn_id: str
    reply_id: str | None
    repeated: bool = False


class Entry:
    """One post of words. `decide` is what the writer is given; after the commit the other fields tell what it did."""

    def __init__(
        self, engine: Engine, run: Run, speaker: str, text: str, segments: tuple[Segment, ...]
    ) -> None:
        self._engine, self._run, self._text = engine, run, text
        self.speaker, self.segments = speaker, segments
        self.turn_id = engine.clock.new_id()
        self.repeated: Accepted | None = None
        self.reply_moment: Moment | None = None
        """Of the reply, where it begins in the same commit."""
        self.asked: Asked | None = None
        self._prepared: Prepared | None = None
        self._head = 0
        self._is_given_up = False
        self._loop = asyncio.get_running_loop()

    def look_ahead(self, chat: Chat) -> None:
        """Take the prompt that was written while these words were typed, if there is one."""
        self._prepared = prepare.at_hand(self._engine, chat, self.segments)
        self._head = self._engine.store.head

    def ask_if_begun(self) -> None:
        """On the writer's thread, when the beginning of the reply is written and the disk is waited for.

        Not before: the two threads would only take turns, and one's own words would be stored later for it.
        """
        if self.reply_moment:
            self._loop.call_soon_threadsafe(self._ask)

    def _ask(self) -> None:
        """Send that prompt, because it was decided that the reply begins."""
        if self._prepared and not self._is_given_up:
            prepare.keep_history_from(self._engine, self._run.chat_id, self.speaker, self._prepared.written)
            self.asked = narrate.ask(self._engine, self._prepared)

    async def give_up(self) -> None:
        """The words could not be stored: nobody waits for an answer."""
        self._is_given_up = True
        if self.asked:
            await self.asked.drop()

    def decide(self, state: State) -> Sequence[NewEvent]:
        """The entry, with what has to happen before it, and the beginning of the reply if its prompt is ready."""
        engine, chat_id = self._engine, self._run.chat_id
        now, key = state.chat(chat_id), self._run.idempotency_key
        self.repeated = posted_before(state, chat_id, key, self._text)
        if self.repeated:
            return []
        prepare.check_fits(engine, state, chat_id, self.segments)
        world = state.world(chat_id)
        is_over = resets.is_over(world) and is_spoken(self.segments)
        first = state.beginning(chat_id) if is_over else []
        begun = resets.begin_again(world, now.you_id, first, engine.clock.new_id)
        moment, begun_there = exchange.moment_after(world, now, begun)
        said = [*exchange.say(now, moment, self.turn_id, self._text, self.segments, key), *begun_there]
        return [*said, *self._reply_begins(state, moment, said)]

    def _reply_begins(self, state: State, moment: Moment, said: Sequence[NewEvent]) -> list[NewEvent]:
        """Nothing, where something has happened since its prompt was written, or happens with the entry."""
        is_alone = len(said) == 1 and isinstance(said[0].data, UserTurn)
        if self._prepared is None or state.head != self._head or not is_alone:
            return []
        how = self._prepared.how(self._engine.endpoint().name)
        self.reply_moment = msgspec.structs.replace(moment, step=moment.step + 1)
        run, answered = self._run, {"reply_to": self.turn_id}
        return exchange.start(run.chat_id, self.reply_moment, run.reply_id, self.speaker, **answered, **how)


def posted_before(state: State, chat_id: str, key: str, text: str) -> Accepted | None:
    """What this very post came to the first time, so that a double click or a resend starts nothing new."""
    turn = state.turn_by_key(chat_id, key) if key else None
    if turn is None or turn.text != text:
        return None
    later = [one for one in state.recent_turns(chat_id, UNANSWERED_MAX) if one.reply_to == turn.id]
    return Accepted(turn.id, later[-1].id if later else None, repeated=True)
