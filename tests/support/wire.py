"""A real uvicorn on loopback for an app under test, and raw sockets to say to it what no client would."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp

from chat.web.wire import server_config


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def raw(port: int, data: bytes, *, address: str = "127.0.0.1", timeout_s: float = 30.0) -> bytes:
    """Everything the server answers until it closes the connection."""
    with socket.create_connection((address, port), timeout=timeout_s) as line:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            line.sendall(data)
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := line.recv(65536):
                parts.append(part)
    return b"".join(parts)


def parsed(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        assert name.lower() not in headers, f"{name} came twice"
        headers[name.lower()] = value
    return Answer(int(first.split(" ")[1]), headers, body)


def ask(
    port: int,
    method: str = "GET",
    path: str = "/",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    *,
    address: str = "127.0.0.1",
) -> Answer:
    """One request with exactly these headers; Host is ours unless given, and the connection closes after it."""
    sent = {"Host": f"127.0.0.1:{port}", "Connection": "close"} | (headers or {})
    if body and "Transfer-Encoding" not in sent:
        sent.setdefault("Content-Length", str(len(body)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return parsed(
        raw(port, f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body, address=address)
    )


@contextlib.contextmanager
def serving(app: ASGIApp, family: socket.AddressFamily = socket.AF_INET) -> Iterator[int]:
    """Runs the app as the program runs, on a free loopback port; yields the port."""
    listener = socket.socket(family)
    listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    server = uvicorn.Server(server_config(app, lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    for _ in range(3_000):
        if server.started:
            break
        thread.join(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
