"""A turn in other words, in its place: the change is an action of its own, and the memories of its exchange follow it.

What was felt or learned from the old words stays; so does every version. Nothing here asks a model, but a reply whose
digest was still to come is read with its new words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chat.domain import chats, rewording
from chat.domain.events import MemoryKeyed, MemoryRewritten, NewEvent, StoryPayload, story
from chat.domain.lineage import is_visible
from chat.domain.segments import Segment
from chat.domain.turns import Turn, check_text
from chat.engine.entry import UNANSWERED_MAX
from chat.engine.hearing import segments_of
from chat.errors import NotFound, Refused, Stale, TurnRunning
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine


async def edit(engine: Engine, chat_id: str, turn_id: str, prose: str, seen: int | None = None) -> int:
    """Put a turn of the visible line into other words. Returns the log's head; the same words change nothing.

    `seen` is the event of the version the player started from, 0 for the first words. Raises NotFound, Stale (with the
    present words) when there is a newer one, TurnRunning, and what refuses a text.
    """
    chat = chats.known(engine.store.library.chats.get(chat_id))
    text = check_text(prose, engine.settings.limits.turn_chars).strip()
    if run := engine.runs.get(chat_id):
        raise TurnRunning(
            "A reply is being written; stop it first, then change the turn.", turn_id=run.reply_id
        )
    await engine.close_interrupted(chat_id)
    segments = segments_of(engine, chat, text)
    undigested: list[str] = []

    def edited(state: State) -> list[NewEvent]:
        turn = visible(state, chat_id, turn_id)
        if seen is not None and seen != state.version(turn_id):
            raise Stale(
                "This turn was changed since you opened it; nothing was overwritten.", current=turn.text
            )
        if text == turn.text:
            return []
        exchange = rewording.exchange_with(
            rewording.with_words(state.turns_around(turn, UNANSWERED_MAX), turn_id, text, segments), turn_id
        )
        undigested.extend(one.id for one in exchange[-1:] if not one.digest_outcome)
        step = state.world(chat_id).state.head_step + 1
        events = [rewording.reworded(turn, text, segments), *memories_of(engine, state, turn, text, segments)]
        return story(chat_id, state.library.chats[chat_id].branch_id, step, *events)

    commit = await engine.store.execute(edited, caused_by=turn_id)
    for reply_id in undigested if commit.events else ():
        engine.digests.start(engine, chat_id, reply_id)
    return commit.head


def visible(state: State, chat_id: str, turn_id: str) -> Turn:
    """A turn of the visible line that has ended. Raises NotFound, Refused while it is being written."""
    turn = state.turn(turn_id)
    line = state.library.lineage(chat_id)
    if turn is None or turn.chat_id != chat_id or not is_visible(line, turn.branch_id, turn.step):
        raise NotFound("There is no such turn on this line of the story.")
    if turn.is_running:
        raise Refused("This turn has not ended yet.")
    return turn


def memories_of(
    engine: Engine, state: State, turn: Turn, text: str, segments: tuple[Segment, ...]
) -> list[StoryPayload]:
    """What follows for the memories of the exchange. A reply without its memories (yet) has none to follow."""
    around = state.turns_around(turn, UNANSWERED_MAX)
    before = rewording.exchange_with(around, turn.id)
    after = rewording.exchange_with(rewording.with_words(around, turn.id, text, segments), turn.id)
    if not after:
        return []
    chat, library = state.library.chats[turn.chat_id], state.library
    return rewording.remembered_anew(
        before,
        after,
        state.memories_of_turn(after[-1].id),
        chat.continuity,
        state.world(chat.id).state,
        library.name_of,
        engine.clock.new_id,
    )


def taken_along(state: State, chat_id: str, branch_id: str, fork_step: int) -> list[NewEvent]:
    """Other words of the turns before a fork that were given them after it, so that a retry does not lose them.

    They stand on the new branch at the step it forks from, so they show wherever the branch does.
    """
    newest = {one.turn_id: one for one in state.versions_after(chat_id, fork_step)}
    events: list[StoryPayload] = []
    for version in newest.values():
        turn = state.turn(version.turn_id)
        if turn is not None and turn.step <= fork_step:
            events.append(rewording.reworded(turn, version.text, version.segments))
            events += _as_remembered(state, turn, fork_step)
    return story(chat_id, branch_id, fork_step, *events)


def _as_remembered(state: State, turn: Turn, fork_step: int) -> Iterator[StoryPayload]:
    """The memories of the exchange as they are on the line that is left, if the fork has them."""
    exchange = rewording.exchange_with(state.turns_around(turn, UNANSWERED_MAX), turn.id)
    if not exchange or exchange[-1].step > fork_step:
        return
    for memory in state.memories_of_turn(exchange[-1].id):
        yield MemoryRewritten(memory_id=memory.id, text=memory.text, prior=memory.text)
        yield MemoryKeyed(memory_id=memory.id, keys=memory.keys)
