"""The demo model as an OpenAI-compatible app: lists its models and writes completions, streamed or whole.

It answers only to its own token on its own loopback address, and keeps nothing of what it is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from chat.demo import drafting, wire
from chat.demo.request import CLASSIFIER, CONTEXT_LENGTH, NARRATOR, BadRequest, ChatRequest, read_request
from chat.demo.schema import UnusableSchema

PIECES_PER_SECOND = 32.0
_CREATED = 1_767_225_600  # the models have no birthday; a fixed one keeps answers the same
_LARGEST_BODY = 8 * 1024 * 1024


def create_demo_app(
    token: str, port_ref: Callable[[], int], pieces_per_second: float = PIECES_PER_SECOND
) -> ASGIApp:
    """`port_ref` gives the port listened on, for the Host check; a pace of 0 sends without waiting."""

    async def complete(request: Request) -> Response:
        asked = read_request(await _body(request))
        answer = await asyncio.to_thread(_answer, asked)
        if not asked.stream:
            return JSONResponse(wire.completion(answer))
        return StreamingResponse(
            _stream(answer, asked, pieces_per_second),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache"},
        )

    app = Starlette(
        routes=[Route("/v1/models", _models), Route("/v1/chat/completions", complete, methods=["POST"])],
        exception_handlers={
            BadRequest: _refused,
            404: _no_such_address,
            405: _no_such_address,
            ClientDisconnect: _gone,
        },
    )
    return _Guard(app, token, port_ref)


class _Guard:
    """Lets nothing through that does not name the loopback address and carry the token."""

    def __init__(self, app: ASGIApp, token: str, port_ref: Callable[[], int]) -> None:
        self._app = app
        self._bearer = f"Bearer {token}".encode()
        self._port_ref = port_ref

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = self._refusal(dict(scope["headers"]))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, headers: dict[bytes, bytes]) -> Response | None:
        port = self._port_ref()
        if headers.get(b"host", b"").decode("latin-1") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            message = "The demo model answers only on its own loopback address."
            return JSONResponse(wire.error(message, "invalid_request_error", code="wrong_host"), 403)
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._bearer):
            message = "Incorrect API key provided. The demo model only answers the program that started it."
            return JSONResponse(wire.error(message, "invalid_request_error", code="invalid_api_key"), 401)
        return None


async def _models(_request: Request) -> Response:
    models = [
        {
            "id": name,
            "object": "model",
            "created": _CREATED,
            "owned_by": "demo",
            "context_length": CONTEXT_LENGTH,
        }
        for name in (NARRATOR, CLASSIFIER)
    ]
    return JSONResponse({"object": "list", "data": models})


async def _body(request: Request) -> object:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_BODY:
            raise BadRequest("The request is larger than 8 MiB.", status=413)
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON.") from None


def _answer(asked: ChatRequest) -> wire.Answer:
    prompt_tokens = wire.count_tokens(asked.messages)
    if prompt_tokens > CONTEXT_LENGTH:
        message = f"The messages are {prompt_tokens} tokens long; this model reads at most {CONTEXT_LENGTH}."
        raise BadRequest(message, "messages", "context_length_exceeded")
    text = _text(asked)
    pieces, reason = wire.cut(text, asked)
    # Same request, same answer: the id comes from both, not from a clock.
    whole = json.dumps([asked.model, asked.seed, [[m.role, m.text] for m in asked.messages], text])
    name = f"chatcmpl-demo-{hashlib.sha256(whole.encode('ascii')).hexdigest()[:24]}"
    return wire.Answer(name, _CREATED, asked.model, pieces, reason, prompt_tokens)


def _text(asked: ChatRequest) -> str:
    """Narrator and classifier are loaded with the first question, so that the start of the program need not wait."""
    if drafting.is_asked(asked.messages):
        return drafting.draft(asked.messages, asked.seed)
    if not asked.structured:
        from chat.demo.narrator import narrate
        from chat.demo.onward import go_on

        tell = go_on if asked.messages[-1].role == "assistant" else narrate
        return tell(asked.messages, asked.seed)
    from chat.demo.classifier import classify

    try:
        return classify(asked.messages, asked.schema)
    except (UnusableSchema, TypeError, AttributeError, KeyError, RecursionError) as reason:
        message = f"The schema cannot be answered: {reason}."
        raise BadRequest(message, "response_format", "invalid_json_schema") from reason


async def _stream(answer: wire.Answer, asked: ChatRequest, pieces_per_second: float) -> AsyncIterator[bytes]:
    yield wire.frame(wire.chunk(answer, {"role": "assistant", "content": ""}))
    pause = 0.0 if asked.structured or pieces_per_second <= 0 else 1 / pieces_per_second
    for piece in answer.pieces:
        await asyncio.sleep(pause)
        yield wire.frame(wire.chunk(answer, {"content": piece}))
    yield wire.frame(wire.chunk(answer, {}, answer.finish_reason))
    if asked.with_usage:
        yield wire.frame(wire.usage_chunk(answer))
    yield b"data: [DONE]\n\n"


async def _refused(_request: Request, reason: Exception) -> Response:
    if not isinstance(reason, BadRequest):
        raise reason
    payload = wire.error(reason.message, "invalid_request_error", reason.param, reason.code)
    return JSONResponse(payload, reason.status)


async def _no_such_address(request: Request, _reason: Exception) -> Response:
    message = f"There is no {request.method} {request.url.path[:80]} here."
    return JSONResponse(wire.error(message, "invalid_request_error", code="unknown_url"), 404)


async def _gone(_request: Request, _reason: Exception) -> Response:
    return Response(status_code=499)
