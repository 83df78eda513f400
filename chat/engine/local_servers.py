"""Looks for model servers that run on this machine, on the ports they usually listen on. It sends no key anywhere.

Only loopback, never this program's own ports, and never for long: what does not answer at once is not there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import msgspec

from chat.errors import BadResponse, ModelLoading, ProviderAuth, ProviderError, SettingRefused
from chat.llm.calls import Endpoint
from chat.settings import LOCAL_BACKENDS, Preset, parse_base_url

if TYPE_CHECKING:
    from chat.engine.engine import Engine

ANSWER_S = 1.5
FRESH_S = 5.0
MODELS_SHOWN = 200
_NO_STORY = ("embed", "rerank", "whisper", "tts")
"""What the names of models hold that write no stories."""


class LocalServer(msgspec.Struct, frozen=True):
    """One that answered. `state` is ready, loading, or wants_key; `models` are those that can write."""

    name: str
    base_url: str
    port: int
    state: Literal["ready", "loading", "wants_key"]
    models: tuple[str, ...] = ()


class LocalServers:
    """What was found last, and looking again. Several pages that ask at once share one look."""

    def __init__(self, engine: Engine, usual: tuple[Preset, ...] = LOCAL_BACKENDS) -> None:
        self._engine, self.usual = engine, usual
        self._found: list[LocalServer] = []
        self._looked_at_s: float | None = None
        self._looking: asyncio.Task[list[LocalServer]] | None = None

    async def find(self) -> list[LocalServer]:
        """The servers that answer now, in the order of the list of usual ones."""
        now = self._engine.clock.monotonic_s()
        if self._looked_at_s is not None and now - self._looked_at_s < FRESH_S:
            return self._found
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="look for local servers")
        return await asyncio.shield(self._looking)

    def forget(self) -> None:
        """The next page looks again."""
        self._looked_at_s = None

    async def stop(self) -> None:
        if self._looking and not self._looking.done():
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> list[LocalServer]:
        asked = await asyncio.gather(*(self._ask(preset) for preset in self.usual))
        self._found = [server for server in asked if server]
        self._looked_at_s = self._engine.clock.monotonic_s()
        return self._found

    async def _ask(self, preset: Preset) -> LocalServer | None:
        try:
            address = parse_base_url(preset.base_url, {*self._engine.own_ports, self._engine.settings.port})
        except SettingRefused:
            return None
        endpoint = Endpoint(address.authority, address.url)
        try:
            models = await self._engine.gateway.glance(endpoint, ANSWER_S)
        except ModelLoading:
            return LocalServer(preset.name, address.url, address.port, "loading")
        except ProviderAuth:
            return LocalServer(preset.name, address.url, address.port, "wants_key")
        except (ProviderError, BadResponse):
            return None
        contexts = {model.id: model.context_length or 0 for model in models}
        self._engine.server_notes.listed(endpoint.name, contexts)
        names = [model.id for model in models if not any(word in model.id.lower() for word in _NO_STORY)]
        return LocalServer(preset.name, address.url, address.port, "ready", tuple(names[:MODELS_SHOWN]))
