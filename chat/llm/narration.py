"""One streamed reply, from the request to its record: sent, perhaps sent again, read, ended.

Owned by whoever iterates it. However it ends, the upstream connection is closed and what had arrived is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal

import msgspec

from chat.clock import Clock
from chat.errors import BadResponse, ProviderError
from chat.llm.calls import CallRecord, Endpoint, Piece
from chat.llm.chunks import Usage
from chat.llm.intake import Intake
from chat.llm.patience import Patience, Stopped
from chat.llm.policy import Policy, Waiting
from chat.llm.quirks import Quirks
from chat.llm.refusals import withheld
from chat.llm.tokens import count_messages, count_tokens
from chat.llm.upstream import Upstream
from chat.llm.wire import RefusedRequest, Wire


class Plan(msgspec.Struct, frozen=True):
    """What one call sends and how much it may bring. `structured`: arguments of a tool count as the reply."""

    purpose: str
    endpoint: Endpoint
    model: str
    body: dict[str, Any]
    max_chars: int
    structured: bool = False


class Narration:
    """Iterate it for pieces; errors of the ProviderError tree come out of the iteration, after all pieces.

    At the end `text` is the reply, also where some pieces had to be taken back (see `retracted`).
    `record()` may be asked for at any time. Close it with `aclose()`, from any task, or with `async with`.
    `on_wait` is called before a pause that ends with the request being sent again.
    """

    def __init__(
        self, wire: Wire, plan: Plan, patience: Patience, quirks: Quirks, policy: Policy, clock: Clock
    ) -> None:
        self._wire, self._plan, self._patience = wire, plan, patience
        self._quirks, self._policy, self._clock = quirks, policy, clock
        self._intake = Intake(plan.endpoint, plan.model, patience, plan.max_chars, quirks.bare_thoughts)
        self._upstream: Upstream | None = None
        self._sent = plan.body
        self._request_id: str | None = None
        self._attempts = 0
        self._pause_s: float | None = None
        self._error: ProviderError | None = None
        self._status: Literal["running", "ok", "stopped", "failed"] = "running"
        self._cause = "running"
        self._ended_at: float | None = None
        self._busy = False
        self._idle = asyncio.Event()
        self.on_wait: Callable[[Waiting], None] | None = None
        self.waiting: Waiting | None = None
        """The pause that is going on, or about to."""

    def __aiter__(self) -> Narration:
        return self

    async def __anext__(self) -> Piece:
        ready = self._intake.ready
        while not ready:
            if self._status != "running":
                error, self._error = self._error, None
                if error is not None:
                    raise error
                raise StopAsyncIteration
            await self._advance()
        return ready.popleft()

    async def __aenter__(self) -> Narration:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stops the call. The upstream connection is closed when this returns. Safe to call twice."""
        if self._busy:
            self._patience.stop()
            await self._idle.wait()
        if self._status == "running":
            await self._end("stopped", "stopped")

    @property
    def text(self) -> str:
        return self._intake.separator.text

    @property
    def reasoning(self) -> str:
        return self._intake.separator.reasoning

    @property
    def retracted(self) -> bool:
        """Text pieces were given out that turned out to be thought: show `text`, not the joined pieces."""
        return self._intake.separator.retracted

    @property
    def reasoning_field(self) -> str:
        """Where the thoughts came from; blank when there were none, or they stood in tags."""
        return self._intake.reasoning_field

    @property
    def arguments(self) -> str:
        """Of the tool call, where one was asked for."""
        return self._intake.arguments

    @property
    def finish(self) -> str | None:
        return self._upstream.finish if self._upstream else None

    def withheld(self) -> BadResponse | None:
        """Why a reply that came to its end is none: the model declined, or a filter cut it. None for a good one."""
        return withheld(self._plan.endpoint, self.text, self.finish, self._intake.is_refusal)

    def record(self) -> CallRecord:
        """The call so far: while it runs, status is "stopped" and the cause "running"."""
        ended = self._ended_at if self._ended_at is not None else self._clock.monotonic_s()
        first = self._patience.first_token
        usage = self._intake.usage or Usage(None, None, None, None)
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        return CallRecord(
            purpose=self._plan.purpose,
            endpoint=self._plan.endpoint.name,
            model_asked=self._plan.model,
            model_answered=self._intake.model,
            attempts=self._attempts,
            status="stopped" if self._status == "running" else self._status,
            stop_cause=self._cause,
            prompt_tokens=count_messages(self._sent["messages"]) if prompt is None else prompt,
            completion_tokens=self._count_reply() if completion is None else completion,
            cached_tokens=usage.cached_tokens,
            estimated=prompt is None or completion is None,
            cost_nano_usd=usage.cost_nano_usd,
            first_token_ms=None if first is None else (first - self._patience.started) * 1000,
            duration_ms=(ended - self._patience.started) * 1000,
            request_id=self._request_id or self._intake.reply_id,
        )

    def _count_reply(self) -> int:
        return sum(count_tokens(text) for text in (self.reasoning, self.text, self.arguments))

    async def _advance(self) -> None:
        self._busy = True
        self._idle.clear()
        try:
            await self._step()
        except RefusedRequest as refused:
            await self._refused(refused)
        except ProviderError as error:
            await self._failed(error)
        except Stopped:
            await self._end("stopped", "stopped")
        except BaseException:
            await self._end("stopped", "cancelled")
            raise
        finally:
            self._busy = False
            self._idle.set()

    async def _step(self) -> None:
        if self._pause_s is not None:
            await self._pause(self._pause_s)
        elif self._upstream is None:
            await self._open()
        elif (chunks := await self._upstream.read()) is not None:
            self._intake.take(chunks)
        else:
            await self._close_well(self._upstream)

    async def _open(self) -> None:
        self._attempts += 1
        self._sent = self._quirks.adapt(self._plan.body)
        upstream = Upstream(self._wire, self._plan.endpoint, self._plan.model, self._patience)
        await upstream.open(self._sent)
        self._upstream = upstream
        self._request_id = upstream.request_id

    async def _close_well(self, upstream: Upstream) -> None:
        self._intake.flush()
        self._quirks.bare_thoughts = self._intake.separator.closed_without_opening
        self._intake.judge(upstream.finish, self._plan.structured)
        await self._end("ok", upstream.finish or "done")

    async def _refused(self, refused: RefusedRequest) -> None:
        """Where the server says what it does not know, the next step sends the request without."""
        error = refused.error
        if self._intake.chars or not self._quirks.learn(
            error.status, refused.words, refused.param, self._sent
        ):
            await self._failed(error)
        else:
            await self._close_upstream()

    async def _failed(self, error: ProviderError) -> None:
        """Ends the call, or has it tried again when nothing at all had come."""
        wait_s = None if self._intake.chars else self._policy.wait_s(error, self._attempts, self._jitter)
        if wait_s is not None:
            self._pause_s = wait_s
            await self._close_upstream()
            self.waiting = Waiting(wait_s, error, self._attempts + 1)
            if self.on_wait is not None:
                self.on_wait(self.waiting)
            return
        self._intake.flush()
        error.partial = self.text
        error.request_id = error.request_id or self._request_id
        self._error = error
        await self._end("failed", error.code)

    async def _pause(self, wait_s: float) -> None:
        self._patience.heard()
        async with self._patience.wait(own_s=wait_s):
            await asyncio.sleep(wait_s)
        self._patience.heard()
        self._pause_s = self.waiting = None

    def _jitter(self) -> float:
        return self._clock.random_bytes(1)[0] / 255

    async def _close_upstream(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            await upstream.close()

    async def _end(self, status: Literal["ok", "stopped", "failed"], cause: str) -> None:
        if self._status == "running":
            self._status, self._cause = status, cause
            self._ended_at = self._clock.monotonic_s()
        if self._upstream is not None:
            await self._upstream.close()
