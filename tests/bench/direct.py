"""The floor: a raw socket, an own splitter and a typed decoder, asking the upstream without anything between."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec

from tests.bench.upstream import chat_request


class _Delta(msgspec.Struct):
    content: str = ""


class _Choice(msgspec.Struct):
    delta: _Delta


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []


_decode = msgspec.json.Decoder(_Chunk).decode
_END = b"0\r\n\r\n"
PROMPT_CHARS = 24_000
"""About what a prompt of fifty turns holds."""


@contextmanager
def helper_process(module: str, *arguments: str) -> Iterator[int]:
    """One of our small servers in a process of its own; gives the port it prints."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def upstream() -> AbstractContextManager[int]:
    """The upstream in a process of its own; gives its port."""
    return helper_process("upstream")


class Direct:
    """One kept connection to the upstream."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self._socket.close()

    def ask(self, mark: str) -> None:
        self._socket.sendall(chat_request(mark, PROMPT_CHARS))

    def texts(self) -> Iterator[str]:
        """The content of each event, as it comes, to the end of the reply."""
        rest, tail = b"", b""
        while tail != _END:
            data = self._socket.recv(65536)
            assert data, "the upstream hung up"
            tail = (tail + data)[-len(_END) :]
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"data: {"):
                    chunk = _decode(line[6:])
                    if chunk.choices:
                        yield chunk.choices[0].delta.content

    def first_token(self, mark: str) -> float:
        """Seconds from asking to the first word; the rest is read and dropped."""
        began = time.perf_counter()
        self.ask(mark)
        words = self.texts()
        next(words)
        took = time.perf_counter() - began
        for _ in words:
            pass
        return took
