"""What goes wrong, as an answer: a page, a notice for htmx, or JSON, always with the sentence and the next step.

Nothing about the inside of the program leaves it: an unexpected error is a number that stands in the log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat import errors
from chat.errors import ChatError
from chat.observe import get_logger
from chat.web.forms import typed_before
from chat.web.pages import engine_of, html_response, is_htmx, json_response, page, wants_json

log = get_logger(__name__)

STATUS: dict[type[ChatError], int] = {
    ChatError: 500,
    errors.Refused: 422,
    errors.TextTooLong: 413,
    errors.DoesNotFit: 413,
    errors.NotFound: 404,
    errors.Stale: 409,
    errors.TurnRunning: 409,
    errors.BackupRunning: 409,
    errors.StoreError: 503,
    errors.StoreFull: 507,
    errors.ProviderError: 502,
    errors.TimedOut: 504,
    errors.BudgetExceeded: 402,
    errors.CircuitOpen: 503,
}
"""The nearest class in the tree decides."""

_HTTP: dict[int, tuple[str, str]] = {
    400: ("The request could not be read.", "Go back and try again."),
    403: ("This request is not allowed.", "Open the page from this program and try again."),
    404: ("There is nothing at this address.", "Go back to the list and choose again."),
    405: ("This address cannot be used that way.", "Go back to the page and use its buttons."),
    413: ("What was sent is too large; nothing was changed.", "Shorten it and send it again."),
    415: ("This address takes a form or a JSON object.", "Send it with the matching content type."),
}
_NOT_WRITTEN = re.compile(
    r"api_key|password|idempotency_key|.*_id|seen_.*|(moved|chat-).*|(.*_)?is_.*|revision|version|restore|release|keep"
    r"|action|back|stop|go_on|step|turn|branch|pinned|asks_who|theme|remove"
)
"""Fields of forms in which nobody writes, and those whose text is shown nowhere."""
_UNEXPECTED = "Something in this program went wrong; your story is as it was before."


class Offer(NamedTuple):
    """One button that helps: what it posts to, and what stands on it. `stops` a running reply first.

    `fields` are what was sent before and is sent again with it. `form` is the id of a form elsewhere on the page
    that it sends; one that `is_link` only leads there.
    """

    address: str
    label: str
    stops: bool = False
    form: str = ""
    is_link: bool = False
    fields: Mapping[str, str] = {}


class Notice(msgspec.Struct, frozen=True):
    """A message on a page. `tone` is error or plain; `field` names a form field that was refused.

    `means` says what it means for the story; `wait_s` is there where waiting helps.

    One that `blocks` has to be dismissed first: the database could not take what was done. One that `is_passing` goes
    by itself after a while.
    """

    message: str
    next_step: str = ""
    tone: str = "error"
    code: str = ""
    field: str = ""
    incident: str = ""
    blocks: bool = False
    offer: Offer | None = None
    is_passing: bool = False
    means: str = ""
    wait_s: int | None = None

    @classmethod
    def of(cls, error: ChatError, offer: Offer | None = None) -> Notice:
        field = getattr(error, "field", "")
        blocks = isinstance(error, errors.StoreError)
        return cls(error.message, error.next_step, code=error.code, field=field, blocks=blocks, offer=offer)


def status_of(error: ChatError) -> int:
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def details(error: ChatError) -> dict[str, Any]:
    """The error as JSON, with the data of its kind that are safe to show."""
    extra = {
        name: value
        for name in ("turn_id", "field", "retry_after_s")
        if (value := getattr(error, name, None)) not in (None, "")
    }
    return {"code": error.code, "message": error.message, "next_step": error.next_step, **extra}


async def answer(
    request: Request, notice: Notice, status: int, error: dict[str, Any] | None = None
) -> Response:
    """A refusal in the form the request asks for."""
    if wants_json(request):
        plain = {"code": notice.code, "message": notice.message, "next_step": notice.next_step}
        return json_response({"error": error or plain}, status)
    if is_htmx(request):
        return fragment(request, notice, status)
    view = {"notice": notice, "status_code": status, "typed": _typed(request)}
    try:
        return await page(request, "pages/error.html", view, status=status)
    except ChatError:  # not even the rail can be read
        return await page(request, "pages/error.html", view, status=status, with_rail=False)


def _typed(request: Request) -> str:
    """What was written in the form that is refused, to be copied from the page; empty where nothing was."""
    written = {
        name: text
        for name, text in typed_before(request).items()
        if text.strip() and not _NOT_WRITTEN.fullmatch(name)
    }
    if len(written) == 1:
        return next(iter(written.values()))
    return "\n\n".join(f"{name.replace('_', ' ').capitalize()}: {text}" for name, text in written.items())


def fragment(request: Request, notice: Notice, status: int) -> Response:
    """The notice alone, out of band: whatever was to be swapped stays as it is."""
    env = request.app.state.templates
    html = env.get_template("parts/_error_fragment.html").render(notice=notice)
    response = html_response(request, html, status=status)
    response.headers["HX-Reswap"] = "none"
    return response


def install(app: FastAPI) -> None:
    """Handlers for everything a route may raise. `Unexpected` stands inside the wall, so its page is sealed too."""
    app.add_exception_handler(ChatError, _on_chat_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_unreadable)
    app.add_middleware(Unexpected)


class Unexpected:
    """Pure ASGI. Turns an error nobody foresaw into a page with a number, unless an answer has begun already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            response = await _on_unexpected(Request(scope, receive), error)
            await response(scope, receive, send)


async def _on_chat_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChatError)
    error = _as_far_as_known(request, error)
    status = status_of(error)
    if status >= 500:
        log.error("a request failed", code=error.code, exc_info=error)
    return await answer(request, Notice.of(error), status, details(error))


def _as_far_as_known(request: Request, error: ChatError) -> ChatError:
    """Where the log cannot be read nobody knows what there is, and nothing is said not to be there but a backup."""
    store = engine_of(request).store
    is_read = store.fault is None or bool(store.library.people)
    if is_read or not isinstance(error, errors.NotFound) or request.url.path.startswith("/backups"):
        return error
    return store.fault or error


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message, next_step = _HTTP.get(error.status_code, ("The request was refused.", "Go back and try again."))
    notice = Notice(message, next_step, code=f"http_{error.status_code}")
    return await answer(request, notice, error.status_code)


async def _on_unreadable(request: Request, error: Exception) -> Response:
    notice = Notice("Part of the address cannot be read.", "Go back and follow a link.", code="http_422")
    return await answer(request, notice, 422)


async def _on_unexpected(request: Request, error: Exception) -> Response:
    incident = engine_of(request).clock.new_id()
    log.error("something unexpected happened", incident=incident, exc_info=error)
    next_step = "Try again; if it happens again, look for the incident in the log."
    return await answer(request, Notice(_UNEXPECTED, next_step, code="unexpected", incident=incident), 500)
