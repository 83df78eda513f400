"""The openai client's request side over one connection pool. Imported on first use: it takes a third of a second.

Redirects are not followed, proxies and other settings of the environment are ignored, and the key goes only
into the Authorization header of the endpoint it belongs to. Replies are handed on as raw bytes.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx2
import msgspec
import openai
from yarl import URL

from chat.clock import Clock
from chat.llm.calls import Endpoint
from chat.llm.failures import network_failure, read_body, redact, retry_after_s, status_failure
from chat.llm.transport import Body, BoundedErrors, Transport
from chat.llm.wire import RefusedRequest

CONNECT_S = 4.5
_CLIENTS = 8
_REQUEST_IDS = ("x-request-id", "x-generation-id", "request-id")
for _name in ("openai", "httpx2", "aiohttp"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # their lower levels print prompts and headers


class _OpenAI(openai.AsyncOpenAI):
    """With the headers needed and no others: nothing about this machine, nothing from its environment."""

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        return {
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": "chat",
        }


class Opened:
    """A 2xx response whose body has not been read. `encoding` is how the body is compressed, usually blank."""

    def __init__(self, response: httpx2.Response, endpoint: Endpoint) -> None:
        self.encoding = response.headers.get("content-encoding", "")
        self.request_id = _request_id(response, endpoint)
        self._endpoint = endpoint
        self._response = response
        body = response.stream
        self._read = body.read if isinstance(body, Body) else partial(anext, response.aiter_raw(), b"")

    async def read(self) -> bytes:
        """All raw bytes that are there, waiting for the first; b"" at the end. Raises ProviderUnavailable."""
        try:
            return await self._read()
        except (httpx2.HTTPError, OSError) as error:
            raise network_failure(error, self._endpoint) from None

    async def close(self) -> None:
        """Closes the connection unless the body was read to its end."""
        await self._response.aclose()


class Client:
    """Made in a worker thread (reading the system's certificates takes a tenth of a second), used on the loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clients: dict[Endpoint, _OpenAI] = {}
        self._transport = BoundedErrors(Transport(ssl.create_default_context(), CONNECT_S))
        self._http = httpx2.AsyncClient(
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
            timeout=None,
        )

    async def post(self, endpoint: Endpoint, path: str, body: Mapping[str, Any], model: str) -> Opened:
        """The way the openai client would, to its address and with its headers, but on the shorter way: its pipeline of
        options, copies and hooks takes longer than everything else between a prompt and the network."""
        client = self._client(endpoint)
        headers = {**client.default_headers, **client.auth_headers, **_headers(endpoint)}
        told = [(name, value) for name, value in headers.items() if isinstance(value, str)]
        try:
            url = URL(f"{client.base_url}{path}", encoded=True)
            response = await self._transport.send("POST", url, told, msgspec.json.encode(body))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise network_failure(error, endpoint) from None
        if response.status_code >= 300:
            raise self._refused(response, endpoint, model)
        return Opened(response, endpoint)

    async def get(self, endpoint: Endpoint, path: str, params: Mapping[str, Any]) -> Opened:
        try:
            response: Any = await self._client(endpoint).get(
                path,
                cast_to=httpx2.Response,
                options={"headers": _headers(endpoint), "params": dict(params)},
                stream=True,
                stream_cls=openai.AsyncStream[Any],
            )
        except openai.APIStatusError as error:
            raise self._refused(error.response, endpoint, "") from None
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise network_failure(error, endpoint) from None
        assert isinstance(response, httpx2.Response)
        return Opened(response, endpoint)

    def _refused(self, response: httpx2.Response, endpoint: Endpoint, model: str) -> RefusedRequest:
        said = read_body(response.content)
        wait = retry_after_s(response.headers.get("retry-after"), self._clock.now())
        error = status_failure(response.status_code, said, endpoint, model, wait)
        error.request_id = _request_id(response, endpoint)
        return RefusedRequest(error, said.words, said.param)

    def _client(self, endpoint: Endpoint) -> _OpenAI:
        client = self._clients.get(endpoint)
        if client is None:
            while len(self._clients) >= _CLIENTS:
                self._clients.pop(next(iter(self._clients)))
            client = self._clients[endpoint] = _OpenAI(
                api_key=endpoint.secret or "none",  # it insists on one; see _headers
                base_url=endpoint.base_url,
                max_retries=0,
                http_client=self._http,
            )
        return client

    async def close(self) -> None:
        self._clients.clear()
        await self._http.aclose()


def _headers(endpoint: Endpoint) -> dict[str, Any]:
    """The key for this endpoint, or no Authorization at all; and none of the client's own counters."""
    return {
        "Authorization": f"Bearer {endpoint.secret}" if endpoint.secret else openai.Omit(),
        "x-stainless-retry-count": openai.Omit(),
        "x-stainless-read-timeout": openai.Omit(),
    }


def _request_id(response: httpx2.Response, endpoint: Endpoint) -> str | None:
    for name in _REQUEST_IDS:
        value = response.headers.get(name)
        if value:
            return redact(value[:200], endpoint)
    return None
