"""Going back and forth: every way of it is a fork at a step or the selection of a branch, so nothing is ever lost.

A reply in progress must have ended first; nothing here touches another chat. What a step brought about (memories,
feelings, scene, clock) goes and comes back with it, because state is folded from the selected line alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from chat.domain import chats, exchange, resets
from chat.domain.chats import Chat
from chat.domain.events import NewEvent, SceneOpened, story
from chat.domain.history import AGAIN, MOMENT, REDO, RETRY, REWIND, SWIPE, UNDO, Place
from chat.domain.lineage import branch_at, owner_of
from chat.domain.turns import Turn, check_text, is_spoken
from chat.engine import last_action, recovery
from chat.engine.hearing import segments_of
from chat.engine.rewording import taken_along, visible
from chat.engine.run import Run
from chat.engine.turn import start_reply
from chat.errors import NotFound, Refused, TurnRunning
from chat.store import views
from chat.store.state import State

if TYPE_CHECKING:
    from chat.domain.library import Library
    from chat.engine.engine import Engine
    from chat.store.reading import Reader

Find = Callable[[State, Chat], tuple[Place, str]]
"""Finds where to stand, and the reason of the selection."""


class Moved(msgspec.Struct, frozen=True):
    """Where the story stands now, and in words what was undone or redone."""

    branch_id: str
    what: str
    words: str = ""


class Steps(msgspec.Struct, frozen=True):
    """What Undo and Redo would do, in words; empty when there is nothing. `*_told` says which of its kind it was."""

    undo: str
    redo: str
    undo_told: str = ""
    redo_told: str = ""


async def retry(engine: Engine, chat_id: str, turn_id: str, prose: str | None = None, model: str = "") -> str:
    """Write the latest reply again on a fork from right before it; with `prose`, one's own turn too.

    A turn of one's own that nobody answered gets its reply. `model` is one to ask instead of the usual one.
    Returns the new reply's turn id. Raises NotFound, Refused when it is not the latest reply, TurnRunning, and what
    refuses a text.
    """
    chat = chats.known(engine.store.library.chats.get(chat_id))
    text = None if prose is None else check_text(prose, engine.settings.limits.turn_chars)
    run = engine.new_run(chat_id)
    run.model = model
    engine.runs.reserve(run)
    try:
        await engine.close_interrupted(chat_id)
        if text:
            speaker = await _said_again(
                engine, run, chat, text, lambda state: _answered(state, chat_id, turn_id)
            )
        elif await _is_unanswered(engine, chat, turn_id):
            run.user_turn_id, speaker = turn_id, chat.bot_ids[0]
        else:
            speaker = await _fork(engine, run, chat, turn_id)
    except BaseException:
        engine.runs.release(run)
        raise
    start_reply(engine, run, speaker)
    return run.reply_id


async def go_on_from(engine: Engine, chat_id: str, turn_id: str, prose: str) -> str:
    """Go on from one of the player's own turns, however long ago, in other words and with a fresh reply, on a fork.

    Returns the new reply's turn id. Raises NotFound, Refused for a turn of somebody else, TurnRunning, and what refuses
    a text.
    """
    chat = chats.known(engine.store.library.chats.get(chat_id))
    text = check_text(prose, engine.settings.limits.turn_chars)
    run = engine.new_run(chat_id)
    engine.runs.reserve(run)
    try:
        await engine.close_interrupted(chat_id)
        speaker = await _said_again(engine, run, chat, text, lambda state: _own(state, chat_id, turn_id))
    except BaseException:
        engine.runs.release(run)
        raise
    start_reply(engine, run, speaker)
    return run.reply_id


async def rewind(engine: Engine, chat_id: str, turn_id: str) -> Moved:
    """Go back to right after a turn. Raises NotFound, Refused when the story stands there already, TurnRunning."""

    def back(state: State, chat: Chat) -> tuple[Place, str]:
        turn = visible(state, chat_id, turn_id)
        if turn.step >= state.world(chat_id).state.head_step:
            raise Refused("The story stands at this turn already.")
        line = state.library.lineage(chat_id)
        return Place(branch_at(line, turn.step), turn.step, REWIND), REWIND

    moment = await engine.snapshots.hold()
    try:
        moved = await _go(engine, chat_id, back)
    except BaseException:
        if moment:
            moment.close()
        raise
    if moment:
        engine.snapshots.keep_rewind(chat_id, moment)
    return moved


async def select(engine: Engine, chat_id: str, branch_id: str) -> Moved:
    """Make a branch of this chat the visible one, as it was left. Raises NotFound, TurnRunning."""

    def chosen(state: State, chat: Chat) -> tuple[Place, str]:
        branch = state.library.branches.get(branch_id)
        if branch is None or branch.chat_id != chat_id:
            raise NotFound("There is no such branch in this chat.")
        if branch_id == chat.branch_id:
            raise Refused("The story is on this branch already.")
        return Place(branch_id, -1, SWIPE), SWIPE

    return await _go(engine, chat_id, chosen)


async def stand(engine: Engine, chat_id: str, branch_id: str, step: int, reason: str = MOMENT) -> Moved:
    """Go to right after a step of any branch of this chat, at most to its end.

    Raises NotFound, Refused when the story stands there already, TurnRunning.
    """

    def there(state: State, chat: Chat) -> tuple[Place, str]:
        branch = state.library.branches.get(branch_id)
        if branch is None or branch.chat_id != chat_id or step < 0:
            raise NotFound("There is no such moment in this chat.")
        at = min(step, state.end(branch_id))
        lies_on = owner_of(state.library.branches, branch_id, at)
        head = state.world(chat_id).state.head_step
        here = branch_at(state.library.lineage(chat_id), head)
        if (lies_on, at) == (here, head):
            raise Refused("The story stands at this moment already.")
        return Place(lies_on, at, reason), reason

    return await _go(engine, chat_id, there)


async def undo(engine: Engine, chat_id: str) -> Moved:
    """Take the last action back, whatever it was; one's own words come back into the composer. Raises Refused."""

    def back(state: State, chat: Chat) -> tuple[Place, str]:
        place = state.history(chat_id).back()
        if place is None:
            raise Refused("There is nothing to undo.")
        return place, UNDO

    return await _go(engine, chat_id, back)


