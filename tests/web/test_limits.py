"""Bodies and heads beyond reason, and what the refusals look like. Numbers are cases of the trust list."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from chat.web.limits import ClientGone, declared_length, take_body
from chat.web.refusals import BAD_LENGTH, TOO_SLOW
from chat.web.security import CONTENT_SECURITY_POLICY
from tests.support.walled import BODY_BYTES, FORM, World, own, post, small_app
from tests.support.wire import ask, parsed, raw, serving


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, World]]:
    world = World()
    with serving(small_app(world)) as port:
        yield port, world


@pytest.fixture
def port(served: tuple[int, World], world: World) -> int:
    return served[0]


@pytest.fixture
def world(served: tuple[int, World]) -> World:
    """Fresh for each test; the server is shared."""
    served[1].__init__()  # type: ignore[misc]
    return served[1]


def test_case_48_a_body_of_ten_megabytes_is_refused_with_a_sentence(port: int, world: World) -> None:
    answer = post(port, own(port, Accept="text/html"), b"prose=" + b"x" * 10_000_000)
    assert answer.status == 413
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "larger than 20 kB" in answer.text
    assert "still in the box" in answer.text
    assert world.calls == []
    assert post(port, own(port), b"prose=next").status == 200


def test_case_48_a_large_body_without_a_length_is_counted_as_it_comes(port: int, world: World) -> None:
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    headers = {**own(port), "Transfer-Encoding": "chunked"}
    assert post(port, headers, b"6\r\nprose=\r\n" + chunk * 2 + b"0\r\n\r\n").status == 413
    assert world.calls == []
    assert post(port, headers, b"6\r\nprose=\r\n" + chunk + b"0\r\n\r\n").status == 200
    assert world.posted == ["x" * 0x4000]


def test_a_script_gets_its_refusal_as_json_and_htmx_as_a_notice(port: int) -> None:
    large = b"prose=" + b"x" * BODY_BYTES
    answer = post(port, {"Accept": "application/json"}, large)
    assert json.loads(answer.body)["error"]["code"] == "too_large"
    fragment = post(port, {"HX-Request": "true", "Accept": "text/html"}, large)
    assert fragment.headers["hx-reswap"] == "none"
    assert 'hx-swap-oob="innerHTML:#notices"' in fragment.text


def test_case_46_a_declared_length_beyond_reason_is_refused_at_once(port: int, world: World) -> None:
    assert post(port, {"Content-Length": "200000000"}, b"prose=x").status == 413
    assert post(port, {"Content-Length": "1e3"}, b"prose=x").status == 400
    assert world.calls == []


@pytest.mark.parametrize(
    "head",
    [
        "X-Long: " + "x" * 100_000 + "\r\n",
        "".join(f"X-{number}: 1\r\n" for number in range(10_000)),
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
    ],
)
def test_case_55_heads_beyond_reason_are_refused(port: int, world: World, head: str) -> None:
    request = f"POST /chats/1/turns HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{head}\r\n0\r\n\r\n"
    answer = parsed(raw(port, request.encode()))
    assert answer.status == 400
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert world.calls == []
    assert ask(port, path="/" + "x" * 10_000).status == 400


def test_a_websocket_is_never_opened(port: int) -> None:
    wish = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "x",
        "Sec-WebSocket-Version": "13",
    }
    line = "".join(f"{name}: {value}\r\n" for name, value in wish.items())
    request = f"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{line}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 404")


def test_each_request_has_an_id_of_its_own(port: int, world: World) -> None:
    ask(port)
    ask(port)
    assert len(set(world.ids)) == 2


def saying(*messages: dict[str, Any]) -> Any:
    """A connection that says these things and then nothing more."""
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.sleep(60)
        return waiting.pop(0)

    return receive


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_case_46_a_body_that_trickles_is_given_up() -> None:
    assert await take_body(saying(part(b"p"), part(b"r")), 1000, within_s=0.05) == TOO_SLOW


async def test_a_body_comes_out_as_it_went_in() -> None:
    assert await take_body(saying(part(b"prose="), part(b""), part(b"x", more=False)), 7) == b"prose=x"


async def test_an_endless_body_is_not_read_for_ever() -> None:
    endless = [part(b"x" * 8_000_000)] * 20
    answer = await take_body(saying(*endless), 1000)
    assert not isinstance(answer, bytes)
    assert answer.status == 413


def test_a_length_that_is_no_number_is_refused() -> None:
    for value in (b"-1", b"1e3", b"", b" 5", b"9" * 30, "\u0665".encode()):
        assert declared_length(value, 1000) == BAD_LENGTH
    assert declared_length(b"5", 1000) is None
    assert declared_length(None, 1000) is None


async def through_the_wall(scope: dict[str, Any], receive: Any) -> tuple[World, list[dict[str, Any]]]:
    world, sent = World(), []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await small_app(world)(scope, receive, send)
    return world, sent


async def test_a_client_that_leaves_while_sending_reaches_no_handler() -> None:
    head = [
        (b"host", b"127.0.0.1"),
        (b"content-length", b"9"),
        (b"content-type", FORM["Content-Type"].encode()),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/chats/1/turns",
        "server": ("127.0.0.1", 80),
        "headers": head,
    }
    with pytest.raises(ClientGone):
        await take_body(saying({"type": "http.disconnect"}), 1000)
    world, sent = await through_the_wall(scope, saying(part(b"prose"), {"type": "http.disconnect"}))
    assert (world.calls, sent) == ([], [])


async def test_a_websocket_is_closed_and_start_and_stop_pass() -> None:
    _, sent = await through_the_wall({"type": "websocket", "path": "/"}, saying())
    assert sent == [{"type": "websocket.close", "code": 1008}]
    lifespan = saying({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    _, sent = await through_the_wall({"type": "lifespan", "state": {}}, lifespan)
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
