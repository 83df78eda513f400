"""One turn, top to bottom: the player's words are stored, then the reply is prepared, streamed and stored.

The player's words are committed before anything is shown, and nothing that fails later can lose them.
No lock or transaction is held across an await; the chat's one run is the only thing that says "busy".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from chat.domain import chats, exchange
from chat.domain.chats import Chat
from chat.domain.events import NewEvent, ledger
from chat.domain.exchange import Ending, Moment
from chat.domain.segments import Segment
from chat.domain.turns import check_text, is_spoken
from chat.domain.witness import witnessed_text
from chat.engine import narrate, prepare
from chat.engine.calls import call_finished
from chat.engine.entry import UNANSWERED_MAX, Accepted, Entry, posted_before
from chat.engine.hearing import segments_of
from chat.engine.reasons import INTERNAL, INTERRUPTED, STOP_REASONS
from chat.engine.run import Run
from chat.errors import ChatError, StoreError
from chat.llm.calls import Message
from chat.observe import get_logger, logged_as
from chat.prompts.quoting import neutral
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine
    from chat.engine.narrate import Told

log = get_logger(__name__)
INTERRUPTED_CODE = "interrupted"


class Unstored(NamedTuple):
    """A reply that was written and that the database did not take: its text is here and, if possible, in a file."""

    turn_id: str
    text: str
    problem: StoreError


async def take_turn(engine: Engine, chat_id: str, prose: str, idempotency_key: str = "") -> Accepted:
    """Accept the player's entry and start the reply. Returns once the entry is stored.

    Raises BlankText, TextTooLong, TextNotStorable, DoesNotFit, TurnRunning, NotFound or StoreError; then nothing
    was stored and the words are still the caller's.
    """
    text = check_text(prose, engine.settings.limits.turn_chars)
    chat = chats.known(engine.store.library.chats.get(chat_id))
    run = engine.new_run(chat_id, idempotency_key)
    entry = Entry(engine, run, chat.bot_ids[0], text, segments_of(engine, chat, text))
    try:
        engine.runs.reserve(run)
    except ChatError:
        if earlier := await _accepted_before(engine, chat_id, idempotency_key, text):
            return earlier
        raise
    try:
        await _store(engine, entry, chat)
        if entry.repeated or not is_spoken(entry.segments):
            engine.runs.release(run)
            return entry.repeated or Accepted(entry.turn_id, None)
        run.user_turn_id, run.words = entry.turn_id, text
        run.moment, run.is_started = entry.reply_moment, entry.reply_moment is not None
        start_reply(engine, run, entry.speaker, partial(narrate.tell, asked=entry.asked))
    except BaseException:
        engine.runs.release(run)
        raise
    await asyncio.sleep(0)  # the reply goes on while the answer to the post is made
    return Accepted(entry.turn_id, run.reply_id)


async def _store(engine: Engine, entry: Entry, chat: Chat) -> None:
    """Commit the entry, and ask the model meanwhile where the reply begins with it."""
    await engine.close_interrupted(chat.id)
    entry.look_ahead(chat)
    forgets = f"composer:{chat.id}"
    try:
        await engine.store.execute(
            entry.decide, caused_by=entry.turn_id, drop_draft=forgets, as_it_commits=entry.ask_if_begun
        )
    except BaseException:
        await entry.give_up()
        raise


async def _accepted_before(engine: Engine, chat_id: str, key: str, text: str) -> Accepted | None:
    """The answer this post got the first time, where a double click or a resend comes while nothing can be begun.

    Other words with a used key (a page out of the browser's history) are a turn of their own.
    """
    if not key:
        return None
    found: list[Accepted | None] = []

    def look(state: State) -> list[NewEvent]:
        found.append(posted_before(state, chat_id, key, text))
        return []

    await engine.store.execute(look)  # behind what the first one has the writer store
    run = engine.runs.get(chat_id)
    if run and (run.idempotency_key, run.words) == (key, text) and run.user_turn_id:
        return Accepted(run.user_turn_id, run.reply_id, repeated=True)
    return found[0]


Tell = Callable[["Engine", Run], Coroutine[Any, Any, "Told"]]
Keep = Callable[["Engine", Run, Ending, "Told | None"], Coroutine[Any, Any, None]]


def start_reply(
    engine: Engine, run: Run, bot_id: str, tell: Tell = narrate.tell, keep: Keep | None = None
) -> None:
    """Write the reply in a task of the engine's own; the caller may go away.

    `tell` asks the model, `keep` stores how it ended: other ones write on a reply that stands there already.
    """
    run.speaker = bot_id
    run.tell("thinking", f"{engine.store.library.spoken_name(bot_id)} is thinking.")
    run.task = asyncio.create_task(
        _reply(engine, run, tell, keep or _store_ending), name=f"reply {run.reply_id}"
    )


async def _reply(engine: Engine, run: Run, tell: Tell, keep: Keep) -> None:
    with logged_as(chat_id=run.chat_id, turn_id=run.reply_id):
        told: Told | None = None
        try:
            told = await tell(engine, run)
            ending = told.ending
        except ChatError as problem:
            ending = _failed(engine, run, problem.code, problem.message, problem.next_step)
        except Exception:
            log.exception("reply_failed")
            ending = _failed(engine, run, "internal", INTERNAL.message, INTERNAL.next_step)
        await _end(engine, run, ending, told, keep)


def _failed(engine: Engine, run: Run, code: str, message: str, next_step: str) -> Ending:
    """It must never fail itself, also where the chat is gone by now: a run that does not end blocks its chat."""
    chat = engine.store.library.chats.get(run.chat_id)
    return Ending(
        text=run.text,
        segments=segments_of(engine, chat, run.text) if chat else (),
        truncated=True,
        stop_reason="error",
        error_code=code,
        error_message=message,
        error_next_step=next_step,
    )


async def _end(engine: Engine, run: Run, ending: Ending, told: Told | None, keep: Keep) -> None:
    """Store the reply with its memories and its call in one transaction; then the chat is free again."""
    problem: StoreError | None = None
    run.is_ending = True
    try:
        with run.step("remember"):
            await keep(engine, run, ending, told)
        (run.journal or engine.store.reply_journal(run.reply_id)).remove()
        engine.unstored.pop(run.chat_id, None)
    except StoreError as error:
        problem = error
        log.error("reply_not_stored", code=error.code)
    except Exception:
        problem = StoreError(
            "The reply could not be stored; its text is kept in a file until the next start."
        )
        log.exception("reply_not_stored")
    finally:
        if problem:
            engine.unclosed.add(run.chat_id)
            engine.unstored[run.chat_id] = Unstored(run.reply_id, ending.text, problem)
        engine.runs.release(run)
    _say_how_it_ended(run, ending, problem)
    if ending.text and not problem and run.cause != "shutdown":
        engine.digests.start(engine, run.chat_id, run.reply_id, _asked_and_told(engine, run, told))
    await engine.hub.give_way(run.chat_id)
    await engine.store.checkpoint()


def _asked_and_told(engine: Engine, run: Run, told: Told | None) -> list[Message]:
    """The prompt with its reply, for a digest by the same model: its server has all of it cached.

    The reply stands there as its speaker's later prompts will have it, so without asides.
    """
    if told is None or not told.messages or not prepare.reads_what_it_writes(engine):
        return []
    text = witnessed_text(told.ending.segments, run.speaker, (), run.speaker)
    return [*told.messages, {"role": "assistant", "content": neutral(text)}] if text else []


def _say_how_it_ended(run: Run, ending: Ending, problem: StoreError | None) -> None:
    reason = STOP_REASONS[ending.stop_reason]
    message, next_step = ending.error_message or reason.message, ending.error_next_step or reason.next_step
    if problem:
        message, next_step = problem.message, problem.next_step
    stop: dict[str, Any] = {"reason": "error" if problem else ending.stop_reason}
    stop |= {"message": message, "next_step": next_step, "blocks": problem is not None}
    run.hub.send(run.chat_id, "stop_reason", {"turn": run.reply_id, **stop})
    run.hub.send(run.chat_id, "done", {"turn": run.reply_id})
    run.tell(
        "stopped" if stop["reason"] == "error" else "idle", "" if stop["reason"] == "complete" else message
    )


async def _store_ending(engine: Engine, run: Run, ending: Ending, told: Told | None) -> None:
    chat_id, new_id = run.chat_id, engine.clock.new_id

    def ended(state: State) -> list[NewEvent]:
        chat = state.library.chats[chat_id]
        moment = run.moment or exchange.next_moment(state.world(chat_id), chat)
        answered = (run.reply_id, run.speaker, run.user_turn_id)
        events: list[NewEvent] = [] if run.is_started else unstarted(chat_id, moment, *answered)
        reply = exchange.finish(chat_id, moment, run.reply_id, run.speaker, run.user_turn_id, ending)
        events += exchange.story_of(chat_id, moment, reply)
        before = [turn for turn in state.recent_turns(chat_id, UNANSWERED_MAX) if turn.step < moment.step]
        since = state.world(chat_id).state.resets
        events += exchange.remember(chat, moment, before, reply, state.library.name_of, new_id, since)
        if told and told.record:
            events.append(ledger(call_finished(told.record, told.call_id, chat_id, run.reply_id)))
        return events

    await engine.store.execute(ended, caused_by=run.reply_id)


def unstarted(
    chat_id: str, moment: Moment, reply_id: str, speaker: str, reply_to: str | None
) -> list[NewEvent]:
    """A reply that failed before a model was asked still stands in the story, with its reason."""
    nothing: dict[str, Any] = {"endpoint": "", "model": "", "seed": 0, "prompt_hash": "", "manifest": {}}
    return exchange.start(chat_id, moment, reply_id, speaker, reply_to=reply_to, **nothing)


def interrupted(model: str, text: str, segments: tuple[Segment, ...]) -> Ending:
    """The ending of a reply whose program was killed: what the journal still had."""
    return Ending(
        text=text,
        segments=segments,
        truncated=True,
        stop_reason="error",
        error_code=INTERRUPTED_CODE,
        error_message=INTERRUPTED.message,
        error_next_step=INTERRUPTED.next_step,
        model=model,
    )