async def redo(engine: Engine, chat_id: str) -> Moved:
    """Do again what was undone last; words the undo had given back leave the composer. Raises Refused."""

    def forth(state: State, chat: Chat) -> tuple[Place, str]:
        place = state.history(chat_id).forward()
        if place is None:
            raise Refused("There is nothing to redo.")
        return place, REDO

    moved = await _go(engine, chat_id, forth)
    await _take_back(engine, chat_id)
    return moved


async def steps(engine: Engine, chat_id: str) -> Steps:
    """What Undo and Redo would do here; nothing while the stories can only be read. Raises NotFound."""
    library = engine.store.library
    chat = chats.known(library.chats.get(chat_id))
    if engine.store.fault:
        return Steps("", "")
    return await engine.store.read(lambda reader: _steps(reader, library, chat), is_short=True)


async def _steps(reader: Reader, library: Library, chat: Chat) -> Steps:
    """Awaits nothing but its reader."""
    history = await views.latest_history(reader, chat.id, chat.branch_id)
    places = [history.here() if history.back() else None, history.forward()]
    told = [await last_action.told(reader, library, chat.id, one) if one else "" for one in places]
    undo, redo = (last_action.kind(one) if one else "" for one in places)
    return Steps(undo, redo, *told)


async def _go(engine: Engine, chat_id: str, find: Find) -> Moved:
    """Stand at a place: on its own branch where that is its tip, else on a fork (an unused one if there is one)."""
    chat = chats.known(engine.store.library.chats.get(chat_id))
    if run := engine.runs.get(chat_id):
        raise TurnRunning("A reply is being written; stop it first, then go back.", turn_id=run.reply_id)
    await engine.close_interrupted(chat_id)
    moved: list[Moved] = []

    def gone(state: State) -> list[NewEvent]:
        now = state.chat(chat_id)
        place, reason = find(state, now)
        here = state.history(chat_id).here()
        latest = state.recent_turns(chat_id, 2)
        events, branch_id = _to(engine, state, now, place, reason)
        words = _own_words(latest) if reason == UNDO and here and here.what == "user_turn" else ""
        told = last_action.kind(here) if reason == UNDO and here else last_action.kind(place)
        moved.append(Moved(branch_id, told, words))
        return events

    await engine.store.execute(gone)
    engine.history_from.clear()
    await recovery.go_on(engine, chat_id)
    if moved[0].words:
        await _give_back(engine, chat.id, moved[0].words)
    return moved[0]


def _to(engine: Engine, state: State, chat: Chat, place: Place, reason: str) -> tuple[list[NewEvent], str]:
    end = state.end(place.branch_id)
    if place.step < 0 or (end <= place.step and place.branch_id != chat.branch_id):
        return chats.select(chat, place.branch_id, end, reason), place.branch_id
    unused = next(
        (
            branch.id
            for branch in state.library.branches.values()
            if (branch.parent_id, branch.fork_step) == (place.branch_id, place.step)
            and branch.id != chat.branch_id
            and branch.reason != RETRY  # that may have taken other words along
            and state.tip(branch.id) is None
        ),
        None,
    )
    if unused:
        return chats.select(chat, unused, place.step, reason), unused
    branch_id = engine.clock.new_id()
    return chats.fork(chat, branch_id, place.branch_id, place.step, reason), branch_id


