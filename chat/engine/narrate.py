"""The middle of a turn: retrieve, assemble, tell the log that a reply begins, and let the model write it.

Whatever the model's server does, what has arrived is kept: in the run for the tabs, in a journal for a kill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from chat.domain import exchange
from chat.domain.events import NewEvent
from chat.domain.exchange import Ending
from chat.engine import prepare
from chat.engine.hearing import segments_of
from chat.engine.keeping import Keeping
from chat.engine.prepare import Prepared
from chat.engine.reasons import INTERRUPTED
from chat.engine.run import Run
from chat.errors import ContextTooLong, Declined, ProviderError
from chat.llm.calls import CallRecord, Message, NarrateRequest, Piece
from chat.llm.narration import Narration
from chat.llm.policy import Waiting
from chat.prompts.continuing import Seam
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine

REASONING_KEPT_CHARS = 20_000


class Told(msgspec.Struct, frozen=True):
    """How a call of the model ended; `record` is None when it was never made, `messages` what it was asked with.

    `refused` are calls before it that the server did not take.
    """

    ending: Ending
    record: CallRecord | None
    call_id: str
    messages: Sequence[Message] = ()
    refused: Sequence[CallRecord] = ()


class Asked(msgspec.Struct, frozen=True):
    """A request that is on its way. Nothing of its answer is shown before the log tells that a reply begins."""

    prepared: Prepared
    call_id: str
    narration: Narration
    first: asyncio.Task[list[Piece]]

    async def drop(self) -> None:
        """Nobody reads on: the server's connection is closed."""
        await self.narration.aclose()
        await asyncio.gather(self.first, return_exceptions=True)


def ask(engine: Engine, prepared: Prepared) -> Asked:
    """Send a prompt; the answer comes while something else is done."""
    request = request_of(engine, prepared.model, prepared.seed, prepared.messages)
    narration = engine.gateway.narrate(engine.endpoint(), request)
    return Asked(prepared, engine.clock.new_id(), narration, asyncio.create_task(_first(narration)))


async def tell(engine: Engine, run: Run, asked: Asked | None = None) -> Told:
    """The reply from prompt to last word. Raises ChatError when it never got as far as asking the model.

    Where the request is on its way, the log has been told already that a reply begins.
    """
    prepared = asked.prepared if asked else await prepare.prepare(engine, run)
    if run.is_stopping():
        if asked:
            await asked.drop()
        call_id = asked.call_id if asked else engine.clock.new_id()
        record = asked.narration.record() if asked else None
        return Told(ending_of(engine, run, "", None, prepared, call_id), record, call_id)
    if asked:
        _tell_steps(engine, run, prepared)
    else:
        asked = ask(engine, prepared)
    narration, call_id = asked.narration, asked.call_id
    run.narration = narration
    problem = await _listen(engine, run, asked, engine.store.library.spoken_name(run.speaker))
    note(engine, prepared.model, problem, prepared.total_tokens)
    ending = ending_of(engine, run, narration.text, problem, prepared, call_id, narration.reasoning)
    return Told(ending, narration.record(), call_id, prepared.messages)


def _tell_steps(engine: Engine, run: Run, prepared: Prepared) -> None:
    """What was done while the words were typed belongs to the reply's steps all the same."""
    run.model = prepared.model
    for name, told in prepare.steps(engine, prepared.model):
        with run.step(name, **told):
            pass


async def _listen(engine: Engine, run: Run, asked: Asked, name: str) -> ProviderError | None:
    """Tells the log that a reply begins, and reads it to its end; returns why it is not a whole one."""
    narration = asked.narration
    with while_silent(engine, run, narration, name):
        try:
            if not run.is_started:
                await _start(engine, run, asked.prepared)
            with run.step("narrate", model=asked.prepared.model):
                await stream(engine, run, narration, await asked.first, name)
        except ProviderError as error:
            return error
        finally:
            await asked.drop()
    return None if run.is_stopping() else narration.withheld()


