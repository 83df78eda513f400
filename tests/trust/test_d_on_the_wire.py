"""Cases 52 and 54 to 57 of the trust list, against the real program on a real socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from chat.engine.hub import STREAMS_MAX, Hub
from tests.support.server import Server
from tests.support.sse import EventStream
from tests.support.story import begin_story
from tests.support.wire import ask, parsed, raw


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(Path(tmp_path_factory.mktemp("wire")) / "data") as running:
        yield running


TITLES = (
    "a\r\nX-Evil: 1",
    'quote " and ; semicolon',
    "🙂 шторм",
    "x" * 300,
    "..",
    "CON",
    "\u202egpj.exe",
    "%0d%0aX-Evil: 1",
)


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("suffix", ["md", "json"])
def test_case_52_a_title_is_one_header_of_a_download(server: Server, title: str, suffix: str) -> None:
    chat = begin_story(server)
    server.request("POST", f"/chats/{chat}/rename", form={"title": title})
    answer = parsed(raw(server.port, _get(server, f"/chats/{chat}/transcript.{suffix}")))
    assert answer.status == 200
    assert "x-evil" not in answer.headers
    told = answer.headers["content-disposition"]
    assert told.startswith("attachment; filename")
    assert told.isascii()
    assert len(told) < 1000


def test_case_54_ten_thousand_ranges_of_a_file_are_no_work(server: Server) -> None:
    ranges = ",".join(f"{at}-{at + 1}" for at in range(4_000))
    began = time.monotonic()
    answer = ask(server.port, "GET", "/static/app.js", {"Range": f"bytes={ranges}"})
    assert answer.status in (200, 400, 416)
    assert len(answer.body) < 200_000
    assert time.monotonic() - began < 25
    huge = ",".join(f"{at}-{at + 1}" for at in range(10_000))
    assert ask(server.port, "GET", "/static/app.js", {"Range": f"bytes={huge}"}).status in (200, 400, 416)


def test_case_55_bodies_that_contradict_themselves_are_refused(server: Server) -> None:
    host = f"Host: 127.0.0.1:{server.port}\r\n"
    for lines in (
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 1e3\r\n",
        "X: " + "y" * 100_000 + "\r\n",
    ):
        answer = parsed(raw(server.port, f"POST /chats HTTP/1.1\r\n{host}{lines}\r\n0\r\n\r\n".encode()))
        assert 400 <= answer.status < 500
    assert server.request("GET", "/health").status == 200


def test_case_56_a_stream_too_many_ends_the_oldest_and_pages_still_load(server: Server) -> None:
    """They never read; the one opened last still hears, and a page comes as quickly as before."""
    chat = begin_story(server)
    request = _get(server, f"/chats/{chat}/events", "text/event-stream")
    lines = []
    for _ in range(STREAMS_MAX + 10):
        line = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        line.sendall(request)
        lines.append(line)
    with EventStream(f"{server.url}/chats/{chat}/events") as last:
        first = last.next()
        assert first
        assert first.event == "snapshot"
        assert server.request("GET", f"/chats/{chat}").status == 200
        oldest = lines[0]
        while part := oldest.recv(65536):
            if part.endswith(b"0\r\n\r\n"):
                break
        server.request("POST", f"/chats/{chat}/rename", form={"title": "Heard"})
        assert last.until("event", chat=chat)
    for line in lines:
        line.close()


def test_case_56_the_hub_keeps_no_more_streams_than_it_may() -> None:
    hub = Hub("e", lambda chat: {"head": 0})
    first, *rest = [hub.subscribe(["a"]) for _ in range(STREAMS_MAX)]
    assert not first.closed
    hub.subscribe(["a", "b"])
    assert first.closed
    assert not any(one.closed for one in rest)
    assert hub.subscriber_count() == STREAMS_MAX


@pytest.mark.parametrize(
    "last",
    [
        "-1",
        "abc",
        "other-{head}",
        "0",
        "x" * 500,
        "{epoch}-{future}",
        "{epoch}--1",
        "{epoch}-1e3",
        "{epoch}-",
    ],
)
def test_case_56_a_place_in_the_stream_that_is_none_begins_anew(server: Server, last: str) -> None:
    """Of another run of the program, of no number, or not reached yet although all else about it is right."""
    chat, head = begin_story(server), server.request("GET", "/health").json["head"]
    address = f"{server.url}/chats/{chat}/events"
    with EventStream(address) as stream:
        here = stream.next()
    assert here
    epoch = here.data["epoch"]
    claimed = last.format(epoch=epoch, head=head, future=head + 100_000)
    with EventStream(address, {"Last-Event-ID": claimed}) as stream:
        first = stream.next()
    assert first
    assert first.event == "snapshot"


def test_case_57_listeners_that_vanish_leave_nothing_behind_and_the_reply_is_stored(server: Server) -> None:
    chat = begin_story(server)
    told = server.request("POST", f"/chats/{chat}/turns", form={"prose": "Tell me a long story."}).json
    for _ in range(1_000):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
            line.sendall(_get(server, f"/chats/{chat}/events", "text/event-stream"))
            line.recv(64)
    until = time.monotonic() + 60
    while (last := server.request("GET", f"/chats/{chat}").json["turns"][-1])["status"] == "running":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert (last["id"], last["error"]) == (told["reply_id"], None)
    while _streams(server) and time.monotonic() < until:
        time.sleep(0.05)
    assert _streams(server) == 0


def _streams(server: Server) -> int:
    """How many streams the program says are open."""
    open_now: int = server.request("GET", "/health").json["listening_tabs"]
    return open_now


def _get(server: Server, path: str, accept: str = "*/*") -> bytes:
    lines = f"GET {quote(path, safe='/')} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAccept: {accept}\r\n"
    kept = "" if accept == "text/event-stream" else "Connection: close\r\n"
    return f"{lines}{kept}\r\n".encode()
