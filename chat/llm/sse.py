"""Splits a byte stream into server-sent events, as the WHATWG standard says, however the bytes are cut.

It returns the payloads of whole events only; what they mean is not known here. Nothing is decoded, so a UTF-8
character cut in two by the network is whole again before anybody looks at it.
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"
_COLON = ord(":")


class LineTooLong(ValueError):
    """A single line passed the cap; the stream is of no use any more."""


class Splitter:
    """Bytes in, data payloads out. `heartbeats` counts comment lines, which mean "still alive"."""

    def __init__(self, max_line_bytes: int = 10_000_000) -> None:
        self.heartbeats = 0
        self._max_line = max_line_bytes
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._first_line = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads of the events that this chunk completes; data lines are joined by line feeds."""
        if self._after_cr or b"\r" in chunk:
            chunk = self._normalised(chunk)
        if b"\n" not in chunk:
            self._keep(chunk)
            return []
        if self._rest:
            chunk = bytes(self._rest) + chunk
            self._rest.clear()
        *lines, rest = chunk.split(b"\n")
        self._keep(rest)
        return self._events(lines)

    def finish(self) -> list[bytes]:
        """What a server that closes without the last blank line still meant to send."""
        lines = [bytes(self._rest), b""]
        self._rest.clear()
        return self._events(lines)

    def _normalised(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        elif not chunk:
            return chunk
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _keep(self, rest: bytes) -> None:
        self._rest += rest
        if len(self._rest) > self._max_line:
            raise LineTooLong

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        if self._first_line and lines:
            lines[0] = lines[0].removeprefix(_BOM)
            self._first_line = False
        for line in lines:
            if line.startswith(b"data:"):
                self._add(line[6:] if line[5:6] == b" " else line[5:])
            elif line:
                self._other(line)
            elif self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
                self._size = 0
        return events

    def _other(self, line: bytes) -> None:
        if line[0] == _COLON:
            self.heartbeats += 1
        elif line == b"data":
            self._add(b"")

    def _add(self, payload: bytes) -> None:
        self._data.append(payload)
        self._size += len(payload)
        if self._size > self._max_line or len(self._data) > 100_000:
            raise LineTooLong
