"""One streamed reply, from the request to its record: retries, thoughts kept apart, a named end.

Owned by whoever iterates it. However it ends, the upstream connection is closed and what had arrived is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from chat.clock import Clock
from chat.errors import (
    BadResponse,
    EmptyReply,
    EndlessReply,
    ProviderError,
    ProviderUnavailable,
    ThoughtsOnly,
)
from chat.llm.calls import CallRecord, Endpoint, Message, Piece
from chat.llm.chunks import Chunk, Usage, read_usage
from chat.llm.failures import stream_failure
from chat.llm.patience import Patience, Stopped
from chat.llm.policy import Policy
from chat.llm.quirks import Quirks
from chat.llm.thoughts import Separator, Storable
from chat.llm.tokens import count_messages, count_tokens
from chat.llm.upstream import Upstream
from chat.llm.wire import RefusedRequest, Wire


@dataclass(frozen=True)
class Plan:
    """What one call sends and how much it may bring. `structured`: arguments of a tool count as the reply."""

    purpose: str
    endpoint: Endpoint
    model: str
    messages: Sequence[Message]
    body: dict[str, Any]
    max_chars: int
    structured: bool = False


class Narration:
    """Iterate it for pieces; errors of the ProviderError tree come out of the iteration, after all pieces.

    At the end `text` is the reply, also where some pieces had to be taken back (see `retracted`).
    `record()` may be asked for at any time. Close it with `aclose()`, from any task, or with `async with`.
    """

    def __init__(
        self, wire: Wire, plan: Plan, patience: Patience, quirks: Quirks, policy: Policy, clock: Clock
    ) -> None:
        self._wire, self._plan, self._patience = wire, plan, patience
        self._quirks, self._policy, self._clock = quirks, policy, clock
        self._upstream: Upstream | None = None
        self._ready: deque[Piece] = deque()
        self._separator = Separator(starts_inside=quirks.bare_thoughts)
        self._storable = Storable()
        self._arguments: list[str] = []
        self._chars = 0
        self._usage: Usage | None = None
        self._model: str | None = None
        self._reply_id: str | None = None
        self._request_id: str | None = None
        self._attempts = 0
        self._error: ProviderError | None = None
        self._status: Literal["running", "ok", "stopped", "failed"] = "running"
        self._cause = ""
        self._ended_at: float | None = None
        self._busy = False
        self._idle = asyncio.Event()
        self.reasoning_field = ""

    def __aiter__(self) -> Narration:
        return self

    async def __anext__(self) -> Piece:
        while not self._ready:
            if self._status != "running":
                error, self._error = self._error, None
                if error is not None:
                    raise error
                raise StopAsyncIteration
            await self._advance()
        return self._ready.popleft()

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
        return self._separator.text

    @property
    def reasoning(self) -> str:
        return self._separator.reasoning

    @property
    def retracted(self) -> bool:
        """Text pieces were given out that turned out to be thought: show `text`, not the joined pieces."""
        return self._separator.retracted

    @property
    def arguments(self) -> str:
        """Of the tool call, where one was asked for."""
        return "".join(self._arguments)

    @property
    def finish(self) -> str | None:
        return self._upstream.finish if self._upstream else None

    def record(self) -> CallRecord:
        ended = self._ended_at if self._ended_at is not None else self._clock.monotonic_s()
        first = self._patience.first_token
        usage = self._usage or Usage(None, None, None, None)
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        if prompt is None:
            prompt = count_messages(self._plan.messages)
        if completion is None:
            completion = count_tokens(self.reasoning) + count_tokens(self.text) + count_tokens(self.arguments)
        running = self._status == "running"
        return CallRecord(
            purpose=self._plan.purpose,
            endpoint=self._plan.endpoint.name,
            model_asked=self._plan.model,
            model_answered=self._model,
            attempts=self._attempts,
            status="stopped" if self._status == "running" else self._status,
            stop_cause="running" if running else self._cause,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cached_tokens=usage.cached_tokens,
            estimated=usage.prompt_tokens is None or usage.completion_tokens is None,
            cost_nano_usd=usage.cost_nano_usd,
            first_token_ms=None if first is None else (first - self._patience.started) * 1000,
            duration_ms=(ended - self._patience.started) * 1000,
            request_id=self._request_id or self._reply_id,
        )

    async def _advance(self) -> None:
        self._busy = True
        self._idle.clear()
        try:
            await self._step()
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
        if self._upstream is None:
            await self._open()
            return
        chunks = await self._upstream.read()
        if chunks is None:
            self._finish()
            await self._end("ok", self._upstream.finish or "done")
        elif chunks:
            self._take(chunks)

    async def _open(self) -> None:
        """Sends the request, again without a parameter when the server says that it does not know it."""
        self._attempts += 1
        body = self._quirks.adapt(self._plan.body)
        upstream = Upstream(self._wire, self._plan.endpoint, self._plan.model, self._patience)
        try:
            await upstream.open(body)
        except RefusedRequest as refused:
            if not self._quirks.learn(refused.error.status, refused.words, refused.param, body):
                raise refused.error from None
            return
        self._upstream = upstream
        self._request_id = upstream.request_id

    async def _failed(self, error: ProviderError) -> None:
        wait = None if self._chars else self._policy.wait_s(error, self._attempts, self._jitter())
        if wait is None:
            self._flush()
            error.partial = self.text
            error.request_id = error.request_id or self._request_id
            self._error = error
            await self._end("failed", error.code)
            return
        if self._upstream is not None:
            await self._upstream.close()
            self._upstream = None
        self._patience.heard()
        await self._pause(wait)

    async def _pause(self, wait_s: float) -> None:
        try:
            async with self._patience.wait(own_s=wait_s):
                await asyncio.sleep(wait_s)
        except Stopped:
            await self._end("stopped", "stopped")
        except ProviderError as error:
            self._error = error
            await self._end("failed", error.code)
        self._patience.heard()

    def _jitter(self) -> float:
        return self._clock.random_bytes(1)[0] / 255

    def _take(self, chunks: list[Chunk]) -> None:
        """Neighbouring chunks of one kind become one piece: what came together is passed on together."""
        texts: list[str] = []
        for chunk in chunks:
            if chunk.reasoning:
                self._take_text(texts)
                self._take_reasoning(chunk)
            if chunk.text:
                texts.append(chunk.text)
            if chunk.tool_arguments:
                self._count(chunk.tool_arguments)
                self._arguments.append(chunk.tool_arguments)
            if chunk.error or chunk.finish or chunk.usage or self._model is None:
                self._take_text(texts)
                self._note(chunk)
        self._take_text(texts)

    def _take_text(self, texts: list[str]) -> None:
        if not texts:
            return
        text = self._count(self._storable.feed("".join(texts)))
        texts.clear()
        self._ready.extend(self._separator.feed(text))
        self._check_size()

    def _take_reasoning(self, chunk: Chunk) -> None:
        text = self._count(Storable().feed(chunk.reasoning))
        self.reasoning_field = self.reasoning_field or chunk.reasoning_field
        self._ready.append(self._separator.add_reasoning(text))
        self._check_size()

    def _count(self, text: str) -> str:
        """Notes that a token has come, and cuts the text where the cap is."""
        if text:
            self._patience.heard_token()
        room = max(self._plan.max_chars - self._chars, 0)
        self._chars += len(text)
        return text[:room]

    def _check_size(self) -> None:
        if self._chars > self._plan.max_chars:
            raise EndlessReply(
                f"{self._plan.endpoint.name} wrote past {self._plan.max_chars:,} characters and was cut."
            )

    def _note(self, chunk: Chunk) -> None:
        self._model = self._model or chunk.model
        self._reply_id = self._reply_id or chunk.id
        if chunk.usage:
            self._usage = read_usage(chunk.usage)
        if chunk.error:
            raise stream_failure(chunk.error, self._plan.endpoint, self._plan.model)

    def _flush(self) -> None:
        self._ready.extend(self._separator.finish())

    def _finish(self) -> None:
        """The server is done: judges whether what came is a reply."""
        self._flush()
        self._quirks.bare_thoughts = self._separator.closed_without_opening
        finish = self.finish
        if finish == "error":
            raise ProviderUnavailable(f"{self._plan.endpoint.name} broke off with an error of its own.")
        if self.text.strip() or (self._plan.structured and self._arguments):
            return
        raise self._nothing(finish)

    def _nothing(self, finish: str | None) -> BadResponse:
        name = self._plan.endpoint.name
        if self.reasoning.strip():
            return ThoughtsOnly(f"{name} sent only its thoughts and no reply.")
        if self._arguments:
            return BadResponse(f"{name} wanted to call a tool instead of writing a reply.")
        if finish == "content_filter":
            return EmptyReply(
                f"{name} held its reply back (content filter).", "Change your words, then retry."
            )
        return EmptyReply(f"{name} sent an empty reply.")

    async def _end(self, status: Literal["ok", "stopped", "failed"], cause: str) -> None:
        if self._status == "running":
            self._status, self._cause = status, cause
            self._ended_at = self._clock.monotonic_s()
        if self._upstream is not None:
            await self._upstream.close()