@contextmanager
def while_silent(engine: Engine, run: Run, narration: Narration, name: str) -> Iterator[None]:
    """Says what is waited for until the first word comes: a server that is asked again, or one that takes long."""

    def waits(waiting: Waiting) -> None:
        run.pause(waiting.wait_s, waiting.error.message)

    def is_slow() -> None:
        if not run.text and run.status == "thinking" and not run.wait_s:
            run.tell("thinking", f"{name} is still thinking; {engine.endpoint().name} takes its time.")

    narration.on_wait = waits
    if narration.waiting:
        waits(narration.waiting)
    timer = asyncio.get_running_loop().call_later(engine.settings.timeouts.slow_s, is_slow)
    try:
        yield
    finally:
        timer.cancel()


def note(engine: Engine, model: str, problem: ProviderError | None, tokens: int) -> None:
    """What the server said about itself counts for the next request; `tokens` is how long this one was."""
    endpoint, notes = engine.endpoint().name, engine.server_notes
    notes.heard(endpoint, problem)
    if isinstance(problem, ContextTooLong) and not problem.partial:
        notes.too_long(endpoint, model, tokens)


def request_of(
    engine: Engine, model: str, seed: int, messages: Sequence[Message], purpose: str = "narrate"
) -> NarrateRequest:
    """Words of a story asked of a model, as the settings have it."""
    connection, timeouts = engine.settings.connection, engine.settings.timeouts
    return NarrateRequest(
        model=model,
        messages=messages,
        temperature=connection.temperature,
        max_tokens=connection.reply_tokens,
        seed=seed,
        first_token_s=timeouts.first_token_s,
        between_tokens_s=timeouts.between_tokens_s,
        total_s=timeouts.total_s,
        purpose=purpose,
    )


async def _start(engine: Engine, run: Run, prepared: Prepared) -> None:
    def started(state: State) -> list[NewEvent]:
        chat = state.library.chats[run.chat_id]
        run.moment = exchange.next_moment(state.world(run.chat_id), chat)
        how = prepared.how(engine.endpoint().name)
        return exchange.start(
            run.chat_id, run.moment, run.reply_id, run.speaker, reply_to=run.user_turn_id, **how
        )

    await engine.store.execute(started, caused_by=run.reply_id)
    run.is_started = True


async def _first(narration: Narration) -> list[Piece]:
    """The first piece of the reply, or none."""
    async for piece in narration:
        return [piece]
    return []


async def stream(
    engine: Engine, run: Run, narration: Narration, first: list[Piece], name: str, seam: Seam | None = None
) -> None:
    """Pass each piece on as it comes, and keep it; through the `seam` where a reply is written on."""
    keeping = Keeping(engine, run)
    thinking, writing = f"{name} is thinking it over.", f"{name} is writing."

    def take(piece: Piece) -> None:
        if piece.kind == "reasoning":
            run.tell("reasoning", thinking)
            run.hub.send(run.chat_id, "thinking", {"turn": run.reply_id, "text": piece.text})
            return
        run.tell("thinking", writing)
        if text := seam.add(piece.text) if seam else piece.text:
            run.write(text)
            keeping.note()

    try:
        for piece in first:
            take(piece)
            await asyncio.sleep(0)  # the tabs have the first word before more is read
        async for piece in narration:
            take(piece)
    finally:
        if seam and (rest := seam.close()):
            run.write(rest)
        keeping.close()


def ending_of(
    engine: Engine,
    run: Run,
    text: str,
    problem: ProviderError | None,
    prepared: Prepared,
    call_id: str,
    reasoning: str = "",
) -> Ending:
    code, message, next_step = _error(run, problem)
    reason = "user_stop" if run.cause == "user_stop" else "error" if code else "complete"
    chat = engine.store.library.chats[run.chat_id]
    kept = "" if isinstance(problem, Declined) else text.strip()
    is_cut = run.narration is not None and run.narration.finish == "length"
    return Ending(
        text=kept,
        segments=segments_of(engine, chat, kept),
        truncated=reason != "complete" or is_cut,
        stop_reason=reason,
        error_code=code,
        error_message=message,
        error_next_step=next_step,
        model=prepared.model,
        call_id=call_id,
        reasoning=reasoning[:REASONING_KEPT_CHARS],
    )


def _error(run: Run, problem: ProviderError | None) -> tuple[str, str, str]:
    if run.cause == "shutdown":
        return "interrupted", INTERRUPTED.message, INTERRUPTED.next_step
    if run.is_stopping() or problem is None:
        return "", "", ""
    return problem.code, problem.message, problem.next_step
