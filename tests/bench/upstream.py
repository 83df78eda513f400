"""A model server for measuring, in a process of its own: blocking sockets, ready bytes, nothing in its way.

    python -m tests.bench.upstream        prints its port, then serves until its input closes

What it does is named in the words of the player, the last such mark counts:
`bench:flood:N` N tokens, many in a write; `bench:steady:N` the same with one write each; `bench:pace:N` one at once
and one every 10 ms, with the time of sending in each, `bench:brisk:N` every 2 ms; `bench:prose:N` N at the slower
pace, in paragraphs; `bench:tell:N` text N of the pool, at once; `bench:note:N` the same, and what is asked about it has
an answer. Floods begin with a stamped token. Any other question for a structured answer gets an empty object.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from functools import cache

from tests.bench.stories import Words

PACE_S, BRISK_S = 0.01, 0.002
_MARK = re.compile(rb"bench:(flood|steady|pace|brisk|prose|tell|note):(\d+)")
_TOKENS_IN_A_WRITE = 64
WORDS_OF_A_PARAGRAPH = 60
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_NOTES = {
    "feelings": [
        {
            "source": "Mira",
            "target": "Alex",
            "affinity": 1,
            "trust": 1,
            "reason": "A kind word.",
            "cites": [1],
        }
    ],
    "facts": [{"owner": "Mira", "about": "Alex", "text": "Alex likes lamps.", "cites": [1]}],
    "minutes": 3,
    "minutes_cites": [1],
    "significance": 1,
}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def token_text(index: int) -> str:
    """Four characters that name the token, so that one lost or out of order is seen."""
    a, b, c = index // 1296 % 36, index // 36 % 36, index % 36
    return f"{_DIGITS[a]}{_DIGITS[b]}{_DIGITS[c]} "


def flood_text(count: int) -> str:
    """What a flood says behind its stamp."""
    return "".join(token_text(index) for index in range(count))


def stamp() -> str:
    """The time of sending, on the clock all processes of this machine share."""
    return f"t{time.monotonic_ns()} "


def chat_request(mark: str, prompt_chars: int = 0) -> bytes:
    """A whole HTTP request for what a mark names, with a prompt of about so many characters before it."""
    message = {"role": "user", "content": "word " * (prompt_chars // 5) + mark}
    body = json.dumps({"model": "bench", "stream": True, "messages": [message]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def event(content: str | None, finish: str | None = None) -> bytes:
    """One event as OpenAI sends it, about 260 bytes, as one HTTP chunk."""
    delta = {} if content is None else {"content": content}
    chunk = {
        "id": "chatcmpl-bench0123456789abcdefghijkl",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "bench-model-1",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    return _chunk(b"data: " + json.dumps(chunk).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


_USAGE = {"choices": [], "usage": {"prompt_tokens": 5000, "completion_tokens": 100, "total_tokens": 5100}}
_END = (
    event(None, "stop")
    + _chunk(b"data: " + json.dumps(_USAGE).encode() + b"\n\n")
    + _chunk(b"data: [DONE]\n\n")
    + b"0\r\n\r\n"
)


@cache
def _flood(count: int) -> list[bytes]:
    return [event(token_text(index)) for index in range(count)]


@cache
def _words() -> Words:
    return Words()


def _flooded(number: int) -> Iterator[bytes]:
    tokens = _flood(number)
    yield event(stamp())
    for at in range(0, number, _TOKENS_IN_A_WRITE):
        yield b"".join(tokens[at : at + _TOKENS_IN_A_WRITE])


def _steady(number: int) -> Iterator[bytes]:
    tokens = _flood(number)
    yield event(stamp())
    yield from tokens


def _paced(number: int, pace_s: float = PACE_S) -> Iterator[bytes]:
    due = time.monotonic()
    for _ in range(number):
        time.sleep(max(0.0, due - time.monotonic()))
        yield event(stamp())
        due += pace_s


def _brisk(number: int) -> Iterator[bytes]:
    return _paced(number, BRISK_S)


def _prose(number: int) -> Iterator[bytes]:
    due = time.monotonic()
    for index in range(number):
        due += PACE_S
        time.sleep(max(0.0, due - time.monotonic()))
        yield event(token_text(index) + ("\n\n" if index % WORDS_OF_A_PARAGRAPH == 0 else ""))


def _told(number: int) -> Iterator[bytes]:
    words = _words().told
    for word in words[number % len(words)].text.split(" "):
        yield event(word + " ")


def _answered(number: int) -> Iterator[bytes]:
    yield event("{}")


def _noted(number: int) -> Iterator[bytes]:
    yield event(json.dumps(_NOTES))


_ACTS = {
    "flood": _flooded,
    "steady": _steady,
    "pace": _paced,
    "brisk": _brisk,
    "prose": _prose,
    "tell": _told,
    "note": _told,
    "answer": _answered,
    "answer-note": _noted,
}


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as lines:
        while body := _request(lines):  # type: ignore[arg-type]
            act, number = _asked(body)
            writes = _ACTS[act](number)
            connection.sendall(_HEAD + next(writes))
            for data in writes:
                connection.sendall(data)
            connection.sendall(_END)


def _asked(body: bytes) -> tuple[str, int]:
    marks = _MARK.findall(body)
    if b'"response_format"' in body or not marks:
        return "answer-note" if marks and marks[-1][0] == b"note" else "answer", 0
    kind, number = marks[-1]
    return kind.decode(), int(number)


def _request(lines: socket.SocketIO) -> bytes:
    """The body of the next request; empty when the client has gone."""
    size = 0
    while line := lines.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    return lines.read(size) or b"" if size else b""


def _quietly(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the client hung up
        _serve(connection)


def main() -> None:
    _flood(40_000)
    _words()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_quietly, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
