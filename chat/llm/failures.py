"""Turns what a server or the network did into one of our errors: a sentence for the player and a next step.

The server's own words are quoted at most 300 characters long, as plain text, and never with the key in them.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from chat.errors import (
    ContextTooLong,
    InvalidRequest,
    ModelLoading,
    ModelNotFound,
    ProviderAuth,
    ProviderBusy,
    ProviderError,
    ProviderPayment,
    ProviderRateLimited,
    ProviderUnavailable,
    WrongAddress,
)
from chat.llm.calls import Endpoint

_QUOTED = 300
_ENDS = (".", "!", "?", "…", "。", "！", "？")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
RETRY_AFTER_CAP_S = 600.0
_CONTEXT_CODES = {"context_length_exceeded", "exceed_context_size_error", "context_window_exceeded"}
_CONTEXT_WORDS = re.compile(
    r"context (length|size|window)|maximum context|context_length|too many tokens|prompt is too long"
    r"|(input|prompt)[^.]{0,60}(exceeds|longer than|too (long|large))|max_seq_len|n_ctx",
    re.IGNORECASE,
)
_LOADING_WORDS = re.compile(
    r"loading model|cold (start|model)"
    r"|model[^.]{0,40}(is )?(currently )?(loading|being loaded|warming|cold|not ready)",
    re.IGNORECASE,
)
_MODEL_WORDS = re.compile(r"model", re.IGNORECASE)
_QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"}


class ServerSaid(NamedTuple):
    """What could be read out of an error: words for the player, and the marks meant for machines."""

    words: str
    code: str = ""
    param: str = ""
    status: int | None = None


def redact(text: str, endpoint: Endpoint) -> str:
    """The text without the key in any form a server might echo: whole, encoded, or its beginning."""
    key = endpoint.secret
    if len(key) >= 4:
        for form in (key, quote(key, safe=""), base64.b64encode(key.encode()).decode()):
            text = text.replace(form, "[key]")
    if len(key) >= 12:
        text = re.sub(re.escape(key[:8]) + r"\S*", "[key]", text)
    return re.sub(r"(?i)(bearer\s+)[^\s\"',]+", r"\1[key]", text)


def quoted(text: str, endpoint: Endpoint) -> str:
    """One line of plain text, capped; a page of HTML is not worth quoting."""
    if "<html" in text[:2000].lower() or "<!doctype" in text[:2000].lower():
        return ""
    line = " ".join(_UNPRINTABLE.sub(" ", text[:5000]).split())
    line = redact(line, endpoint)
    return line if len(line) <= _QUOTED else line[: _QUOTED - 1] + "…"


def quoting(sentence: str, words: str) -> str:
    """The sentence with the server's own words behind it, which end as a sentence does: another one follows them."""
    return f"{sentence} It said: {words}" + ("" if words.endswith(_ENDS) else ".")


def read_error(value: Any) -> ServerSaid:
    """Reads the error objects known in the wild, at any of their depths."""
    if isinstance(value, str):
        return ServerSaid(value)
    if isinstance(value, list):
        return read_error(value[0]) if value else ServerSaid("")
    if not isinstance(value, dict):
        return ServerSaid("")
    for key in ("error", "detail"):
        inner = value.get(key)
        if isinstance(inner, dict | list) or (isinstance(inner, str) and "message" not in value):
            return read_error(inner)
    code, status = _code(value)
    words = str(value.get("message") or value.get("msg") or value.get("type") or "")
    return ServerSaid(words, code, str(value.get("param") or ""), status)


def _code(value: Mapping[str, Any]) -> tuple[str, int | None]:
    code = value.get("code")
    status = None
    if isinstance(code, int | str) and str(code).isdigit() and 400 <= int(code) < 600:
        status, code = int(code), None
    marks = " ".join(str(mark).lower() for mark in (code, value.get("type")) if mark)
    return marks, status


