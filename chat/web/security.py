"""The wall around the program: every request passes here first, static files and streams included.

Listening on 127.0.0.1 is no protection, since any web page can make the browser send requests there. So the
Host must be ours (name and port), whoever acts must be our own page or no browser at all, and no answer may
be framed, sniffed, cached or read by another site. Nothing a client says about proxies or methods is heeded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat.observe import get_logger, logged_as, metrics
from chat.web import refusals
from chat.web.limits import ClientGone, declared_length, given_back, take_body
from chat.web.refusals import Refusal, refuse

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_NO_STORE = (b"cache-control", b"no-store")
_OURS_ALONE = frozenset(name for name, _ in SECURITY_HEADERS)
_NAMES = (b"127.0.0.1", b"localhost", b"[::1]")
_HTTP_PORT = 80
_SAFE = frozenset({"GET", "HEAD"})
_METHODS = _SAFE | {"POST", "PUT", "PATCH", "DELETE"}
_FORM, _UPLOAD = b"application/x-www-form-urlencoded", b"multipart/form-data"
_BODY_TYPES = frozenset({_FORM, b"application/json"})
_JSON_BEGINS = (b"{", b"[", b'"')
"""No form begins so: browsers and libraries write these as percent and digits."""
_FRAMES = frozenset({b"iframe", b"frame", b"embed", b"object", b"fencedframe"})
_READ = frozenset(
    {
        b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest", b"content-type",
        b"content-length", b"transfer-encoding",
    }
)  # fmt: skip
_STATIC = "/static/"
_KEPT = (_STATIC, "/media/")
"""Only what stands under these may be kept by a browser: its name says what it holds."""
UPLOAD_BYTES = 12_000_000
_UPLOADS = ("/portrait",)
"""Addresses that take a file, and how large a form with one may be."""
log = get_logger(__name__)


class Request(NamedTuple):
    """What decides about a request. `doubled` holds the names that came more than once."""

    method: str
    path: str
    port: int | None
    headers: dict[bytes, bytes]
    doubled: frozenset[bytes]
    odd_target: bool

    @property
    def acts(self) -> bool:
        return self.method not in _SAFE

    @property
    def is_stream(self) -> bool:
        return self.path.endswith("/events")

    @property
    def has_body(self) -> bool:
        return self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers

    @property
    def takes_file(self) -> bool:
        return self.path.endswith(_UPLOADS)

    @property
    def kind(self) -> bytes:
        """What the body is said to be."""
        return self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()

    @property
    def from_elsewhere(self) -> bool:
        """A browser says that another site, or another program on this machine, made it ask."""
        return self.headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin")


class SecurityMiddleware:
    """Pure ASGI, wrapped around the whole app: what FastAPI's own error page sends must pass here too.

    `new_id` mints the correlation id that stands on every log line of the request.
    """

    def __init__(self, app: ASGIApp, *, body_bytes: int, new_id: Callable[[], str]) -> None:
        self._app, self._body_bytes, self._new_id = app, body_bytes, new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _read(scope)
        sealed = _sealed(send, keeps_cache=request.path.startswith(_KEPT))
        limit_bytes = UPLOAD_BYTES if request.takes_file else self._body_bytes
        refusal = _first_objection(request) or declared_length(
            request.headers.get(b"content-length"), limit_bytes
        )
        if refusal is None and request.acts and request.has_body:
            try:
                body = await take_body(receive, limit_bytes)
            except ClientGone:
                return
            refusal = body if isinstance(body, Refusal) else _body_objection(request, body)
            receive = given_back(body, receive) if isinstance(body, bytes) else receive
        if refusal is not None:
            if request.takes_file and refusal.reason == refusals.FILE_TOO_LARGE.reason:
                refusal = refusals.FILE_TOO_LARGE
            await _turn_away(refusal, request, scope, sealed)
            return
        correlation_id = self._new_id()
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        with logged_as(correlation_id=correlation_id):
            answer = _pages_only(request, scope, sealed) if request.from_elsewhere else sealed
            await self._app(scope, receive, answer)


def _read(scope: Scope) -> Request:
    headers: dict[bytes, bytes] = {}
    doubled: set[bytes] = set()
    for name, value in scope["headers"]:
        if name in _READ:
            if name in headers:
                doubled.add(name)
            headers[name] = value
    server = scope.get("server")
    path = scope["path"]
    odd = path[:1] != "/" or path[:2] == "//" or scope.get("state", {}).get("odd_target", False)
    return Request(scope["method"], path, server[1] if server else None, headers, frozenset(doubled), odd)


def _first_objection(request: Request) -> Refusal | None:
    """Why the request is refused, looking at the head alone; None lets it pass."""
    objection = _target_objection(request)
    if objection is None and request.method not in _METHODS:
        objection = refusals.BAD_METHOD
    return objection or _origin_objection(request) or _type_objection(request)


def _target_objection(request: Request) -> Refusal | None:
    if request.odd_target:
        return refusals.BAD_TARGET
    if request.doubled or not request.headers.get(b"host"):
        return refusals.NO_HOST
    return None if _is_our_host(request.headers[b"host"], request.port) else refusals.FOREIGN_HOST


def _is_our_host(host: bytes, port: int | None) -> bool:
    """Exactly a name of this machine and the port the connection really came in on."""
    name, colon, digits = host.rpartition(b":")
    if not colon or host.endswith(b"]"):
        return host in _NAMES and port == _HTTP_PORT
    return name.lower() in _NAMES and port is not None and digits == b"%d" % port


def _origin_objection(request: Request) -> Refusal | None:
    """No answer and no action for another site; our own pages, typed addresses and scripts pass."""
    headers = request.headers
    if headers.get(b"sec-fetch-dest") in _FRAMES:
        return refusals.FRAMED
    site = headers.get(b"sec-fetch-site")
    if not _is_own_origin(headers, site):
        return refusals.FOREIGN_ORIGIN
    if site is None or site == b"same-origin" or (site == b"none" and not request.acts):
        return None
    opens_a_page = (
        headers.get(b"sec-fetch-mode") == b"navigate"
        and headers.get(b"sec-fetch-dest") == b"document"
        and not request.path.startswith(_STATIC)
    )
    if request.acts or request.is_stream or not opens_a_page:
        return refusals.FOREIGN_ORIGIN
    return None


def _is_own_origin(headers: dict[bytes, bytes], site: bytes | None) -> bool:
    """Our referrer policy makes browsers write `null` for our own forms; then Sec-Fetch-Site vouches."""
    origin = headers.get(b"origin")
    if origin is None or origin == b"http://" + headers[b"host"]:
        return True
    return origin == b"null" and site == b"same-origin"


def _type_objection(request: Request) -> Refusal | None:
    """Anything a plain form elsewhere could send as another type (text/plain above all) stays outside.

    It is refused here and not where a body is read: an action that needs no field would not look at one.
    """
    if not (request.acts and request.has_body):
        return None
    is_read = request.kind in _BODY_TYPES or (request.takes_file and request.kind == _UPLOAD)
    return None if is_read else refusals.BAD_TYPE


def _body_objection(request: Request, body: bytes) -> Refusal | None:
    """JSON under the name of a form: read as one, it would be a form without a field."""
    is_json = request.kind == _FORM and body.lstrip().startswith(_JSON_BEGINS)
    return refusals.BAD_TYPE if is_json else None


def _sealed(send: Send, *, keeps_cache: bool) -> Send:
    """Adds the headers every answer carries; the chunks after the start pass untouched."""

    async def sealed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": _with_seal(message.get("headers", ()), keeps_cache)}
        await send(message)

    return sealed


def _with_seal(headers: Iterable[tuple[bytes, bytes]], keeps_cache: bool) -> list[tuple[bytes, bytes]]:
    kept: list[tuple[bytes, bytes]] = []
    cached = False
    for name, value in headers:
        low = name.lower()
        if low in _OURS_ALONE or low.startswith(b"access-control-"):
            continue
        if low == b"cache-control":
            if not keeps_cache:
                continue
            cached = True
        kept.append((name, value))
    return [*kept, *SECURITY_HEADERS] if cached else [*kept, *SECURITY_HEADERS, _NO_STORE]


def _pages_only(request: Request, scope: Scope, send: Send) -> Send:
    """A link from elsewhere may open a page, but not fetch data or files."""
    turned_away = False

    async def pages_only(message: Message) -> None:
        nonlocal turned_away
        if turned_away:
            return
        if message["type"] == "http.response.start" and not _is_page(message):
            turned_away = True
            await _turn_away(refusals.NOT_A_PAGE, request, scope, send)
            return
        await send(message)

    return pages_only


def _is_page(start: Message) -> bool:
    kinds = [value for name, value in start.get("headers", ()) if name.lower() == b"content-type"]
    return 300 <= start["status"] < 400 or any(kind.startswith(b"text/html") for kind in kinds)


async def _turn_away(refusal: Refusal, request: Request, scope: Scope, send: Send) -> None:
    metrics.REFUSED_REQUESTS.add(refusal.reason)
    log.info("a request was refused", reason=refusal.reason, method=request.method, status=refusal.status)
    await refuse(refusal, scope, send)