def _own_words(latest: list[Turn]) -> str:
    """The player's words of the action that is taken back."""
    return next((turn.text for turn in reversed(latest) if turn.role == "user"), "")


async def _give_back(engine: Engine, chat_id: str, words: str) -> None:
    """Put undone words into the composer, unless something else stands there already."""
    key = f"composer:{chat_id}"
    async with engine.store.reading() as reader:
        kept = await views.draft(reader, key)
    if not kept:
        await engine.store.save_draft(key, words)
        _tell_composer(engine, chat_id)


async def _take_back(engine: Engine, chat_id: str) -> None:
    """Words that stand in the story again are no longer a draft."""
    key = f"composer:{chat_id}"
    async with engine.store.reading() as reader:
        kept = await views.draft(reader, key)
        latest = await views.transcript(reader, engine.store.library, chat_id, limit=2)
    if kept and kept == _own_words(latest.turns):
        await engine.store.save_draft(key, None)
        _tell_composer(engine, chat_id)


def _tell_composer(engine: Engine, chat_id: str) -> None:
    """A draft is no event: what the commit told came before it was there."""
    told = {"head": engine.store.head, "kinds": [], "parts": ["draft"], "turns": []}
    engine.hub.send(chat_id, "event", told)


async def _is_unanswered(engine: Engine, chat: Chat, turn_id: str) -> bool:
    """Whether these are the player's words at the end of the story: their reply could not even begin."""
    async with engine.store.reading() as reader:
        latest = (await views.transcript(reader, engine.store.library, chat.id, limit=1)).turns
    return (
        bool(latest)
        and latest[0].id == turn_id
        and latest[0].role == "user"
        and is_spoken(latest[0].segments)
    )


async def _fork(engine: Engine, run: Run, chat: Chat, turn_id: str) -> str:
    """A fork right before the reply; the run answers what the reply answered. Returns who wrote it."""
    again: list[Turn] = []

    def forked(state: State) -> list[NewEvent]:
        again.append(_latest_reply(state, chat.id, turn_id))
        return _forked_before(state, chat.id, engine.clock.new_id(), again[0].step, RETRY)

    await engine.store.execute(forked, caused_by=run.reply_id)
    run.user_turn_id = again[0].reply_to
    return again[0].speaker


async def _said_again(
    engine: Engine, run: Run, chat: Chat, text: str, find: Callable[[State], tuple[Turn, str]]
) -> str:
    """A fork right before one's own turn, and that turn in other words. Returns who is to answer."""
    speakers: list[str] = []
    segments = segments_of(engine, chat, text)
    new_id = engine.clock.new_id()

    def forked(state: State) -> list[NewEvent]:
        mine, speaker = find(state)
        speakers.append(speaker)
        branch_id = engine.clock.new_id()
        events = _forked_before(state, chat.id, branch_id, mine.step, AGAIN)
        present, with_it = exchange.before_it(mine, state.with_turn(chat.id, mine))
        opened = resets.once_more(with_it, engine.clock.new_id)
        begun = story(chat.id, branch_id, mine.step, *opened)
        scene_id = next((one.scene_id for one in opened if isinstance(one, SceneOpened)), mine.scene_id)
        moment = exchange.Moment(branch_id, mine.step, scene_id, mine.at, present)
        return [*events, *exchange.say(chat, moment, new_id, text, segments, ""), *begun]

    await engine.store.execute(forked, caused_by=new_id)
    run.user_turn_id = new_id
    return speakers[0]


def _answered(state: State, chat_id: str, turn_id: str) -> tuple[Turn, str]:
    """The player's turn that the latest reply answers, and who wrote that."""
    reply = _latest_reply(state, chat_id, turn_id)
    mine = state.turn(reply.reply_to) if reply.reply_to else None
    if mine is None:
        raise Refused("This reply answers no turn of yours, so there is nothing to rewrite.")
    return mine, reply.speaker


def _own(state: State, chat_id: str, turn_id: str) -> tuple[Turn, str]:
    """A turn of the player's own, and who is to answer it."""
    mine = visible(state, chat_id, turn_id)
    if mine.role != "user":
        raise Refused("This is not a turn of yours.", "Change its words, or write the latest reply again.")
    return mine, state.library.chats[chat_id].bot_ids[0]


def _forked_before(state: State, chat_id: str, branch_id: str, step: int, reason: str) -> list[NewEvent]:
    """The fork, with the words that earlier turns were given since."""
    parent = branch_at(state.library.lineage(chat_id), step - 1)
    forked = chats.fork(state.library.chats[chat_id], branch_id, parent, step - 1, reason)
    return [*forked, *taken_along(state, chat_id, branch_id, step - 1)]


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
