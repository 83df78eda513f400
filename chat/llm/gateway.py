"""The only way to a model: one object per process that narrates, classifies, lists and probes.

It owns the connection pool and what was learned about each endpoint; it stores nothing and logs no text.
"""

from __future__ import annotations

import asyncio
from typing import Any

from chat.clock import Clock
from chat.llm.calls import Endpoint, NarrateRequest
from chat.llm.narration import Narration, Plan
from chat.llm.patience import Patience
from chat.llm.policy import Policy
from chat.llm.quirks import QuirkBook
from chat.llm.tokens import count_tokens
from chat.llm.wire import Wire


class Gateway:
    def __init__(self, clock: Clock, policy: Policy | None = None) -> None:
        self._clock = clock
        self._policy = policy or Policy()
        self._wire = Wire(clock)
        self._quirks = QuirkBook()

    def narrate(self, endpoint: Endpoint, request: NarrateRequest) -> Narration:
        """Nothing is sent before the first piece is asked for."""
        return self.start(endpoint, request, {})

    def start(self, endpoint: Endpoint, request: NarrateRequest, extra: dict[str, Any]) -> Narration:
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
            request.purpose, endpoint, request.model, request.messages, body | extra, request.max_chars
        )
        patience = Patience(
            self._clock,
            endpoint,
            first_token_s=request.first_token_s,
            between_tokens_s=request.between_tokens_s,
            total_s=request.total_s,
        )
        quirks = self._quirks.page(endpoint, request.model)
        return Narration(self._wire, plan, patience, quirks, self._policy, self._clock)

    async def warm(self) -> None:
        """Loads what the first call would have to wait for."""
        await self._wire.ready()
        await asyncio.to_thread(count_tokens, "")

    async def close(self) -> None:
        await self._wire.close()
