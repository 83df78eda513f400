"""What a scripted peer can do with one request: reply in any dialect, or misbehave on purpose."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass
class Connection:
    """The client's end: the parsed request, and the bytes that go back. `reusable` after a whole HTTP response."""

    asked: dict[str, Any]
    writer: asyncio.StreamWriter
    reusable: bool = False

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        lines = [f"HTTP/1.1 {status} {'OK' if status < 300 else 'Odd'}", *(f"{k}: {v}" for k, v in headers)]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def chunk(self, data: bytes) -> None:
        """One HTTP chunk, written at once."""
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end(self) -> None:
        await self.send(b"0\r\n\r\n")
        self.reusable = True

    def reset(self) -> None:
        """Drops the connection with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER
        self.writer.transport.abort()


class Act(Protocol):
    async def play(self, connection: Connection) -> None: ...


@dataclass(frozen=True)
class Status:
    """An error answer (or any other) with a body."""

    status: int
    body: str | dict[str, Any] = ""
    retry_after: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    compress: bool = False

    async def play(self, connection: Connection) -> None:
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        body = gzip.compress(text.encode()) if self.compress else text.encode()
        kind = "text/html" if text.startswith("<") else "application/json"
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), *self.headers]
        if self.retry_after is not None:
            headers.append(("Retry-After", self.retry_after))
        if self.compress:
            headers.append(("Content-Encoding", "gzip"))
        await connection.head(self.status, headers)
        await connection.send(body)
        connection.reusable = True


def json_body(value: Any, status: int = 200) -> Status:
    return Status(status, json.dumps(value))


@dataclass(frozen=True)
class Redirect:
    to: str
    status: int = 307

    async def play(self, connection: Connection) -> None:
        await connection.head(self.status, [("Location", self.to), ("Content-Length", "0")])
        connection.reusable = True


@dataclass(frozen=True)
class Silence:
    """Takes the request and says nothing; with `headers`, says only that a stream will come."""

    headers: bool = False

    async def play(self, connection: Connection) -> None:
        if self.headers:
            await connection.head(200, _STREAM_HEADERS)
        await asyncio.sleep(3600)


@dataclass(frozen=True)
class HangUp:
    """Closes at once, politely or with a reset, before a single byte."""

    reset: bool = True

    async def play(self, connection: Connection) -> None:
        if self.reset:
            connection.reset()


@dataclass(frozen=True)
class Raw:
    """A 200 stream with exactly these writes. `pause_s` between them, `linger` keeps it open, `cut` breaks it.

    Each write waits until `may_write` allows it, which is asked by its number.
    """

    writes: Sequence[bytes]
    content_type: str = "text/event-stream"
    pause_s: float = 0.0
    end: str = "close"  # close: a whole body; cut: no last chunk; reset; linger: never
    headers: Sequence[tuple[str, str]] = ()
    may_write: Callable[[int], bool] = lambda at: True

    async def play(self, connection: Connection) -> None:
        await connection.head(
            200, [("Content-Type", self.content_type), ("Transfer-Encoding", "chunked"), *self.headers]
        )
        for at, data in enumerate(self.writes):
            while not self.may_write(at):
                await asyncio.sleep(0.005)
            await connection.chunk(data)
            await asyncio.sleep(self.pause_s)
        if self.end == "close":
            await connection.end()
        elif self.end == "reset":
            await asyncio.sleep(0.02)
            connection.reset()
        elif self.end == "linger":
            await asyncio.sleep(3600)


_STREAM_HEADERS = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
_USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def event(payload: Any) -> bytes:
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def delta(content: Any = None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """One chunk object as OpenAI sends it."""
    part = {**({"content": content} if content is not None else {}), **fields}
    return {
        "id": "chatcmpl-peer",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "peer-model-1",
        "choices": [{"index": 0, "delta": part, "finish_reason": finish}],
    }


@dataclass(frozen=True)
class Reply:
    """A good streamed reply, cut into pieces; most of its dialects are options.

    `pieces` overrides the cutting into words; `reasoning` is sent first in `reasoning_field`; `pace_s` is the pause
    between tokens; `stall_after` stops for ever after that many tokens; `one_byte` writes the stream bytewise.
    `rest` is set by the test when more than the first `rest_from` tokens may come: for what must happen meanwhile.
    """

    text: str = ""
    pieces: Sequence[str] | None = None
    reasoning: str = ""
    reasoning_field: str = "reasoning_content"
    finish: str | None = "stop"
    usage: dict[str, Any] | None = field(default_factory=lambda: dict(_USAGE))
    done: bool = True
    pace_s: float = 0.0
    wait_s: float = 0.0
    stall_after: int | None = None
    rest: threading.Event | None = None
    rest_from: int = 1
    keep_alive: int = 0
    crlf: bool = False
    one_byte: bool = False
    compress: bool = False
    stream: bool = True
    tool: bool = False
    end: str = "close"

    def _cut(self) -> list[str]:
        if self.pieces is not None:
            return list(self.pieces)
        words = self.text.split(" ")
        return [word if at == 0 else f" {word}" for at, word in enumerate(words)] if self.text else []

    def events(self) -> list[bytes]:
        """The stream, an event a write."""
        writes = [b": still here\n\n"] * self.keep_alive + [event(delta(role="assistant", content=""))]
        if self.reasoning:
            writes += [
                event(delta(**{self.reasoning_field: word})) for word in self.reasoning.splitlines(True)
            ]
        writes += [event(self._token(piece)) for piece in self._cut()]
        if self.finish:
            writes.append(event(delta(finish=self.finish)))
        if self.usage:
            writes.append(event({**delta(), "choices": [], "usage": self.usage}))
        if self.done:
            writes.append(b"data: [DONE]\n\n")
        return writes

    def _token(self, piece: str) -> dict[str, Any]:
        if self.tool:
            return delta(tool_calls=[{"index": 0, "function": {"name": "answer", "arguments": piece}}])
        return delta(piece)

    async def play(self, connection: Connection) -> None:
        await asyncio.sleep(self.wait_s)
        if self.stream:
            await self._stream(connection)
        else:
            await json_body(self.whole()).play(connection)

    def whole(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.text}
        if self.reasoning:
            message[self.reasoning_field] = self.reasoning
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        return {"id": "chatcmpl-peer", "model": "peer-model-1", "choices": [choice], "usage": self.usage}

    async def _stream(self, connection: Connection) -> None:
        writes = self.events()
        if self.stall_after is not None:
            writes = writes[: self.stall_after + 1]
        if self.crlf:
            writes = [write.replace(b"\n", b"\r\n") for write in writes]
        headers: list[tuple[str, str]] = []
        if self.compress:
            writes, headers = [gzip.compress(b"".join(writes))], [("Content-Encoding", "gzip")]
        if self.one_byte:
            writes = [bytes([byte]) for byte in b"".join(writes)]
        end = "linger" if self.stall_after is not None else self.end
        stream = Raw(writes, pause_s=self.pace_s, end=end, headers=headers, may_write=self._may_write)
        await stream.play(connection)

    def _may_write(self, at: int) -> bool:
        return at <= self.rest_from or self.rest is None or self.rest.is_set()


@dataclass(frozen=True)
class Answer:
    """A structured answer, sent the way it was asked for (text, or the arguments of a tool)."""

    value: Any
    finish: str = "stop"
    reasoning: str = ""

    async def play(self, connection: Connection) -> None:
        text = self.value if isinstance(self.value, str) else json.dumps(self.value, ensure_ascii=False)
        pieces = [text[at : at + 9] for at in range(0, len(text), 9)]
        asked_tool = bool(connection.asked.get("tools"))
        await Reply(pieces=pieces, finish=self.finish, tool=asked_tool, reasoning=self.reasoning).play(
            connection
        )


@dataclass(frozen=True)
class Endless:
    """Writes the same token for ever; with `line`, one data line that never ends."""

    token: str = "and on "
    line: bool = False

    async def play(self, connection: Connection) -> None:
        await connection.head(200, _STREAM_HEADERS)
        data = b"x" * 65_536 if self.line else event(delta(self.token)) * 100
        if self.line:
            await connection.chunk(b"data: ")
        while True:
            await connection.chunk(data)


@dataclass(frozen=True)
class OnlyFor:
    """Plays `good` when the request's response format is among `accepts`, else refuses as servers do."""

    accepts: Sequence[str]
    good: Act
    status: int = 400

    async def play(self, connection: Connection) -> None:
        if asked_for(connection.asked) in self.accepts:
            await self.good.play(connection)
        else:
            message = "response_format type or tool_choice is not supported"
            await json_body({"error": {"message": message}}, self.status).play(connection)


