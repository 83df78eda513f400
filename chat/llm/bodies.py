"""Reads bodies that nobody asked to be large: bounded in bytes, also after decompression.

A server may compress though we ask for plain bytes, and a small compressed body can unpack to gigabytes.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx2

_STEP = 1 << 20


class UnreadableBody(ValueError):
    """Compressed in a way that was not asked for, or damaged."""


class Inflater:
    """gzip and deflate in steps of at most a megabyte; anything else but identity is refused."""

    def __init__(self, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise UnreadableBody(f"content encoding {encoding[:20]!r}")
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32 if encoding != "deflate" else zlib.MAX_WBITS)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Pieces of at most a megabyte; the caller stops asking when it has enough."""
        pieces: list[bytes] = []
        try:
            while chunk and len(pieces) < 64:
                pieces.append(self._zlib.decompress(chunk, _STEP))
                chunk = self._zlib.unconsumed_tail
        except zlib.error as error:
            raise UnreadableBody("damaged compression") from error
        return pieces


def inflater(response: httpx2.Response) -> Inflater | None:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    return None if encoding in ("", "identity") else Inflater(encoding)


async def read_capped(response: httpx2.Response, limit: int, timeout_s: float) -> bytes:
    """What arrived of a body within the limits; a longer or slower rest is dropped."""
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s), aclosing(_plain(response)) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) >= limit:
                    break
    except (TimeoutError, UnreadableBody, httpx2.TransportError):
        pass  # what is there is enough to say what went wrong
    return bytes(body[:limit])


async def _plain(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    unpack = inflater(response)
    async with aclosing(response.aiter_raw()) as raw:
        async for chunk in raw:
            for piece in unpack.feed(chunk) if unpack else (chunk,):
                yield piece


class BoundedErrors(httpx2.AsyncBaseTransport):
    """Cuts the bodies of error answers before any client gets to read them whole."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, limit: int = 64_000, timeout_s: float = 5.0) -> None:
        self._inner, self._limit, self._timeout_s = inner, limit, timeout_s

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        if response.status_code < 300:
            return response
        response.request = request
        try:
            body = await read_capped(response, self._limit, self._timeout_s)
        finally:
            await response.aclose()
        kept = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        return httpx2.Response(response.status_code, headers=kept, content=body)

    async def aclose(self) -> None:
        await self._inner.aclose()
