"""Carries httpx2 requests over aiohttp, whose compiled parser reads a chunked stream at a tenth of the cost.

Only a transport: no redirects, no cookies, no decompression, no environment. Its errors are httpx2's.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import aiohttp
import httpx2
from yarl import URL

from chat.llm.bodies import read_capped

KEEP_ALIVE_S = 30.0
Headers = Sequence[tuple[str, str]]
_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


_FAILED = (aiohttp.ClientError, OSError, ValueError)


def _as_httpx(error: Exception) -> httpx2.TransportError:
    if isinstance(error, aiohttp.ServerTimeoutError):
        return httpx2.ConnectTimeout(str(error))
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx2.ConnectError(str(error))
    return httpx2.RemoteProtocolError(f"{type(error).__name__}: {error}")


class Body(httpx2.AsyncByteStream):
    """A body that can be read without httpx2's own steps between, of which each token would pay for five."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def read(self) -> bytes:
        """All bytes that are there, waiting for the first; b"" at the end. Raises httpx2.TransportError."""
        try:
            return await self._response.content.readany()
        except _FAILED as error:
            raise _as_httpx(error) from error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self.read():
            yield data

    async def aclose(self) -> None:
        """Closes the connection unless the body was read to its end."""
        self._response.close()


class Transport(httpx2.AsyncBaseTransport):
    """`connect_s` bounds looking up the name, connecting and the TLS handshake together."""

    def __init__(self, certificates: ssl.SSLContext, connect_s: float) -> None:
        self._certificates, self._connect_s = certificates, connect_s
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        told = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw]
        return await self.send(request.method, URL(str(request.url), encoded=True), told, body)

    async def send(self, method: str, url: URL, headers: Headers, body: bytes) -> httpx2.Response:
        """The response with its body unread. Raises httpx2.TransportError."""
        try:
            response = await self._open_session().request(
                method,
                url,
                headers=headers,
                data=body or None,
                allow_redirects=False,
                skip_auto_headers=_AUTOMATIC,
            )
        except _FAILED as error:
            raise _as_httpx(error) from error
        answered = [(bytes(name), bytes(value)) for name, value in response.raw_headers]
        return httpx2.Response(response.status, headers=answered, stream=Body(response))

    def _open_session(self) -> aiohttp.ClientSession:
        """Made on the event loop that uses it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, keepalive_timeout=KEEP_ALIVE_S, ssl=self._certificates, ttl_dns_cache=60
                ),
                timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class BoundedErrors(httpx2.AsyncBaseTransport):
    """Cuts the bodies of error answers before any client gets to read them whole."""

    def __init__(self, inner: Transport, limit: int = 64_000, timeout_s: float = 5.0) -> None:
        self._inner, self._limit, self._timeout_s = inner, limit, timeout_s

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._bounded(await self._inner.handle_async_request(request))

    async def send(self, method: str, url: URL, headers: Headers, body: bytes) -> httpx2.Response:
        """As `Transport.send`; an answer other than 2xx has been read."""
        return await self._bounded(await self._inner.send(method, url, headers, body))

    async def _bounded(self, response: httpx2.Response) -> httpx2.Response:
        if response.status_code < 300:
            return response
        encoding = response.headers.get("content-encoding", "")
        try:
            body = await read_capped(_reading(response), encoding, self._limit, self._timeout_s)
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


def _reading(response: httpx2.Response) -> Callable[[], Awaitable[bytes]]:
    """The raw body piece by piece; a connection that breaks ends it."""
    raw = response.aiter_raw()

    async def read() -> bytes:
        try:
            return await anext(raw, b"")
        except httpx2.TransportError:
            return b""

    return read
