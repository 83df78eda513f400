"""The latest reply written on from where it stands: interrupted, stopped, cut off by its length, or just short.

The continuation is an action of its own. Nothing that stood there can be lost by it: whatever the server does, the
reply has at least the text it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from chat.domain import chats, exchange
from chat.domain.events import ContinuationStarted, Event, MemoryKeyed, NewEvent, TurnContinued, ledger, story
from chat.domain.exchange import Ending, Moment
from chat.domain.turns import Turn
from chat.engine import narrate, prepare
from chat.engine.calls import call_finished
from chat.engine.hearing import segments_of
from chat.engine.narrate import Told
from chat.engine.prepare import Prepared
from chat.engine.rewording import memories_of, visible
from chat.engine.run import Run
from chat.engine.turn import interrupted, start_reply
from chat.errors import ContextTooLong, EmptyReply, ProviderError, Refused
from chat.llm.calls import CallRecord, Message
from chat.observe import get_logger
from chat.prompts.continuing import Seam, continuing, joined
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)
_NO_CALL: dict[str, Any] = {"endpoint": "", "model": "", "seed": 0, "prompt_hash": "", "manifest": {}}


async def go_on(engine: Engine, chat_id: str, turn_id: str) -> str:
    """Start writing on the latest reply. Returns its turn id. Raises NotFound, Refused, TurnRunning."""
    chats.known(engine.store.library.chats.get(chat_id))
    run = Run(chat_id, turn_id, engine.hub, engine.clock)
    engine.runs.reserve(run)
    found: list[Turn] = []

    def look(state: State) -> list[NewEvent]:
        found.append(_unfinished(state, chat_id, turn_id))
        return []

    try:
        await engine.close_interrupted(chat_id)
        await engine.store.execute(look)
    except BaseException:
        engine.runs.release(run)
        raise
    run.text = run.written_on = found[0].text
    run.user_turn_id = found[0].reply_to
    start_reply(engine, run, found[0].speaker, _tell, _keep)
    return turn_id


def _unfinished(state: State, chat_id: str, turn_id: str) -> Turn:
    turn = visible(state, chat_id, turn_id)
    latest = state.recent_turns(chat_id, 1)
    if turn.role != "assistant" or turn.origin != "reply" or latest[0].id != turn_id or not turn.text.strip():
        raise Refused(
            "Only the latest reply can be written on, and only where it has words.",
            "Reload the page to see where the story stands.",
        )
    return turn


async def _tell(engine: Engine, run: Run) -> Told:
    """The rest of the reply. A server that refuses a text to complete is told in words instead, and remembered."""
    prepared = await prepare.prepare(engine, run)
    call_id = engine.clock.new_id()
    if run.is_stopping():
        return Told(narrate.ending_of(engine, run, run.written_on, None, prepared, call_id), None, call_id)
    await _start(engine, run, prepared)
    run.hub.token(run.chat_id, run.reply_id, 0, run.written_on)
    page = (engine.endpoint().base_url, prepared.model)
    refused: list[CallRecord] = []
    if page not in engine.instructed:
        told = await _asked(engine, run, prepared, call_id, as_instruction=False)
        if not isinstance(told, ProviderError):
            return told
        assert run.narration is not None
        refused.append(run.narration.record())
        engine.instructed.add(page)
    told = await _asked(engine, run, prepared, call_id, as_instruction=True)
    assert isinstance(told, Told)
    return replace(told, refused=refused)


async def _asked(
    engine: Engine, run: Run, prepared: Prepared, call_id: str, *, as_instruction: bool
) -> Told | ProviderError:
    """One call, and how it ended; the error alone where another way of asking may help."""
    name, before = engine.store.library.spoken_name(run.speaker), run.written_on
    messages: list[Message] = continuing(prepared.messages, before, as_instruction=as_instruction)
    asked = narrate.request_of(engine, prepared.model, prepared.seed, messages)
    run.narration = narration = engine.gateway.narrate(engine.endpoint(), asked)
    if run.is_stopping():
        await narration.aclose()
    problem: ProviderError | None = None
    with run.step("narrate", model=prepared.model):
        try:
            seam = Seam(before, is_literal=not as_instruction)
            with narrate.while_silent(engine, run, narration, name):
                await narrate.stream(engine, run, narration, [], name, seam)
        except ProviderError as error:
            problem = error
        finally:
            await narration.aclose()
    if problem and not as_instruction and _is_refusal(problem, narration.text):
        return problem
    narrate.note(engine, prepared.model, problem, prepared.total_tokens)
    text = joined(before, narration.text, is_literal=not as_instruction)
    if (
        (problem is None or isinstance(problem, EmptyReply))
        and text.strip() == before
        and not run.is_stopping()
    ):
        problem = EmptyReply(
            f"{name} had nothing to add.", "Write on yourself, or have the reply written again."
        )
    ending = narrate.ending_of(engine, run, text, problem, prepared, call_id, narration.reasoning)
    return Told(ending, narration.record(), call_id)


def _is_refusal(problem: ProviderError, text: str) -> bool:
    return problem.status in (400, 422) and not text and not isinstance(problem, ContextTooLong)


async def _start(engine: Engine, run: Run, prepared: Prepared) -> None:
    def started(state: State) -> list[NewEvent]:
        chat = state.library.chats[run.chat_id]
        run.moment = exchange.next_moment(state.world(run.chat_id), chat)
        how = prepared.how(engine.endpoint().name)
        return _at(run.chat_id, run.moment, ContinuationStarted(turn_id=run.reply_id, **how))

    await engine.store.execute(started, caused_by=run.reply_id)
    run.is_started = True


async def _keep(engine: Engine, run: Run, ending: Ending, told: Told | None) -> None:
    """Store the reply as it is now with its memories and calls, in one transaction."""

    def ended(state: State) -> list[NewEvent]:
        chat = state.library.chats[run.chat_id]
        moment = run.moment or exchange.next_moment(state.world(run.chat_id), chat)
        begun = [] if run.is_started else [ContinuationStarted(turn_id=run.reply_id, **_NO_CALL)]
        events = [*_at(run.chat_id, moment, *begun), *_continued(engine, state, run.reply_id, moment, ending)]
        for record in told.refused if told else ():
            events.append(ledger(call_finished(record, engine.clock.new_id(), run.chat_id, run.reply_id)))
        if told and told.record:
            events.append(ledger(call_finished(told.record, told.call_id, run.chat_id, run.reply_id)))
        return events

    await engine.store.execute(ended, caused_by=run.reply_id)


def _continued(engine: Engine, state: State, turn_id: str, moment: Moment, ending: Ending) -> list[NewEvent]:
    turn = state.turn(turn_id)
    assert turn is not None, "a reply that is being written on stands in the story"
    is_more = len(ending.text) > len(turn.text)
    text = ending.text if is_more else turn.text
    segments = ending.segments if is_more else turn.segments
    told = TurnContinued(
        turn_id=turn_id,
        text=text,
        segments=segments,
        prior=turn.text,
        truncated=ending.truncated,
        stop_reason=ending.stop_reason,
        error_code=ending.error_code,
        error_message=ending.error_message,
        error_next_step=ending.error_next_step,
        model=ending.model,
        call_id=ending.call_id,
        reasoning=ending.reasoning,
    )
    followed = [
        one for one in memories_of(engine, state, turn, text, segments) if not isinstance(one, MemoryKeyed)
    ]
    return _at(turn.chat_id, moment, told, *followed)


def _at(chat_id: str, moment: Moment, *data: object) -> list[NewEvent]:
    return story(chat_id, moment.branch_id, moment.step, *data)  # type: ignore[arg-type]


async def close(engine: Engine, started: Event) -> None:
    """End a continuation that no run is writing any more, with what its journal still has."""
    assert isinstance(started.data, ContinuationStarted)
    turn_id, chat_id = started.data.turn_id, started.stream.removeprefix("chat:")
    journal = engine.store.reply_journal(turn_id)
    text = journal.read().strip()
    segments = segments_of(engine, engine.store.library.chats[chat_id], text)
    ending = interrupted(started.data.model, text, segments)
    moment = Moment(started.branch_id or "", started.step or 0, "", "", ())

    def closed(state: State) -> list[NewEvent]:
        if state.world(chat_id).state.running_turn_id != turn_id:
            return []
        return _continued(engine, state, turn_id, moment, ending)

    await engine.store.execute(closed, caused_by=turn_id)
    journal.remove()
    log.info("continuation_recovered", chat_id=chat_id, turn_id=turn_id, kept_chars=len(ending.text))
