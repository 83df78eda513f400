"""How uvicorn is run: no proxy headers, no request log, a head of bounded size, and answers in one piece.

It also marks targets that name another server, which uvicorn would otherwise silently shorten to their path.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chat.web.security import SECURITY_HEADERS

TARGET_BYTES = 8_192
HEAD_BYTES = 32_768
HEADERS_MAX = 100
_ANSWER = b"HTTP/1.1 "
_BAD_REQUEST = b"This request cannot be read.\n"


class Joining:
    """Stands before a transport and lets the head of an answer wait for its body, which uvicorn writes apart.

    Whoever reads them is woken once instead of twice. A body that does not come at once is not waited for.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop, self._head = transport, loop, b""

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_ANSWER):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class StrictHttp(HttpToolsProtocol):
    """Refuses oversized heads with 400 and gives that answer the headers every other answer has."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Joining(transport, self.loop))  # type: ignore[arg-type]

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > TARGET_BYTES:
            raise httptools.HttpParserError("target too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES or len(self.headers) >= HEADERS_MAX:
            raise httptools.HttpParserError("head too large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self.url.startswith(b"/"):
            self.scope["state"]["odd_target"] = True
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        lines = [
            b"HTTP/1.1 400 Bad Request",
            b"content-type: text/plain; charset=utf-8",
            b"connection: close",
        ]
        lines += [name + b": " + value for name, value in SECURITY_HEADERS]
        lines += [b"cache-control: no-store", b"content-length: %d" % len(_BAD_REQUEST)]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + _BAD_REQUEST)
        self.transport.close()


def server_config(app: ASGIApp, **options: Any) -> uvicorn.Config:
    """The one way this program is served. `options` may add host, port, fd or lifespan."""
    return uvicorn.Config(
        app,
        http=StrictHttp,
        ws="none",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        **options,
    )
