"""What can go wrong on the way to a reply: each has its own error, keeps what had arrived, and ends in time."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from chat.clock import Clock
from chat.errors import (
    BadResponse,
    ContextTooLong,
    EmptyReply,
    HeldBack,
    InvalidRequest,
    ModelLoading,
    ModelNotFound,
    ProviderAuth,
    ProviderBusy,
    ProviderError,
    ProviderPayment,
    ProviderRateLimited,
    ProviderUnavailable,
    ThoughtsOnly,
    WebPage,
    WrongAddress,
)
from chat.llm.calls import Endpoint, NarrateRequest
from chat.llm.gateway import Gateway
from chat.llm.policy import Policy
from tests.support.failing import KEY, fail, said
from tests.support.peer import Peer
from tests.support.peer_acts import (
    Act,
    Raw,
    Redirect,
    Reply,
    Status,
    delta,
    event,
)
from tests.support.server import free_port

Ask = Callable[..., NarrateRequest]

STATUSES: dict[str, tuple[Status, type[ProviderError], str]] = {
    "401": (Status(401, said("Incorrect API key provided")), ProviderAuth, "key"),
    "403": (Status(403, said("gated")), ProviderAuth, "403"),
    "402": (Status(402, said("Insufficient credits")), ProviderPayment, "credits"),
    "quota used up": (
        Status(429, said("You exceeded your quota", code="insufficient_quota")),
        ProviderPayment,
        "credit",
    ),
    "404 for the model": (Status(404, said('model "tiny" not found, try pulling it')), ModelNotFound, "tiny"),
    "404 for the address": (
        Status(404, "<html><body>nothing here</body></html>"),
        WrongAddress,
        "address",
    ),
    "405": (Status(405, {"detail": "Method Not Allowed"}), WrongAddress, "address"),
    "408": (Status(408, ""), ProviderUnavailable, "408"),
    "503": (Status(503, said("no capacity")), ProviderBusy, "capacity"),
    "429": (Status(429, said("slow down")), ProviderRateLimited, "slow down"),
    "400 by code": (Status(400, said("x", code="context_length_exceeded")), ContextTooLong, "longer"),
    "400 of llama.cpp": (
        Status(400, said("the request exceeds the available context size", type="exceed_context_size_error")),
        ContextTooLong,
        "longer",
    ),
    "400 by words": (
        Status(400, said("This model's maximum context length is 4096 tokens, your max_tokens is 60")),
        ContextTooLong,
        "4096",
    ),
    "500 by words": (Status(500, {"error": "the prompt is longer than n_ctx"}), ContextTooLong, "longer"),
    "413": (Status(413, ""), ContextTooLong, "413"),
    "422": (
        Status(422, {"detail": [{"msg": "field required", "loc": ["x"]}]}),
        InvalidRequest,
        "field required",
    ),
    "400 of another kind": (Status(400, said("top_k must be positive")), InvalidRequest, "top_k"),
    "400 for a cold model": (Status(400, said("Model is cold, warming up")), ModelLoading, "loading"),
    "503 while loading": (
        Status(503, said("Loading model", type="unavailable_error")),
        ModelLoading,
        "loading",
    ),
    "500": (Status(500, said("oops")), ProviderUnavailable, "oops"),
    "502 with a page": (Status(502, "<html><h1>Bad Gateway</h1></html>"), ProviderUnavailable, "502"),
    "504 with nothing": (Status(504, ""), ProviderUnavailable, "504"),
    "error as plain text": (Status(500, "upstream exploded"), ProviderUnavailable, "exploded"),
    "error as a string": (Status(500, {"error": "bang"}), ProviderUnavailable, "bang"),
    "error compressed": (Status(500, said("squeezed"), compress=True), ProviderUnavailable, "squeezed"),
    "error too long": (Status(500, said("ha" * 100_000)), ProviderUnavailable, "…"),
}


@pytest.mark.parametrize(("act", "kind", "words"), STATUSES.values(), ids=STATUSES.keys())
async def test_a_status_has_its_own_error(
    act: Status,
    kind: type[ProviderError],
    words: str,
    once: Gateway,
    peer: Peer,
    endpoint: Endpoint,
    ask: Ask,
) -> None:
    peer.script(act, Reply("Back again."))
    error = await fail(once.narrate(endpoint, ask()))
    assert type(error) is kind
    assert words in error.message
    assert error.status == act.status
    assert len(peer.requests) == 1, "not sent twice"
    assert [piece.text async for piece in once.narrate(endpoint, ask())] != [], "the next call works"


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_a_key_that_the_server_echoes_is_not_repeated(
    status: int, once: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    encoded = base64.b64encode(KEY.encode()).decode()
    echo = f"bad {KEY} and Bearer {KEY} and {encoded} and {KEY[:14]}*** \x1b[31m\r\nnew line"
    peer.script(Status(status, said(echo)))
    error = await fail(once.narrate(endpoint, ask()))
    assert KEY[:12] not in error.message
    assert encoded not in error.message
    assert "\x1b" not in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("0", 0.0), ("-1", None), ("999999", 600.0), ("soon", None), ("nan", None), (None, None)],
)
async def test_retry_after_is_understood(
    header: str | None, seconds: float | None, once: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Status(429, said("slow down"), retry_after=header))
    error = await fail(once.narrate(endpoint, ask()))
    assert error.retry_after_s == seconds


async def test_retry_after_may_be_a_date(peer: Peer, endpoint: Endpoint, ask: Ask) -> None:
    peer.script(Status(503, "", retry_after="Sat, 01 Jan 2028 00:00:30 GMT"))
    gateway = Gateway(Clock(now=lambda: datetime(2028, 1, 1, tzinfo=UTC)), Policy(attempts=1))
    error = await fail(gateway.narrate(endpoint, ask()))
    await gateway.close()
    assert error.retry_after_s == 30.0


HALF = [event(delta("Once ")), event(delta("upon"))]
STREAMS: dict[str, tuple[Act, type[ProviderError], str]] = {
    "clean end without finish": (Raw(HALF), ProviderUnavailable, "Once upon"),
    "cut in the middle": (Raw(HALF, end="cut"), ProviderUnavailable, "Once upon"),
    "cut inside JSON": (Raw([*HALF, b'data: {"choices":[{"de'], end="cut"), ProviderUnavailable, "Once upon"),
    "cut inside a character": (
        Raw([*HALF, event(delta("😀"))[:-30]], end="cut"),
        ProviderUnavailable,
        "Once upon",
    ),
    "error object": (
        Raw([*HALF, event(said("GPU fell off"))], end="linger"),
        ProviderUnavailable,
        "Once upon",
    ),
    "error with a choice": (
        Raw([*HALF, event({**delta("", "error"), **said("Provider disconnected", code=502)})]),
        ProviderUnavailable,
        "Once upon",
    ),
    "error of the other shape": (
        Raw([*HALF, event({"object": "error", "message": "engine died"})]),
        ProviderUnavailable,
        "Once upon",
    ),
    "finish_reason error": (Raw([*HALF, event(delta(finish="error"))]), ProviderUnavailable, "Once upon"),
    "rate limit inside": (Raw([event(said("slow", code=429))]), ProviderRateLimited, ""),
    "context inside": (Raw([event(said("x", code="context_length_exceeded"))]), ContextTooLong, ""),
    "error as whole JSON": (
        Raw([b'{"error":{"message":"no"}}'], "application/json"),
        ProviderUnavailable,
        "",
    ),
    "a web page": (Raw([b"<!DOCTYPE html><html>Sign in</html>"], "text/html"), WebPage, ""),
    "a web page called a stream": (Raw([b"\n <html>Sign in</html>"]), WebPage, ""),
    "nothing at all": (Raw([]), ProviderUnavailable, ""),
    "only [DONE]": (Raw([b"data: [DONE]\n\n"]), EmptyReply, ""),
    "only spaces": (Reply("  \n "), EmptyReply, "  \n "),
    "held back": (Reply("", finish="content_filter"), HeldBack, ""),
    "a tool call": (Reply(pieces=['{"a":1}'], tool=True, finish="tool_calls"), BadResponse, ""),
    "only thoughts": (Reply("", reasoning="Hmm.\nWell."), ThoughtsOnly, ""),
    "only thoughts in tags": (Reply("<think>Hmm. Well.</think>\n"), ThoughtsOnly, ""),
    "thoughts cut off": (Reply("<think>Hmm. Well, then", finish="length"), ThoughtsOnly, ""),
    "unknown compression": (Raw([b"xx"], headers=[("Content-Encoding", "br")]), BadResponse, ""),
    "damaged compression": (Raw([b"xx"], headers=[("Content-Encoding", "gzip")]), BadResponse, ""),
}


@pytest.mark.parametrize(("act", "kind", "partial"), STREAMS.values(), ids=STREAMS.keys())
async def test_a_broken_stream_has_its_own_error_and_keeps_what_came(
    act: Act,
    kind: type[ProviderError],
    partial: str,
    once: Gateway,
    peer: Peer,
    endpoint: Endpoint,
    ask: Ask,
) -> None:
    peer.script(act, Reply("Back again."))
    error = await fail(once.narrate(endpoint, ask()))
    assert type(error) is kind
    assert error.partial == partial
    assert [piece.text async for piece in once.narrate(endpoint, ask())], "the next call works"


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_a_reply_cut_by_the_server_is_a_reply_with_its_cause(
    finish: str, gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Reply("And then", finish=finish))
    narration = gateway.narrate(endpoint, ask())
    assert [piece async for piece in narration]
    assert narration.record().status == "ok"
    assert narration.record().stop_cause == finish


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(
    status: int, gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    with Peer() as elsewhere:
        peer.script(Redirect(f"{elsewhere.base_url}/chat/completions", status))
        error = await fail(gateway.narrate(endpoint, ask()))
        assert type(error) is WrongAddress
        assert "another address" in error.message
        assert elsewhere.requests == []


async def test_nobody_at_the_address(gateway: Gateway, ask: Ask) -> None:
    error = await fail(gateway.narrate(Endpoint("gone", f"http://127.0.0.1:{free_port()}/v1"), ask()))
    assert type(error) is ProviderUnavailable
    assert "Nothing answers at gone" in error.message


async def test_a_name_that_does_not_exist(
    gateway: Gateway, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    error = await fail(gateway.narrate(Endpoint("odd", "http://no-such-host.invalid/v1"), ask()))
    assert type(error) is WrongAddress
    assert "no-such-host.invalid" in error.message


async def test_a_plain_server_behind_a_secure_address(gateway: Gateway, peer: Peer, ask: Ask) -> None:
    endpoint = Endpoint("mixed", peer.base_url.replace("http:", "https:"), SecretStr(KEY))
    error = await fail(gateway.narrate(endpoint, ask()))
    assert type(error) is ProviderUnavailable
    assert "secure connection" in error.message
    assert "http instead of https" in error.next_step


async def test_something_that_is_no_web_server(gateway: Gateway, ask: Ask) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    error = await fail(gateway.narrate(Endpoint("mail", f"http://127.0.0.1:{port}/v1"), ask()))
    assert type(error) is ProviderUnavailable
    server.close()
    await server.wait_closed()


async def test_neither_key_nor_story_is_logged(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    peer.script(
        Reply("The secret garden."), Status(401, said(f"bad {KEY}")), Raw([b"data: {secret garden\n\n"])
    )
    story = [{"role": "user", "content": "the secret garden"}]
    for _ in range(3):
        narration = gateway.narrate(endpoint, ask(messages=story))
        try:
            async for _piece in narration:
                pass
        except ProviderError:
            continue
    assert KEY not in caplog.text
    assert "secret garden" not in caplog.text
    assert KEY not in repr(endpoint)
