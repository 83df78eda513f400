"""One HTTP request for a reply and the reading of its response, chunk by chunk, within its limits.

It knows nothing of stories or thoughts, and it never tries twice; `narration` decides what a failure means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chat.errors import BadResponse, EndlessReply, ProviderUnavailable, TimedOut, WebPage
from chat.llm.bodies import Inflater, UnreadableBody, inflater
from chat.llm.calls import Endpoint
from chat.llm.chunks import Chunk
from chat.llm.patience import Patience
from chat.llm.reader import Reader
from chat.llm.sse import LineTooLong
from chat.llm.wire import Wire

if TYPE_CHECKING:
    from chat.llm.client import Opened

PATH = "chat/completions"
_AFTER_FINISH_S = 3.0  # for the usage chunk, and for servers that never close
_AFTER_DONE_S = 0.1  # for the end of the body, so that the connection can be used again


@dataclass
class Upstream:
    """`finish` is the server's finish_reason; `ended` means [DONE], or closed after a finish_reason."""

    wire: Wire
    endpoint: Endpoint
    model: str
    patience: Patience
    finish: str | None = None
    ended: bool = False
    request_id: str | None = None

    def __post_init__(self) -> None:
        self._reader = Reader()
        self._opened: Opened | None = None
        self._unpack: Inflater | None = None

    @property
    def malformed(self) -> int:
        return self._reader.malformed

    async def open(self, body: Mapping[str, Any]) -> None:
        await self.wire.ready()
        self.patience.begin()
        async with self.patience.wait():
            self._opened = await self.wire.post(self.endpoint, PATH, body, self.model)
        self.request_id = self._opened.request_id
        try:
            self._unpack = inflater(self._opened.encoding)
        except UnreadableBody as error:
            raise self._unreadable(error) from None

    async def read(self) -> list[Chunk] | None:
        """The chunks of the next bytes, possibly none; None when the reply is over."""
        assert self._opened is not None
        if self.ended:
            return None
        try:
            async with self.patience.wait():
                data = await self._opened.read()
        except (TimedOut, ProviderUnavailable):
            if self.finish is None:
                raise
            data = b""  # what matters had come; some servers never close, others do not close properly
        return await self._digest(data) if data else self._last()

    async def _digest(self, data: bytes) -> list[Chunk]:
        beats = self._reader.heartbeats
        try:
            chunks = self._reader.feed(data) if self._unpack is None else self._unpacked(data)
        except LineTooLong:
            raise EndlessReply(f"{self.endpoint.name} sent more than 10 MB without an end.") from None
        except UnreadableBody as error:
            raise self._unreadable(error) from None
        if chunks or self._reader.heartbeats > beats:
            self.patience.heard()
            self._note_finish(chunks)
        if self._reader.done:
            await self._drain()
        return chunks

    def _unpacked(self, data: bytes) -> list[Chunk]:
        assert self._unpack is not None
        return [chunk for piece in self._unpack.feed(data) for chunk in self._reader.feed(piece)]

    def _note_finish(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            if chunk.finish:
                self.finish = chunk.finish
                self.patience.hurry(_AFTER_FINISH_S)

    def _last(self) -> list[Chunk]:
        chunks = self._reader.finish()
        self._note_finish(chunks)
        if self._reader.kind == "page":
            raise WebPage(f"{self.endpoint.name} answered with a web page instead of a reply.")
        self.ended = self._reader.done or self.finish is not None or any(chunk.error for chunk in chunks)
        if not self.ended:
            raise ProviderUnavailable(f"{self.endpoint.name} hung up before the reply was finished.")
        return chunks

    async def _drain(self) -> None:
        self.ended = True
        assert self._opened is not None
        try:
            async with asyncio.timeout(_AFTER_DONE_S):
                for _ in range(4):
                    if not await self._opened.read():
                        break
        except (TimeoutError, ProviderUnavailable):
            pass  # the reply is whole; only the connection is not kept

    def _unreadable(self, error: UnreadableBody) -> BadResponse:
        return BadResponse(f"{self.endpoint.name} sent a reply that cannot be unpacked ({error}).")

    async def close(self) -> None:
        """Closes the connection unless the reply was read to its end."""
        if self._opened is not None:
            await self._opened.close()
