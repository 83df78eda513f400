"""Work a crash left undone, derived from the log: words without their reply, a reply that never ended, one whose
digest was not done, a closed scene nobody remembers. Doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from chat.domain import exchange
from chat.domain.chats import Chat
from chat.domain.events import BranchSelected, Event, NewEvent, SceneClosed, UserTurn
from chat.domain.exchange import Ending, Moment
from chat.domain.history import RETRY
from chat.domain.lineage import is_visible
from chat.domain.turns import Turn, is_spoken
from chat.engine import continuing, digest, rewording, scenes
from chat.engine.entry import UNANSWERED_MAX
from chat.engine.hearing import segments_of
from chat.engine.scenes import Closed
from chat.engine.turn import INTERRUPTED_CODE, interrupted, unstarted
from chat.errors import ChatError
from chat.observe import get_logger
from chat.store import views
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)
LOOKED_BACK = 500
"""How many events before its end a log is searched for work undone; a crash leaves it close to the end."""


async def recover(engine: Engine) -> int:
    """Close every reply that no run is writing; returns how many. Called before the first page is served.

    Digests and scene memories go on in the background.
    """
    async with engine.store.reading() as reader:
        left = await views.running_turns(reader)
        open_ones = await views.open_continuations(reader)
    for turn in left:
        await close_turn(engine, turn)
    for started in open_ones:
        await continuing.close(engine, started)
    for turn_id in engine.store.journals():
        await _take_up_words(engine, turn_id)
    kinds = (UserTurn.kind, BranchSelected.kind, SceneClosed.kind)
    async with engine.store.reading() as reader:
        recent = await views.events_of_kinds(reader, engine.store.head - LOOKED_BACK, kinds)
    for chat_id in dict.fromkeys(filter(None, map(_asked_in, recent))):
        await _close_unanswered(engine, chat_id)
    await _finish_digests(engine)
    await finish_scenes(engine, recent)
    return len(left) + len(open_ones)


async def _take_up_words(engine: Engine, turn_id: str) -> None:
    """What is left of a reply's file. Where it could not be read when the reply was closed, its words come after all.

    It is removed when the log has what is to be kept of it. It stays while it cannot be read, while its reply stands on
    another line, and where somebody has put that into other words: nobody has seen these yet.
    """
    journal = engine.store.reply_journal(turn_id)
    text = journal.read().strip()
    if journal.is_unreadable:
        return
    async with engine.store.reading() as reader:
        turn = await views.turn(reader, turn_id)
        versions = (await views.versions(reader, [turn_id])).get(turn_id, [])
    told = [turn.text, *(one.text for one in versions)] if turn else []
    is_kept = any(text in one for one in told)
    if turn and not is_kept and turn.error_code == INTERRUPTED_CODE and text.startswith(turn.text):
        is_kept = await _put_back(engine, turn, text)
    elif versions and not is_kept:
        log.warning("reply_words_wait", turn_id=turn_id)
    else:
        is_kept = True
    if is_kept:
        journal.remove()


async def _put_back(engine: Engine, turn: Turn, text: str) -> bool:
    """Words for a reply that was closed without them; False when they have to wait for another start."""
    try:
        await rewording.edit(engine, turn.chat_id, turn.id, text)
    except ChatError as problem:
        log.warning("reply_words_wait", chat_id=turn.chat_id, turn_id=turn.id, code=problem.code)
        return False
    log.info("reply_words_recovered", chat_id=turn.chat_id, turn_id=turn.id, kept_chars=len(text))
    return True


def _asked_in(event: Event) -> str:
    """The chat in which an event asked for a reply, empty when it did not."""
    if isinstance(event.data, UserTurn):
        return event.stream.removeprefix("chat:")
    if isinstance(event.data, BranchSelected) and event.data.reason == RETRY:
        return event.data.chat_id
    return ""


async def _close_unanswered(engine: Engine, chat_id: str) -> None:
    """Words that were stored and whose reply never began get one that says so, and that can be retried."""
    reply_id = engine.clock.new_id()

    def closed(state: State) -> list[NewEvent]:
        chat = state.library.chats[chat_id]
        said = _unanswered(state, chat)
        if said is None:
            return []
        moment = exchange.next_moment(state.world(chat_id), chat)
        speaker = chat.bot_ids[0]
        reply = exchange.finish(chat_id, moment, reply_id, speaker, said.id, interrupted("", "", ()))
        begun = unstarted(chat_id, moment, reply_id, speaker, said.id)
        return [*begun, *exchange.story_of(chat_id, moment, reply)]

    commit = await engine.store.execute(closed, caused_by=reply_id)
    if commit.events:
        log.info("reply_recovered", chat_id=chat_id, turn_id=reply_id, kept_chars=0)


def _unanswered(state: State, chat: Chat) -> Turn | None:
    """The player's words at the end of the line, when they were said there or are to be answered anew.

    Somebody who went back to right after their own words stands on a fork and waits for nothing; nor does one who made
    words of an aside, since those change only while nothing is being written; nor does one whose answer was deleted.
    """
    latest = state.recent_turns(chat.id, 1)
    if not latest or latest[0].role != "user" or not is_spoken(latest[0].segments):
        return None
    if state.began_to_answer(chat.branch_id, latest[0].step):
        return None
    if latest[0].branch_id == chat.branch_id:
        is_asked = not state.version(latest[0].id)
    else:
        is_asked = state.library.branches[chat.branch_id].reason == RETRY
    return latest[0] if is_asked else None


async def _finish_digests(engine: Engine) -> None:
    """Digests a crash left undone, of the replies a digest still reaches; the older ones come late."""
    async with engine.store.reading() as reader:
        waiting = await views.undigested_turns(reader)
    for chat_id in {turn.chat_id for turn in waiting}:
        engine.digests.unfinished.add(chat_id)
        await digest.finish(engine, chat_id)


async def take_up(engine: Engine, chat_ids: Collection[str]) -> None:
    """What was ended behind these stories because they were to go, and they are still there."""
    async with engine.store.reading() as reader:
        recent = await views.events_of_kinds(reader, engine.store.head - LOOKED_BACK, (SceneClosed.kind,))
    for chat_id in chat_ids:
        await digest.finish(engine, chat_id)
    await finish_scenes(engine, [one for one in recent if one.stream.removeprefix("chat:") in chat_ids])


async def go_on(engine: Engine, chat_id: str) -> None:
    """What was under way on this line when the story went elsewhere: its answer came and was not for the line then."""
    if chat_id in engine.digests.unfinished:
        await digest.finish(engine, chat_id)
    if left := engine.digests.left.pop(chat_id, None):
        await _finish_left(engine, chat_id, left)


async def finish_scenes(engine: Engine, events: Sequence[Event]) -> None:
    """Scenes that these events closed and that a witness keeps no memory of yet, on the visible lines."""
    for event in events:
        if isinstance(event.data, SceneClosed):
            closed = Closed(event.data.scene_id, event.branch_id or "", event.step or 0)
            await _finish_left(engine, event.stream.removeprefix("chat:"), {closed})


async def _finish_left(engine: Engine, chat_id: str, left: set[Closed]) -> None:
    """Those on the visible line; the others wait until the story comes back to theirs."""
    line = engine.store.library.lineage(chat_id)
    for closed in sorted(left, key=lambda one: one.step):
        if not is_visible(line, closed.branch_id, closed.step):
            engine.digests.left.setdefault(chat_id, set()).add(closed)
            continue
        async with engine.store.reading() as reader:
            waiting = await views.memories_of_scene(reader, closed.scene_id)
        if waiting:
            engine.digests.follow(chat_id, _remember(engine, chat_id, *closed))


async def _remember(engine: Engine, chat_id: str, scene_id: str, branch_id: str, step: int) -> None:
    try:
        await scenes.remember(engine, chat_id, scene_id, branch_id, step)
    except ChatError as problem:
        log.warning("scene_memory_failed", code=problem.code)
    finally:
        engine.tell_if_idle(chat_id, "idle", "")


async def close_interrupted(engine: Engine, chat_id: str) -> None:
    """Close what an earlier failure to store left running in one chat, so that the story can go on."""
    if chat_id not in engine.unclosed:
        return
    for turn in await engine.store.read(lambda reader: views.running_turns(reader, chat_id)):
        await close_turn(engine, turn)
    for started in await engine.store.read(lambda reader: views.open_continuations(reader, chat_id)):
        await continuing.close(engine, started)
    engine.unclosed.discard(chat_id)


async def close_turn(engine: Engine, turn: Turn) -> None:
    journal = engine.store.reply_journal(turn.id)
    chat = engine.store.library.chats[turn.chat_id]
    unstored = engine.unstored.get(turn.chat_id)
    text = unstored.text if unstored and unstored.turn_id == turn.id else journal.read().strip()
    ending = interrupted(turn.model, text, segments_of(engine, chat, text))
    await engine.store.execute(lambda state: _closed(engine, state, turn, ending), caused_by=turn.id)
    journal.remove()
    engine.unstored.pop(turn.chat_id, None)
    log.info("reply_recovered", chat_id=turn.chat_id, turn_id=turn.id, kept_chars=len(ending.text))


def _closed(engine: Engine, state: State, turn: Turn, ending: Ending) -> list[NewEvent]:
    known = state.turn(turn.id)
    if known is None or not known.is_running:
        return []
    chat = state.library.chats[turn.chat_id]
    here = exchange.next_moment(state.world(turn.chat_id), chat)
    moment = Moment(turn.branch_id, turn.step, here.scene_id, here.at, here.present)
    reply = exchange.finish(turn.chat_id, moment, turn.id, turn.speaker, turn.reply_to, ending)
    before = [one for one in state.recent_turns(turn.chat_id, UNANSWERED_MAX) if one.step < turn.step]
    name_of, resets = state.library.name_of, state.world(turn.chat_id).state.resets
    kept = exchange.remember(chat, moment, before, reply, name_of, engine.clock.new_id, resets)
    return [*exchange.story_of(turn.chat_id, moment, reply), *kept]
