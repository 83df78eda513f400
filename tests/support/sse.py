"""A small server-sent-events client over a raw socket, so that tests see exactly what was on the wire."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit


class Frame(NamedTuple):
    """One event. `id` is empty when the frame carries none; `data` is the parsed JSON."""

    event: str
    id: str
    data: Any


class EventStream:
    """An open stream. `next` blocks for at most `timeout_s`; comments (pings) are counted, not returned."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, *, timeout_s: float = 30) -> None:
        parts = urlsplit(url)
        self.pings = 0
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout_s)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        wanted = {"Host": parts.netloc, "Accept": "text/event-stream", **(headers or {})}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in wanted.items())]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = dict(self._read_headers())
        self._chunked = self.headers.get("transfer-encoding") == "chunked"
        self._body = b""
        self.is_whole = False
        """True once the server ended the stream as HTTP wants it, not by dropping the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def next(self) -> Frame | None:
        """The next frame; None when the server ended the stream."""
        while True:
            block = self._block()
            if block is None:
                return None
            if frame := self._parse(block):
                return frame

    def until(self, event: str, **wanted: Any) -> list[Frame]:
        """Every frame up to and with the first `event` whose data holds `wanted`."""
        seen: list[Frame] = []
        while frame := self.next():
            seen.append(frame)
            if frame.event == event and all(frame.data.get(key) == value for key, value in wanted.items()):
                return seen
        raise AssertionError(
            f"The stream ended before {event} came; it held {[frame.event for frame in seen]}."
        )

    def _read_headers(self) -> Iterator[tuple[str, str]]:
        while line := self._file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            yield name.lower(), value.strip()

    def _more(self) -> bytes:
        if not self._chunked:
            return self._file.read1(65536)
        line = self._file.readline().strip()
        data = self._file.read(int(line or b"0", 16))
        self._file.readline()
        self.is_whole = line == b"0"
        return data

    def _block(self) -> str | None:
        """Everything up to the next empty line, with LF line ends."""
        while True:
            text = self._body.replace(b"\r\n", b"\n")
            block, found, rest = text.partition(b"\n\n")
            if found:
                self._body = rest
                return block.decode("utf-8")
            data = self._more()
            if not data:
                return None
            self._body += data

    def _parse(self, block: str) -> Frame | None:
        event, event_id, data = "message", "", []
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not name:
                self.pings += 1
            elif name == "event":
                event = value
            elif name == "id":
                event_id = value
            elif name == "data":
                data.append(value)
        return Frame(event, event_id, json.loads("\n".join(data))) if data else None
