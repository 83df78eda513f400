"""From raw response bytes to chunks, whatever the server sent: a stream, one JSON object, or a web page.

The Content-Type is not believed; the first bytes decide. Malformed payloads are skipped and counted.
"""

from __future__ import annotations

from typing import Literal

from chat.llm.chunks import Chunk, read_chunk
from chat.llm.sse import LineTooLong, Splitter

_DONE = b"[DONE]"
_BLANK = b" \t\r\n\xef\xbb\xbf"


class Reader:
    """`done`: the server said so. `kind` None: nothing has come yet."""

    def __init__(self, max_bytes: int = 10_000_000) -> None:
        self.done = False
        self.malformed = 0
        self.kind: Literal["events", "json", "page"] | None = None
        self._max_bytes = max_bytes
        self._splitter = Splitter(max_bytes)
        self._body = bytearray()

    @property
    def heartbeats(self) -> int:
        return self._splitter.heartbeats

    def feed(self, data: bytes) -> list[Chunk]:
        if self.kind == "events":
            return self._read(self._splitter.feed(data))
        self._body += data
        if len(self._body) > self._max_bytes:
            raise LineTooLong
        if self.kind is None:
            self.kind = self._sniff()
        if self.kind != "events":
            return []
        start, self._body = bytes(self._body), bytearray()
        return self._read(self._splitter.feed(start))

    def finish(self) -> list[Chunk]:
        """The connection was closed in order: what is left is all there is."""
        if self.kind == "events":
            return self._read(self._splitter.finish())
        if self.kind != "json":
            return []
        chunk = read_chunk(bytes(self._body).lstrip(_BLANK))
        if chunk is None:
            self.malformed += 1
            return []
        self.done = chunk.error is None
        return [chunk]

    def _sniff(self) -> Literal["events", "json", "page"] | None:
        start = self._body.lstrip(_BLANK)
        if not start:
            return None
        return {ord("{"): "json", ord("["): "json", ord("<"): "page"}.get(start[0], "events")  # type: ignore[return-value]

    def _read(self, payloads: list[bytes]) -> list[Chunk]:
        chunks: list[Chunk] = []
        for payload in payloads:
            if self.done:
                break
            chunk = read_chunk(payload)
            if chunk is not None:
                chunks.append(chunk)
            elif payload.strip() == _DONE:
                self.done = True
            elif b"\n" in payload:  # a server that leaves out the blank lines between events
                chunks += self._read(payload.split(b"\n"))
            elif payload.strip():
                self.malformed += 1
        return chunks
