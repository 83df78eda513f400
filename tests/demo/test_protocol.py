"""The demo speaks OpenAI's protocol closely enough that a client cannot tell it from a provider."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx2
import openai
import pytest

from chat.demo.wire import pieces_of
from tests.demo.client import TOKEN, Demo, written

SYSTEM = {"role": "system", "content": "You are Maren.\nPlace: Harbour wall\nTime: 19:05"}
HELLO = [SYSTEM, {"role": "user", "content": "Hello, I brought your lantern back."}]


def test_models_are_listed_with_their_context_length(demo: Demo) -> None:
    listed = demo.http.get("/models").json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["demo-narrator", "demo-classifier"]
    assert all(model["context_length"] > 8000 and model["object"] == "model" for model in listed["data"])


def test_a_whole_answer_has_the_shape_of_a_completion(demo: Demo) -> None:
    answer = demo.ask(HELLO).json()
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "demo-narrator"
    assert answer["system_fingerprint"].startswith("demo-")
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["role"] == "assistant"
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] == len(pieces_of(choice["message"]["content"]))


def test_the_stream_joins_to_the_text_that_is_not_streamed(demo: Demo) -> None:
    chunks = demo.chunks(HELLO, seed=7)
    assert written(chunks) == demo.reply(HELLO, seed=7)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks[:-1])
    assert not any("usage" in chunk for chunk in chunks)


def test_usage_comes_last_with_empty_choices_when_it_is_asked_for(demo: Demo) -> None:
    chunks = demo.chunks(HELLO, stream_options={"include_usage": True})
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == demo.ask(HELLO).json()["usage"]


def test_the_openai_client_reads_both_forms(demo: Demo) -> None:
    with openai.OpenAI(base_url=demo.base_url, api_key=TOKEN, max_retries=0) as client:
        ask: dict[str, Any] = {"model": "demo-narrator", "messages": HELLO, "seed": 3}
        whole = client.chat.completions.create(**ask).choices[0].message.content
        stream = client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
        parts = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
        assert "".join(parts) == whole
        assert [model.id for model in client.models.list()] == ["demo-narrator", "demo-classifier"]


def test_the_text_survives_when_every_byte_arrives_alone(demo: Demo) -> None:
    messages = [SYSTEM, {"role": "user", "content": "Привет! 👩‍🚀 Ünïcödé, naïve café"}]
    body = json.dumps({"model": "demo-narrator", "messages": messages, "stream": True, "seed": 2}).encode()
    host, port = "127.0.0.1", int(demo.base_url.split(":")[2].split("/")[0])
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, port)) as line:
        line.sendall(head.encode() + body)
        raw = b""
        while byte := line.recv(1):
            raw += byte
    frames = [part for part in raw.split(b"data: ")[1:] if b"[DONE]" not in part]
    chunks = [json.loads(frame[: frame.rindex(b"}") + 1]) for frame in frames]
    assert written(chunks) == demo.reply(messages, seed=2)
    assert any(byte > 127 for byte in raw)


def test_no_wrong_or_missing_token_is_answered(demo: Demo) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
        for answer in (
            httpx2.get(f"{demo.base_url}/models", headers=headers),
            httpx2.post(f"{demo.base_url}/chat/completions", headers=headers, json={}),
        ):
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "invalid_api_key"


def test_a_foreign_host_is_refused_with_the_right_token_too(demo: Demo) -> None:
    for host in ("evil.example", "127.0.0.1:1", "localhost", "127.0.0.1"):
        answer = demo.http.get("/models", headers={"Host": host})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "wrong_host"


def test_max_tokens_ends_the_answer_and_says_so(demo: Demo) -> None:
    whole = demo.reply(HELLO, seed=5)
    for name in ("max_tokens", "max_completion_tokens"):
        answer = demo.ask(HELLO, seed=5, **{name: 6}).json()
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"]["completion_tokens"] == 6
        assert answer["choices"][0]["message"]["content"] == "".join(pieces_of(whole)[:6])
        assert demo.chunks(HELLO, seed=5, **{name: 6})[-1]["choices"][0]["finish_reason"] == "length"


def test_stop_words_end_the_answer_before_them(demo: Demo) -> None:
    whole = demo.reply(HELLO, seed=5)
    assert demo.reply(HELLO, seed=5, stop="\n\n") == whole.split("\n\n")[0]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"messages": HELLO}, 400, "model"),
        ({"model": "gpt-9", "messages": HELLO}, 404, "model"),
        ({"model": "demo-narrator"}, 400, "messages"),
        ({"model": "demo-narrator", "messages": []}, 400, "messages"),
        ({"model": "demo-narrator", "messages": ["hi"]}, 400, "messages[0].role"),
        ({"model": "demo-narrator", "messages": [{"role": "bard", "content": "x"}]}, 400, "messages[0].role"),
        ({"model": "demo-narrator", "messages": [{"role": "user"}]}, 400, "messages[0].content"),
        ({"model": "demo-narrator", "messages": HELLO, "max_tokens": 0}, 400, "max_tokens"),
        ({"model": "demo-narrator", "messages": HELLO, "max_tokens": "many"}, 400, "max_tokens"),
        ({"model": "demo-narrator", "messages": HELLO, "stream": "yes"}, 400, "stream"),
        ({"model": "demo-narrator", "messages": HELLO, "n": 2}, 400, "n"),
        ({"model": "demo-narrator", "messages": HELLO, "seed": 1.5}, 400, "seed"),
        ({"model": "demo-narrator", "messages": HELLO, "stop": 7}, 400, "stop"),
        (
            {"model": "demo-narrator", "messages": HELLO, "response_format": {"type": "xml"}},
            400,
            "response_format",
        ),
        (["not an object"], 400, None),
    ],
)
def test_a_malformed_request_is_told_what_is_wrong(
    demo: Demo, body: Any, status: int, param: str | None
) -> None:
    answer = demo.http.post("/chat/completions", json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".")


def test_what_is_not_json_and_what_is_nowhere_gets_an_error_object(demo: Demo) -> None:
    for body in (b"{", b"\xff\xfe", b"", b"[" * 100_000):
        answer = demo.http.post("/chat/completions", content=body)
        assert answer.status_code == 400
        assert "JSON" in answer.json()["error"]["message"]
    assert demo.http.get("/embeddings").json()["error"]["code"] == "unknown_url"
    assert demo.http.get("/chat/completions").json()["error"]["code"] == "unknown_url"
    assert demo.http.post("/chat/completions", content=b" " * 9_000_000).status_code == 413


def test_a_prompt_beyond_the_context_is_refused_as_providers_do(demo: Demo) -> None:
    answer = demo.ask([SYSTEM, {"role": "user", "content": "word " * 140_000}])
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"
