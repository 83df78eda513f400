"""The scripted peer itself: what other tests rely on."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.support.peer import Peer, Unscripted, echo
from tests.support.peer_acts import Answer, Reply, Status


def post(peer: Peer, **body: Any) -> str:
    data = json.dumps({"messages": [{"role": "user", "content": "hi"}], **body}).encode()
    request = urllib.request.Request(f"{peer.base_url}/chat/completions", data, {"X-Test": "1"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(response.read().decode())


def test_acts_are_played_in_order_and_requests_recorded() -> None:
    with Peer() as peer:
        peer.script(Reply("first"), Reply("second", stream=False))
        assert "first" in post(peer, model="a")
        assert json.loads(post(peer, model="b"))["choices"][0]["message"]["content"] == "second"
        assert [request.body["model"] for request in peer.requests] == ["a", "b"]
        assert peer.requests[0].headers["x-test"] == "1"
        assert peer.requests[0].text == "hi"
        assert peer.wait_until(lambda: all(request.finished for request in peer.requests))


def test_structured_requests_are_scripted_by_their_schemas_name() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "Digest", "schema": {}}}
    with Peer(default=Reply("prose")) as peer:
        peer.script(Answer({"a": 1}), on="Digest")
        assert "prose" in post(peer)
        answer = post(peer, response_format=schema)
        assert '{\\"a\\": 1' in answer.replace('"}, "finish', "")
        assert "prose" in post(peer, response_format=schema), "used up"


def test_a_function_may_answer_what_nobody_scripted() -> None:
    with Peer(default=echo) as peer:
        reply = post(peer)
        assert '" said:"' in reply
        assert '" hi"' in reply


def test_what_nobody_scripted_is_an_error_when_the_peer_closes() -> None:
    with pytest.raises(Unscripted, match=r"POST /v1/chat/completions \(prose\)"):
        ask_an_unscripted_peer()


def ask_an_unscripted_peer() -> None:
    with Peer() as peer:
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(peer)
        refused.value.close()


def test_two_peers_know_nothing_of_each_other() -> None:
    with Peer(default=Reply("one")) as one, Peer(default=Reply("two")) as two:
        assert "one" in post(one)
        assert "two" in post(two)
        assert (len(one.requests), len(two.requests)) == (1, 1)


def test_it_closes_promptly_even_with_a_client_left_hanging() -> None:
    with Peer(default=Status(200, "x")) as peer:
        client = socket.create_connection(("127.0.0.1", peer.port))
        client.sendall(b"POST /half-a-request HTTP/1.1\r\n")
        time.sleep(0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 20
    client.close()
