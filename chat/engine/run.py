"""A reply while it is being written: what it has so far, what it is doing, and how to stop it.

It belongs to the engine. Tabs come and go; only the player's Stop, a limit or the end of the program ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec

from chat.clock import Clock
from chat.domain.exchange import Moment
from chat.engine.hub import Hub
from chat.errors import ChatError, TurnRunning
from chat.llm.narration import Narration
from chat.store.journal import ReplyJournal

Status = Literal[
    "idle", "thinking", "reasoning", "tool_running", "summarizing", "waiting_approval", "stopped"
]
StopCause = Literal["", "user_stop", "shutdown"]


class RunStatus(NamedTuple):
    """What a chat is doing: one of the seven statuses, a sentence, and the turn being written, if any.

    `wait_s` is how long it is until a server that could not answer is asked again; None when nobody waits for that.
    `is_draft`: what is being written is a draft of the player's own turn.
    """

    status: Status
    detail: str
    turn_id: str | None = None
    wait_s: float | None = None
    is_draft: bool = False


class RunningReply(NamedTuple):
    turn_id: str
    speaker: str
    text: str
    model: str
    """Empty until it is known which is asked."""


@dataclass
class Run:
    """One reply of one chat from its reservation to its last frame. Lives on the event loop only."""

    chat_id: str
    reply_id: str
    hub: Hub
    clock: Clock
    idempotency_key: str = ""
    words: str = ""
    speaker: str = ""
    user_turn_id: str | None = None
    moment: Moment | None = None
    is_started: bool = False
    text: str = ""
    written_on: str = ""
    """What stood there before, where a reply is written on and not begun."""
    status: Status = "thinking"
    detail: str = ""
    model: str = ""
    asks_again_at_s: float | None = None
    cause: StopCause = ""
    is_ending: bool = False
    """All its words are there, and it is being stored."""
    narration: Narration | None = None
    journal: ReplyJournal | None = None
    task: asyncio.Task[None] | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def wait_s(self) -> float | None:
        """Until the server is asked again, if that is what is being waited for."""
        at_s = self.asks_again_at_s
        return None if at_s is None else max(at_s - self.clock.monotonic_s(), 0.0)

    def pause(self, wait_s: float, why: str) -> None:
        """The request goes out once more after a while."""
        self.tell("thinking", why)
        self.asks_again_at_s = self.clock.monotonic_s() + wait_s

    def tell(self, status: Status, detail: str) -> None:
        """Say what is happening, once for each change."""
        self.asks_again_at_s = None
        if (status, detail) != (self.status, self.detail):
            self.status, self.detail = status, detail
            self.hub.send(self.chat_id, "status", {"status": status, "detail": detail, "turn": self.reply_id})

    def write(self, text: str) -> None:
        """A piece of the reply has arrived."""
        self.hub.token(self.chat_id, self.reply_id, len(self.text), text)
        self.text += text

    def is_stopping(self) -> bool:
        """Somebody asked for the end of this reply."""
        return bool(self.cause)

    async def stop(self, cause: StopCause) -> None:
        """End the reply now, keeping what there is. Closing twice changes nothing."""
        self.cause = self.cause or cause
        if self.narration is not None:
            await self.narration.aclose()

    @contextmanager
    def step(self, tool: str, **arguments: str | int) -> Iterator[None]:
        """One step of the turn; the runner tells its start and its result, so the timeline is complete."""
        canonical = msgspec.json.encode({"tool": tool, "arguments": dict(sorted(arguments.items()))})
        told = {"turn": self.reply_id, "tool": tool, "fingerprint": sha256(canonical).hexdigest()}
        self.hub.send(self.chat_id, "tool_start", {**told, "arguments": arguments})
        began_s = self.clock.monotonic_s()
        error = None
        try:
            yield
        except BaseException as problem:
            error = _sentence(problem)
            raise
        finally:
            took_ms = round((self.clock.monotonic_s() - began_s) * 1000, 3)
            result = {**told, "success": error is None, "duration_ms": took_ms, "error": error}
            self.hub.send(self.chat_id, "tool_result", result)


def _sentence(problem: BaseException) -> str:
    """Why a step came to nothing. What only a fault of the program says is for the log file: it may quote the story."""
    if isinstance(problem, ChatError):
        return problem.message
    if isinstance(problem, asyncio.CancelledError | GeneratorExit):
        return "It was ended before it was through."
    return "Something went wrong inside the program."


class Runs:
    """At most one run for each chat. Reserving is one step without an await, so two posts cannot both get it."""

    def __init__(self) -> None:
        self._by_chat: dict[str, Run] = {}
        self.closed_by: ChatError | None = None
        """While it is set no reply begins: it is what whoever asks for one is told."""

    def get(self, chat_id: str) -> Run | None:
        return self._by_chat.get(chat_id)

    def reserve(self, run: Run) -> None:
        if self.closed_by:
            raise self.closed_by
        if running := self._by_chat.get(run.chat_id):
            raise TurnRunning("A reply is already being written in this chat.", turn_id=running.reply_id)
        self._by_chat[run.chat_id] = run

    def release(self, run: Run) -> None:
        if self._by_chat.get(run.chat_id) is run:
            del self._by_chat[run.chat_id]
        run.finished.set()

    async def ended(self, chat_id: str, turns: Collection[str]) -> None:
        """Wait until a reply among these turns that is being stored is stored, or could not be."""
        run = self._by_chat.get(chat_id)
        if run and run.is_ending and run.reply_id in turns:
            await run.finished.wait()

    def all(self) -> list[Run]:
        return list(self._by_chat.values())
