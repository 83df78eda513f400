"""Reads bodies that nobody asked to be large: bounded in bytes, also after decompression.

A server may compress though we ask for plain bytes, and a small compressed body can unpack to gigabytes.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable

_STEP = 1 << 20


class UnreadableBody(ValueError):
    """Compressed in a way that was not asked for, or damaged."""


class Inflater:
    """gzip and deflate in steps of at most a megabyte; anything else is refused."""

    def __init__(self, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise UnreadableBody(f"content encoding {encoding[:20]!r}")
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32 if encoding != "deflate" else zlib.MAX_WBITS)

    def feed(self, chunk: bytes) -> list[bytes]:
        """At most 64 pieces of at most a megabyte; whoever reads on past that wants a bomb."""
        pieces: list[bytes] = []
        try:
            while chunk and len(pieces) < 64:
                pieces.append(self._zlib.decompress(chunk, _STEP))
                chunk = self._zlib.unconsumed_tail
        except zlib.error as error:
            raise UnreadableBody("damaged compression") from error
        return pieces


def inflater(encoding: str) -> Inflater | None:
    """For the value of a Content-Encoding header; None where there is nothing to unpack."""
    encoding = encoding.strip().lower()
    return None if encoding in ("", "identity") else Inflater(encoding)


async def read_capped(
    read: Callable[[], Awaitable[bytes]], encoding: str, limit: int, timeout_s: float
) -> bytes:
    """What a body brings within the limits; `read` gives b"" at its end. A longer or slower rest is dropped."""
    body = bytearray()
    try:
        unpack = inflater(encoding)
        async with asyncio.timeout(timeout_s):
            while len(body) < limit and (data := await read()):
                body += b"".join(unpack.feed(data)) if unpack else data
    except (TimeoutError, UnreadableBody):
        pass  # what is there is enough to say what went wrong
    return bytes(body[:limit])