@dataclass(frozen=True)
class NoSystemRole:
    """Plays `good` unless there is a system message, which it refuses with an error answer or (200) in the stream."""

    good: Act
    status: int
    error: dict[str, Any]

    async def play(self, connection: Connection) -> None:
        if all(message["role"] != "system" for message in connection.asked["messages"]):
            await self.good.play(connection)
        elif self.status == 200:
            await Raw([b"event: error\n" + event(self.error)]).play(connection)
        else:
            await json_body(self.error, self.status).play(connection)


def as_gemma(good: Act) -> NoSystemRole:
    """The way vLLM passes on what Gemma's template says."""
    said = "System role not supported"
    return NoSystemRole(
        good, 400, {"object": "error", "message": said, "type": "BadRequestError", "code": 400}
    )


def as_old_mistral(good: Act) -> NoSystemRole:
    """The way llama.cpp's server passes on what the template of the first Mistral says."""
    said = "Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/...\n"
    return NoSystemRole(good, 500, {"error": {"code": 500, "message": said, "type": "server_error"}})


def asked_for(body: dict[str, Any]) -> str:
    """The rung a request stands on: json_schema, json_object, tools or prompt."""
    if body.get("tools"):
        return "tools"
    return str((body.get("response_format") or {}).get("type", "prompt"))
