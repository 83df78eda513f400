"""The demo's listener: really up after start, paced for reading, gone after stop."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from statistics import median

import httpx2
import pytest

from chat.demo.server import DemoServer

MESSAGES = [{"role": "user", "content": "Hello there, keeper."}]
WORDS = 40
BODY = {"model": "demo-narrator", "messages": MESSAGES, "stream": True}


def test_start_returns_an_address_that_answers_and_stop_closes_it() -> None:
    server = DemoServer("t", pieces_per_second=0)
    url = server.start()
    assert server.start() == url == server.base_url
    assert httpx2.get(f"{url}/models", headers={"Authorization": "Bearer t"}).status_code == 200
    server.stop()
    server.stop()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{url}/models")
    assert not any(thread.name == "demo-model" for thread in threading.enumerate())


def test_a_stopped_server_starts_again() -> None:
    server = DemoServer("t", pieces_per_second=0)
    server.start()
    server.stop()
    url = server.start()
    assert httpx2.get(f"{url}/models", headers={"Authorization": "Bearer t"}).status_code == 200
    server.stop()


def test_two_servers_live_side_by_side_and_know_only_their_own_token() -> None:
    one, two = DemoServer("one", 0), DemoServer("two", 0)
    first, second = one.start(), two.start()
    try:
        assert first != second
        assert httpx2.get(f"{second}/models", headers={"Authorization": "Bearer one"}).status_code == 401
        assert httpx2.get(f"{first}/models", headers={"Authorization": "Bearer one"}).status_code == 200
    finally:
        one.stop()
        two.stop()


def test_words_come_at_a_pace_one_can_read() -> None:
    """A pause of the machine makes one gap long, and may let words come together, but not all of them sooner."""
    server = DemoServer("t")
    url = server.start()
    came: list[float] = []
    try:
        body = {**BODY, "max_tokens": WORDS}
        asked = time.monotonic()
        with httpx2.stream(
            "POST", f"{url}/chat/completions", json=body, headers={"Authorization": "Bearer t"}
        ) as answer:
            for line in answer.iter_lines():
                if '"content": "' in line and '"role"' not in line:
                    came.append(time.monotonic())
    finally:
        server.stop()
    assert len(came) == WORDS
    assert came[-1] - asked > (WORDS - 1) / 42
    assert median(later - earlier for earlier, later in pairwise(came)) < 1 / 10


def test_stop_ends_a_running_stream_within_seconds() -> None:
    server = DemoServer("t", pieces_per_second=2)
    url = server.start()
    with httpx2.stream(
        "POST", f"{url}/chat/completions", json=BODY, headers={"Authorization": "Bearer t"}
    ) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 40
    assert not any(thread.name == "demo-model" for thread in threading.enumerate())


def test_a_client_that_leaves_does_not_disturb_the_next() -> None:
    server = DemoServer("t", pieces_per_second=20)
    url = server.start()
    headers = {"Authorization": "Bearer t"}
    try:
        for _ in range(3):
            with httpx2.stream("POST", f"{url}/chat/completions", json=BODY, headers=headers) as answer:
                next(answer.iter_lines())
        whole = httpx2.post(f"{url}/chat/completions", json={**BODY, "stream": False}, headers=headers)
        assert whole.json()["choices"][0]["finish_reason"] == "stop"
    finally:
        server.stop()
