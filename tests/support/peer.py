"""A model server on a real loopback socket that does exactly what a test tells it to, right or wrong.

    with Peer() as peer:
        peer.script(Reply("Hello there."), Status(429, retry_after="2"))
        ...                       # point an endpoint at peer.base_url
        peer.requests[0].body     # what was asked, parsed

Each request takes the next scripted behaviour: first those scripted for its purpose or its schema's name, then the
general ones, then `default`; with none left the request gets a 599 and `Unscripted` is raised when the peer closes.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.support.peer_acts import Act, Connection, Reply, json_body

LAST_ROUNDS = 8
"""Of the event loop, in which a connection that has only just come gets its task, which closes it."""


class Unscripted(AssertionError):
    """The peer was asked something it had not been told an answer to."""


@dataclass
class Received:
    """One request. `gone_s` is how long after its arrival the client hung up, if it did so before the end."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    arrived: float
    gone_s: float | None = None
    finished: bool = False
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def schema_name(self) -> str | None:
        """The name of the structured answer asked for, in any of the ways to ask."""
        response_format = self.body.get("response_format") or {}
        name = (response_format.get("json_schema") or {}).get("name")
        if name is None and isinstance(response_format.get("schema"), dict):
            name = response_format["schema"].get("title")
        for tool in self.body.get("tools") or ():
            name = name or tool["function"]["name"]
        return name

    @property
    def text(self) -> str:
        """All messages' text, for asserting what a prompt holds."""
        return "\n".join(str(message["content"]) for message in self.body.get("messages", ()))


class Peer:
    """`default` answers what nobody scripted: an Act, or a function from the request to one."""

    def __init__(
        self,
        default: Act | Callable[[Received], Act] | None = None,
        models: list[Any] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self._default = default
        self._models = models if models is not None else [{"id": "peer-model", "context_length": 8192}]
        self._host = host
        self._scripts: dict[str | None, deque[Act]] = defaultdict(deque)
        self._unscripted: list[str] = []
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self.port = port

    def __enter__(self) -> Peer:
        self._thread.start()
        assert self._ready.wait(30), "the peer did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the peer did not stop"
        if kind is None and self._unscripted:
            raise Unscripted("The peer was asked, without a script, for: " + "; ".join(self._unscripted))

    @property
    def origin(self) -> str:
        return f"http://{self._host}:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def script(self, *acts: Act, on: str | None = None) -> Peer:
        """Queues behaviours; `on` is a schema's name, a path such as "/v1/models", or None for completions."""
        with self._lock:
            self._scripts[on].extend(acts)
        return self

    def bodies(self) -> list[dict[str, Any]]:
        return [request.body for request in self.requests if request.path.endswith("/chat/completions")]

    def wait_until(self, true: Callable[[], bool], within_s: float = 20.0) -> bool:
        """Polls from the test's thread; returns whether it came true."""
        end = time.monotonic() + within_s
        while not true():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            self.connections += 1
            try:
                await self._converse(reader, writer)
            except asyncio.CancelledError:
                pass  # the peer is closing; asyncio would print this one
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(accept, self._host, self.port, limit=1 << 26)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())
        for _ in range(LAST_ROUNDS):
            await asyncio.sleep(0)
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start: bytes | None = b""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while start is not None:
                start = start or await reader.readexactly(1)
                if not start.isalpha():  # a TLS handshake, most likely
                    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                    return
                received = await _read_request(reader, start)
                self.requests.append(received)
                start = await self._answer(received, reader, writer)

    async def _answer(
        self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes | None:
        """The first byte of the next request, if it came already; None when the connection is of no more use.

        Watches meanwhile for the client hanging up.
        """
        act = self._choose(received)
        connection = Connection(received.body, writer)
        acting = asyncio.ensure_future(act.play(connection))
        watching = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({acting, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not acting.done():
                received.gone_s = time.monotonic() - received.arrived
                return None
            with suppress(ConnectionError):
                acting.result()
            received.finished = True
            return await _unwatch(watching) if connection.reusable else None
        finally:
            for task in (acting, watching):
                task.cancel()
            await asyncio.gather(acting, watching, return_exceptions=True)

    def _choose(self, received: Received) -> Act:
        purpose = received.headers.get("x-purpose")
        with self._lock:
            for key in (received.schema_name, purpose, received.path.split("?")[0]):
                if key is not None and self._scripts.get(key):
                    return self._scripts[key].popleft()
            if received.path.endswith("/chat/completions") and self._scripts[None]:
                return self._scripts[None].popleft()
        if received.path.split("?")[0].endswith("/models"):
            return json_body({"object": "list", "data": self._models})
        return self._fallback(received)

    def _fallback(self, received: Received) -> Act:
        if self._default is None or not received.path.endswith("/chat/completions"):
            self._unscripted.append(f"{received.method} {received.path} ({received.schema_name or 'prose'})")
            return json_body({"error": {"message": "the peer has no script for this"}}, status=599)
        return self._default(received) if callable(self._default) else self._default


async def _unwatch(watching: asyncio.Future[bytes]) -> bytes | None:
    watching.cancel()
    await asyncio.wait({watching})
    return b"" if watching.cancelled() else watching.result() or None


async def _read_request(reader: asyncio.StreamReader, start: bytes) -> Received:
    head = start + await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    received = Received(method, path, headers, raw, time.monotonic())
    with suppress(ValueError):
        received.body = json.loads(raw)
    return received


def echo(received: Received) -> Reply:
    """A default that answers every prose request with the last thing said to it."""
    return Reply(f"You said: {received.body['messages'][-1]['content']}")
