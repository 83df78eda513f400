"""The only way to a model: one object per process that narrates, classifies, lists and probes.

It owns the connection pool and what was learned about each endpoint; it stores nothing and logs no text.
"""

from __future__ import annotations

import asyncio
from typing import Any

from chat.clock import Clock
from chat.llm.calls import Classified, ClassifyRequest, Endpoint, ModelInfo, NarrateRequest, Probe, T
from chat.llm.catalog import list_models
from chat.llm.narration import Narration, Plan
from chat.llm.patience import Patience
from chat.llm.policy import Policy
from chat.llm.probe import Prober
from chat.llm.quirks import QuirkBook
from chat.llm.shaping import load as load_structured
from chat.llm.structured import CallLog, Ladder
from chat.llm.tokens import count_tokens
from chat.llm.wire import Wire

SILENT_S = 15.0
"""A server tells at once which models it has, if it tells at all; nobody waits a minute to learn that it does not."""


class Gateway:
    """`request_s` bounds a whole request that does not stream."""

    def __init__(self, clock: Clock, policy: Policy | None = None, request_s: float = 60.0) -> None:
        self._clock, self._request_s = clock, request_s
        self._policy = policy or Policy()
        self._wire = Wire(clock)
        self._quirks = QuirkBook()

    def narrate(self, endpoint: Endpoint, request: NarrateRequest) -> Narration:
        """Nothing is sent before the first piece is asked for."""
        return self._start(endpoint, request, {}, self._policy)

    async def classify(
        self, endpoint: Endpoint, request: ClassifyRequest[T], log: CallLog | None = None
    ) -> Classified[T]:
        """The answer, its default, or BadResponse. A server that cannot be used at all raises its own error.

        `log` is filled as calls finish, so that nothing is lost when an error is raised.
        """
        await load_structured()
        quirks = self._quirks.page(endpoint, request.model)
        log = CallLog() if log is None else log
        return await Ladder(self._ask, quirks, self._clock, endpoint, request, log).climb()

    async def list_models(self, endpoint: Endpoint) -> list[ModelInfo]:
        """What the server offers, in its order. Raises ProviderError."""
        return await self._list(endpoint, self._request_s)

    async def glance(self, endpoint: Endpoint, within_s: float) -> list[ModelInfo]:
        """What a server that may not be there lists, asked for no longer than this. Raises ProviderError."""
        await self._wire.ready()
        return await self._list(endpoint, within_s)

    async def _list(self, endpoint: Endpoint, within_s: float) -> list[ModelInfo]:
        silent_s = min(within_s, SILENT_S)
        patience = Patience(
            self._clock, endpoint, first_token_s=silent_s, between_tokens_s=silent_s, total_s=within_s
        )
        return await list_models(self._wire, endpoint, patience)

    async def probe(self, endpoint: Endpoint, model: str, reader: str = "") -> Probe:
        """What works there, in sentences; costs a few short calls. With no model named, the first one is tried.

        `reader` is the model that is asked for structured answers, if it is another one.
        """
        await load_structured()
        prober = Prober(self._ask, self.list_models, self._clock, self._quirks, endpoint, model, reader)
        found = await prober.run()
        if found.rungs:
            self._quirks.page(endpoint, found.reader).rung = found.rungs[0]
        return found

    def _ask(self, endpoint: Endpoint, request: NarrateRequest, extra: dict[str, Any]) -> Narration:
        return self._start(endpoint, request, extra, self._policy.in_the_background())

    def _start(
        self, endpoint: Endpoint, request: NarrateRequest, extra: dict[str, Any], policy: Policy
    ) -> Narration:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": list(request.messages),
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.seed is not None:
            body["seed"] = request.seed
        plan = Plan(
            purpose=request.purpose,
            endpoint=endpoint,
            model=request.model,
            body=body | extra,
            max_chars=request.max_chars,
            structured="tools" in extra,
        )
        patience = Patience(
            self._clock,
            endpoint,
            first_token_s=request.first_token_s,
            between_tokens_s=request.between_tokens_s,
            total_s=request.total_s,
        )
        quirks = self._quirks.page(endpoint, request.model)
        return Narration(self._wire, plan, patience, quirks, policy, self._clock)

    async def warm(self) -> None:
        """Loads what the first call would have to wait for."""
        await self._wire.ready()
        await load_structured()
        await asyncio.to_thread(count_tokens, "")

    async def close(self) -> None:
        await self._wire.close()
