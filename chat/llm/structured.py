"""Asks for an answer of a given shape, down a ladder of ways to ask, and says how it went.

instructor shapes each request and validates the answer; the request itself goes the way of every other call.
Nothing is logged: what could not be used is returned with its raw text, for the quarantine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from chat.clock import Clock
from chat.errors import (
    BadResponse,
    EndlessReply,
    InvalidRequest,
    ProviderError,
    ProviderUnavailable,
    TimedOut,
)
from chat.llm.calls import (
    LADDER,
    CallRecord,
    Classified,
    ClassifyRequest,
    Endpoint,
    FailedAttempt,
    Message,
    NarrateRequest,
    Rung,
)
from chat.llm.lenient import NOTHING, Found, find_object, has_its_shape, is_refusal, salvage
from chat.llm.narration import Narration
from chat.llm.quirks import Quirks
from chat.llm.shaping import format_fields, instructed, repair_messages, with_schema

T = TypeVar("T", bound=BaseModel)
Start = Callable[[Endpoint, NarrateRequest, dict[str, Any]], Narration]

_QUOTED = 2_000
_FORMAT_WORDS = re.compile(r"format|schema|json|grammar|tool|input should be|type", re.IGNORECASE)


@dataclass
class CallLog:
    """Every call made and every answer that failed, filled as it happens, also when an error ends it all."""

    records: list[CallRecord] = field(default_factory=list)
    failures: list[FailedAttempt] = field(default_factory=list)


class _Unusable(Exception):
    def __init__(self, kind: str, raw_text: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind, self.raw_text, self.detail = kind, raw_text, detail


class _FormatRefused(Exception):
    def __init__(self, error: ProviderError) -> None:
        super().__init__(error.message)
        self.error = error


class Ladder(Generic[T]):
    """One classification. The first rung tried is the one that worked last time."""

    def __init__(
        self,
        start: Start,
        quirks: Quirks,
        clock: Clock,
        endpoint: Endpoint,
        request: ClassifyRequest[T],
        log: CallLog,
        rungs: Sequence[Rung] = LADDER,
    ) -> None:
        self._start, self._quirks, self._clock = start, quirks, clock
        self._endpoint, self._request, self._log = endpoint, request, log
        self._rungs = rungs
        self._deadline = clock.monotonic_s() + request.total_s
        self._unusable = 0
        self._salvaged = False

    async def climb(self) -> Classified[T]:
        known = self._quirks.rung
        start = self._rungs.index(known) if known in self._rungs else 0
        for rung in self._rungs[start:]:
            answer = await self._on(rung, repairs=rung in (known, LADDER[-1]))
            if answer is not None:
                self._quirks.rung = rung
                return self._done(answer, rung)
            if self._over():
                break
        self._quirks.rung = None
        if self._request.default is None:
            raise BadResponse(
                f"{self._endpoint.name} gave no usable answer for {self._request.purpose} in {self._unusable} tries."
            )
        return self._done(self._request.default, None)

    def _done(self, answer: T, rung: Rung | None) -> Classified[T]:
        records, failures = tuple(self._log.records), tuple(self._log.failures)
        return Classified(answer, records, rung, failures, defaulted=rung is None, salvaged=self._salvaged)

    def _over(self) -> bool:
        return self._unusable >= self._request.attempts or self._clock.monotonic_s() >= self._deadline

    async def _on(self, rung: Rung, repairs: bool) -> T | None:
        """The answer asked for in one way; where that way is known to work, with one repair."""
        messages: Sequence[Message] = self._request.messages
        for schema_key in (True, False) if rung == "json_object" else (True,):
            try:
                return await self._ask(rung, messages, schema_key)
            except _FormatRefused as refused:
                self._failed("refused_format", rung, "", refused.error.message)
            except _Unusable as unusable:
                self._unusable += 1
                self._failed(unusable.kind, rung, unusable.raw_text, unusable.detail)
                if not repairs or self._over() or unusable.kind in (TimedOut.code, EndlessReply.code):
                    return None
                return await self._repair(rung, unusable, schema_key)
        return None

    async def _repair(self, rung: Rung, unusable: _Unusable, schema_key: bool) -> T | None:
        messages = repair_messages(self._request.messages, unusable.raw_text, unusable.detail)
        try:
            return await self._ask(rung, messages, schema_key)
        except _FormatRefused as refused:
            self._failed("refused_format", rung, "", refused.error.message)
        except _Unusable as again:
            self._unusable += 1
            self._failed(again.kind, rung, again.raw_text, again.detail)
        return None

    def _failed(self, kind: str, rung: Rung, raw_text: str, detail: str) -> None:
        attempt = len(self._log.failures) + 1
        self._log.failures.append(FailedAttempt(kind, self._request.model, rung, attempt, raw_text, detail))

    async def _ask(self, rung: Rung, messages: Sequence[Message], schema_key: bool) -> T:
        """One call. Raises _FormatRefused or _Unusable; other ProviderErrors are for the caller to hear."""
        reply = _Reply()

        async def create(shaped: dict[str, Any]) -> str:
            extra = format_fields(rung, shaped, schema_key)
            narration = self._start(self._endpoint, self._narrate_request(shaped["messages"]), extra)
            await self._read(narration, rung, reply)
            return reply.json

        asked = messages if rung in ("json_schema", "tools") else with_schema(messages, self._request.answer)
        try:
            await instructed(create, rung, self._request.answer, asked, self._request.model)
        except Exception as error:  # noqa: BLE001  # instructor wraps what happens inside it in errors of its own
            if reply.error is not None:
                raise reply.error from None
            return self._judge(reply, rung, error)
        return self._request.answer.model_validate_json(reply.json)  # instructor's hangs the reply onto it

    async def _read(self, narration: Narration, rung: Rung, reply: _Reply) -> None:
        try:
            async for _ in narration:
                pass
        except ProviderError as error:
            reply.error = _sorted_out(error, rung, narration)
            raise
        finally:
            await narration.aclose()
            self._log.records.append(narration.record())
        reply.raw_text = narration.arguments or narration.text
        reply.found = find_object(reply.raw_text)
        reply.cut = narration.finish == "length"
        data = reply.found.data
        if data is None or not reply.found.whole or not has_its_shape(self._request.answer, data):
            raise _Unusable("unparsable", reply.raw_text)

    def _judge(self, reply: _Reply, rung: Rung, error: Exception) -> T:
        """What can still be taken from an answer that did not pass; the whole goes to the quarantine."""
        detail = str(error)[:_QUOTED] if not isinstance(error, _Unusable) else ""
        data = reply.found.data
        if data is None:
            kind = "refusal" if is_refusal(reply.raw_text) else "unparsable"
            raise _Unusable("truncated" if reply.cut else kind, reply.raw_text, detail) from None
        answer = salvage(self._request.answer, data)
        if answer is None:
            raise _Unusable("truncated" if reply.cut else "wrong_shape", reply.raw_text, detail) from None
        self._salvaged = True
        self._failed("salvaged", rung, reply.raw_text, detail)
        return answer

    def _narrate_request(self, messages: Sequence[Message]) -> NarrateRequest:
        request = self._request
        return NarrateRequest(
            model=request.model,
            messages=messages,
            temperature=request.temperature,
            max_tokens=request.max_tokens,
            seed=request.seed,
            first_token_s=request.first_token_s,
            between_tokens_s=request.between_tokens_s,
            total_s=max(self._deadline - self._clock.monotonic_s(), 0.001),
            max_chars=request.max_chars,
            purpose=request.purpose,
        )


@dataclass
class _Reply:
    """What one call brought, kept outside of instructor."""

    raw_text: str = ""
    found: Found = NOTHING
    cut: bool = False
    error: Exception | None = None

    @property
    def json(self) -> str:
        return json.dumps(self.found.data)


def _sorted_out(error: ProviderError, rung: Rung, narration: Narration) -> Exception:
    """A format the server does not take, an answer of no use, or an error that the player must hear of."""
    if rung != "prompt" and error.status in (400, 422) and isinstance(error, InvalidRequest):
        return _FormatRefused(error)
    said = error.message.partition("It said:")[2]
    if (
        rung != "prompt"
        and error.status == 500
        and type(error) is ProviderUnavailable
        and _FORMAT_WORDS.search(said)
    ):
        return _FormatRefused(error)
    if isinstance(error, TimedOut | EndlessReply) or (
        isinstance(error, BadResponse) and error.status is None
    ):
        return _Unusable(error.code, narration.text or narration.reasoning, error.message)
    return error
