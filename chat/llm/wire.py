"""The door to the network: one per process, and made only when it is first needed.

Everything behind it (the openai client, certificates) is loaded in a worker thread, so that neither the start of
the program nor the event loop waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chat.clock import Clock
from chat.errors import ProviderError
from chat.llm.calls import Endpoint
from chat.llm.lazily import LOADING

if TYPE_CHECKING:
    from chat.llm.client import Client, Opened


class RefusedRequest(Exception):
    """The server answered with an error. `words` and `param` are its own, uncut, for finding out why."""

    def __init__(self, error: ProviderError, words: str, param: str) -> None:
        super().__init__(error.message)
        self.error, self.words, self.param = error, words, param


class Wire:
    """Opens requests. Safe to share between the tasks of one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._client: Client | None = None
        self._making = asyncio.Lock()

    async def post(self, endpoint: Endpoint, path: str, body: Mapping[str, Any], model: str) -> Opened:
        """A response to read. Raises RefusedRequest, or ProviderUnavailable if nothing answered."""
        client = self._client or await self.ready()
        return await client.post(endpoint, path, body, model)

    async def get(self, endpoint: Endpoint, path: str, params: Mapping[str, Any]) -> Opened:
        client = self._client or await self.ready()
        return await client.get(endpoint, path, params)

    async def ready(self) -> Client:
        async with self._making:
            if self._client is None:
                self._client = await asyncio.to_thread(_make, self._clock)
            return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None


def _make(clock: Clock) -> Client:
    with LOADING:
        from chat.llm.client import Client

    return Client(clock)