def read_body(body: bytes) -> ServerSaid:
    try:
        return read_error(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ServerSaid(body.decode("utf-8", "replace"))


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header, a number or a date, at most ten minutes; None for anything else."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
        seconds = max(seconds, 0.0)
    return min(seconds, RETRY_AFTER_CAP_S) if seconds >= 0 else None


def status_failure(
    status: int, said: ServerSaid, endpoint: Endpoint, model: str, retry_after: float | None = None
) -> ProviderError:
    """The error for an HTTP status, or for an error object that names one."""
    words = quoted(said.words, endpoint)
    kind, sentence, next_step = _judge(status, said, endpoint, model)
    if words:
        sentence = quoting(sentence, words)
    return kind(sentence, next_step, status=status, retry_after_s=retry_after)


_Verdict = tuple[type[ProviderError], str, str]


def _judge(status: int, said: ServerSaid, endpoint: Endpoint, model: str) -> _Verdict:
    return _by_words(status, said, endpoint.name, model) or _by_status(status, said, endpoint.name, model)


def _by_words(status: int, said: ServerSaid, name: str, model: str) -> _Verdict | None:
    if status in (400, 413, 422, 500) and _is_context(said):
        return ContextTooLong, f"The story so far is longer than {model} at {name} can read at once.", ""
    if status in (400, 404, 425, 500, 503) and _LOADING_WORDS.search(said.words):
        return ModelLoading, f"{name} is still loading {model}.", ""
    if status == 429 and set(said.code.split()) & _QUOTA_CODES:
        return ProviderPayment, f"The account at {name} has no credit left.", ""
    return None


def _by_status(status: int, said: ServerSaid, name: str, model: str) -> _Verdict:
    if status in _BY_STATUS:
        kind, sentence, next_step = _BY_STATUS[status]
        return kind, sentence.format(name=name, status=status), next_step
    if status in (404, 405):
        return _not_found(status, said, name, model)
    if 300 <= status < 400:
        return WrongAddress, f"{name} points to another address; it was not followed.", ""
    if status >= 500:
        return ProviderUnavailable, f"{name} failed ({status}).", _FAILED_STEP
    return InvalidRequest, f"{name} refused the request ({status}).", ""


_FAILED_STEP = "Retry; if it fails again, look into the server's own log or choose another model in Settings."
_BY_STATUS: dict[int, _Verdict] = {
    401: (ProviderAuth, "{name} did not accept the key (401).", ""),
    403: (
        ProviderAuth,
        "{name} does not allow this (403).",
        "Check the key in Settings and whether the account may use this model, then retry.",
    ),
    402: (ProviderPayment, "{name} wants to be paid first (402).", ""),
    408: (ProviderUnavailable, "{name} gave up waiting (408).", "Retry."),
    413: (
        ContextTooLong,
        "{name} says the request is too large (413).",
        "",
    ),
    429: (ProviderRateLimited, "{name} has had too many requests just now (429).", ""),
    503: (ProviderBusy, "{name} has no room just now (503).", ""),
    529: (ProviderBusy, "{name} has no room just now (529).", ""),
}


def _is_context(said: ServerSaid) -> bool:
    return bool(set(said.code.split()) & _CONTEXT_CODES or _CONTEXT_WORDS.search(said.words))


def _not_found(status: int, said: ServerSaid, name: str, model: str) -> _Verdict:
    if model and (_MODEL_WORDS.search(said.words) or "model_not_found" in said.code):
        return ModelNotFound, f"{name} has no model called {model}.", ""
    sentence = f"{name} does not know this address ({status})."
    return WrongAddress, sentence, ""


def stream_failure(error: Any, endpoint: Endpoint, model: str) -> ProviderError:
    """The error for an error object that came inside a stream, at HTTP 200."""
    said = read_error(error)
    if said.status is not None or _is_context(said) or _LOADING_WORDS.search(said.words):
        return status_failure(said.status or 400, said, endpoint, model)
    if set(said.code.split()) & _QUOTA_CODES:
        return status_failure(402, said, endpoint, model)
    if "rate_limit" in said.code:
        return status_failure(429, said, endpoint, model)
    words = quoted(said.words, endpoint)
    sentence = f"{endpoint.name} reported an error while it was writing."
    return ProviderUnavailable(quoting(sentence, words) if words else sentence)


def network_failure(error: BaseException, endpoint: Endpoint) -> ProviderError:
    """The error for a connection that could not be made or did not last; `retry_after_s` 0 if it only broke."""
    causes = list(_causes(error))
    host = urlsplit(endpoint.base_url).hostname or endpoint.name
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLError):
            reason = (
                getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "handshake failed"
            )
            return ProviderUnavailable(
                f"The secure connection to {host} could not be trusted ({reason}).",
                "Check the address in Settings; a local server usually wants http instead of https.",
            )
        if isinstance(cause, socket.gaierror):
            return WrongAddress(
                f"No computer called {host} could be found.",
                "Check the address of the server in Settings and your network, then retry.",
            )
        if isinstance(cause, ConnectionRefusedError):
            return ProviderUnavailable(f"Nothing answers at {endpoint.name}.")
    if any("timeout" in type(cause).__name__.lower() for cause in causes):
        return ProviderUnavailable(f"{endpoint.name} could not be reached in time.")
    return ProviderUnavailable(f"The connection to {endpoint.name} was lost.", retry_after_s=0.0)


def _causes(error: BaseException | None) -> Any:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
