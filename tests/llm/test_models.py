"""The list of models, as servers really send it, and the probe that tries an endpoint out."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from chat.clock import Clock
from chat.errors import BadResponse, ProviderAuth, ProviderError, ProviderUnavailable, TimedOut
from chat.llm.calls import ClassifyRequest, Endpoint, ModelInfo
from chat.llm.gateway import Gateway
from chat.llm.probe import Weather
from tests.support.peer import Peer, Received
from tests.support.peer_acts import (
    Act,
    Answer,
    Raw,
    Redirect,
    Reply,
    Silence,
    Status,
    as_gemma,
    asked_for,
    json_body,
)

LISTS: dict[str, tuple[Any, list[ModelInfo]]] = {
    "openai": ({"object": "list", "data": [{"id": "a"}, {"id": "b"}]}, [ModelInfo("a"), ModelInfo("b")]),
    "openrouter": (
        {
            "data": [
                {
                    "id": "org/a",
                    "context_length": 131072,
                    "top_provider": {"context_length": 32768},
                    "pricing": {"prompt": "0.00000015", "completion": "0.0000006", "image": "0"},
                },
                {"id": "org/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
            ]
        },
        [
            ModelInfo("org/a", 32768, Decimal("0.00000015"), Decimal("0.0000006")),
            ModelInfo("org/auto"),
        ],
    ),
    "vllm": ({"data": [{"id": "a", "max_model_len": 4096}]}, [ModelInfo("a", 4096)]),
    "llama.cpp": (
        {"models": [{"name": "x"}], "data": [{"id": "a", "meta": {"n_ctx_train": 8192}}]},
        [ModelInfo("a", 8192)],
    ),
    "ollama": ({"models": [{"name": "llama3:8b", "model": "llama3:8b"}]}, [ModelInfo("llama3:8b")]),
    "a bare list": (["a", {"id": "b"}], [ModelInfo("a"), ModelInfo("b")]),
    "nulls and doubles": (
        {
            "data": [
                None,
                {"id": None},
                {"id": "a"},
                {"id": "a"},
                {"id": ""},
                7,
                {"id": "b", "context_length": "?"},
            ]
        },
        [ModelInfo("a"), ModelInfo("b")],
    ),
    "names that are no names": (
        {"data": [{"id": "x" * 300}, {"id": "a\nb"}, {"id": "<b>a</b>"}]},
        [ModelInfo("<b>a</b>")],
    ),
    "nothing": ({"data": []}, []),
}


@pytest.mark.parametrize(("body", "expected"), LISTS.values(), ids=LISTS.keys())
async def test_reads_the_list(
    body: Any, expected: list[ModelInfo], gateway: Gateway, peer: Peer, endpoint: Endpoint
) -> None:
    peer.script(json_body(body), on="/v1/models")
    assert await gateway.list_models(endpoint) == expected


async def test_reads_all_pages_of_a_server_that_pages(
    gateway: Gateway, peer: Peer, endpoint: Endpoint
) -> None:
    for page in (1, 2, 3):
        pagination = {"current_page": page, "total_pages": 3, "total_items": 6}
        models = [{"id": f"m{page}{letter}"} for letter in "ab"]
        peer.script(json_body({"data": models, "pagination": pagination}), on="/v1/models")
    assert [model.id for model in await gateway.list_models(endpoint)] == [
        "m1a",
        "m1b",
        "m2a",
        "m2b",
        "m3a",
        "m3b",
    ]
    assert ["page=2" in request.path for request in peer.requests] == [False, True, False]


async def test_a_server_that_refuses_paging_is_asked_without(
    gateway: Gateway, peer: Peer, endpoint: Endpoint
) -> None:
    peer.script(Status(422, {"detail": "unknown query"}), json_body({"data": [{"id": "a"}]}), on="/v1/models")
    assert await gateway.list_models(endpoint) == [ModelInfo("a")]
    assert peer.requests[1].path == "/v1/models"


async def test_a_hundred_thousand_names_are_cut(gateway: Gateway, peer: Peer, endpoint: Endpoint) -> None:
    peer.script(json_body({"data": [{"id": f"m{number}"} for number in range(100_000)]}), on="/v1/models")
    began = time.monotonic()
    assert len(await gateway.list_models(endpoint)) == 30_000
    assert time.monotonic() - began < 50


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (Status(401, {"error": "no"}), ProviderAuth),
        (Status(404, {"detail": "models are elsewhere"}), ProviderUnavailable),
        (Status(500, ""), ProviderUnavailable),
        (Redirect("http://127.0.0.1:9/v1/models"), ProviderUnavailable),
        (Raw([b"<html>hello</html>"], "text/html"), BadResponse),
        (json_body({"data": "none"}), BadResponse),
        (json_body(7), BadResponse),
        (Raw([b'{"data": [{"id": "a'], end="cut"), ProviderUnavailable),
    ],
)
async def test_a_list_that_cannot_be_had_says_why(
    act: Act, kind: type[ProviderError], gateway: Gateway, peer: Peer, endpoint: Endpoint
) -> None:
    peer.script(act, on="/v1/models")
    with pytest.raises(kind) as caught:
        await gateway.list_models(endpoint)
    assert caught.value.next_step
    assert "sk-canary" not in caught.value.message


@pytest.mark.parametrize("act", [Silence(), Silence(headers=True)])
async def test_a_list_that_does_not_come_is_waited_for_as_long_as_a_request_may_take(
    act: Act, peer: Peer, endpoint: Endpoint
) -> None:
    hurried = Gateway(Clock(), request_s=0.2)
    peer.script(act, on="/v1/models")
    with pytest.raises(TimedOut, match=r"0\.2 seconds"):
        await hurried.list_models(endpoint)
    await hurried.close()


def capable(received: Received) -> Act:
    if asked_for(received.body) == "prompt" and "JSON" not in received.text:
        return Reply("Hello there, traveller.", reasoning="Be kind.\nGreet.", pace_s=0.01)
    return Answer({"sky": "clear", "windy": False})


def picky(received: Received) -> Act:
    """Takes no response format and no tools, counts nothing, and chats when it should answer."""
    if asked_for(received.body) != "prompt":
        return Status(400, {"error": {"message": "response_format is not supported"}})
    return Reply("Hello.", usage=None)


async def test_the_probe_of_a_capable_server_finds_everything() -> None:
    gateway = Gateway(Clock())
    with Peer(default=capable, models=[{"id": "good", "context_length": 16384}, {"id": "other"}]) as peer:
        endpoint = Endpoint("peer", peer.base_url)
        probe = await gateway.probe(endpoint, "good")
        assert probe.ok
        assert [model.id for model in probe.models] == ["good", "other"]
        assert probe.context_length == 16384
        assert (probe.streams, probe.usage, probe.reasoning_field) == (True, True, "reasoning_content")
        assert probe.rungs == ("json_schema", "json_object", "tools", "prompt")
        assert all(finding.ok and finding.sentence.endswith(".") for finding in probe.findings)
        assert not any("0.0 seconds" in finding.sentence for finding in probe.findings)
        assert {finding.what for finding in probe.findings} == {
            "models",
            "context",
            "stream",
            "system",
            "usage",
            "reasoning",
            "structured",
        }
    await gateway.close()


async def test_the_probe_of_a_poor_server_says_what_is_missing_and_teaches_the_ladder() -> None:
    gateway = Gateway(Clock())
    with Peer(default=picky, models=[{"id": "poor"}]) as peer:
        endpoint = Endpoint("peer", peer.base_url)
        probe = await gateway.probe(endpoint, "")
        assert probe.model == "poor"
        assert probe.ok
        assert (probe.usage, probe.rungs, probe.context_length, probe.reasoning_field) == (
            False,
            (),
            None,
            None,
        )
        by_name = {finding.what: finding for finding in probe.findings}
        assert by_name["structured"].ok is False
        assert by_name["usage"].ok is None
    await gateway.close()


def writer_and_reader(received: Received) -> Act:
    """A model that can write and nothing else, and one that reads and knows no system role."""
    if received.body["model"] == "reader":
        return as_gemma(Answer({"sky": "clear", "windy": False}))
    return Reply("Hello there, traveller.")


async def test_where_one_model_writes_and_another_reads_each_sentence_names_the_one_it_is_about() -> None:
    gateway = Gateway(Clock())
    with Peer(default=writer_and_reader, models=[{"id": "writer", "context_length": 16384}]) as peer:
        endpoint = Endpoint("peer", peer.base_url)
        probe = await gateway.probe(endpoint, "writer", "reader")
        assert (probe.model, probe.reader, probe.rungs[0]) == ("writer", "reader", "json_schema")
        sentences = {finding.what: finding.sentence for finding in probe.findings if finding.what != "system"}
        assert sentences.pop("stream").startswith("writer replied ")
        assert sentences.pop("structured").startswith("reader can give answers that follow a JSON schema, ")
        assert sentences == {
            "models": "1 model can be chosen from.",
            "model": "reader is not in the list; some servers accept it all the same.",
            "context": "writer reads 16,384 tokens at once.",
            "usage": "writer counts its tokens.",
        }
        takes, folds = (finding.sentence for finding in probe.findings if finding.what == "system")
        assert takes == "writer takes a system message."
        assert folds.startswith("reader takes no system message; ")
        asked = len(peer.bodies())
        request = ClassifyRequest("weather", "reader", [{"role": "user", "content": "How is it?"}], Weather)
        assert (await gateway.classify(endpoint, request)).rung == "json_schema"
        assert len(peer.bodies()) == asked + 1, "what was found is kept for the one it was found with"
    await gateway.close()


async def test_a_model_that_reads_is_tried_though_the_one_that_writes_is_gone() -> None:
    def only_reads(received: Received) -> Act:
        missing = Status(404, {"error": {"message": "no such model"}})
        return missing if received.body["model"] == "writer" else writer_and_reader(received)

    gateway = Gateway(Clock())
    with Peer(default=only_reads, models=[{"id": "reader"}]) as peer:
        probe = await gateway.probe(Endpoint("peer", peer.base_url), "writer", "reader")
    by_name = {finding.what: finding for finding in probe.findings}
    assert (probe.ok, by_name["stream"].ok, by_name["structured"].ok) == (False, False, True)
    assert by_name["stream"].sentence.startswith("writer: peer has no model called writer.")
    await gateway.close()


async def test_after_a_probe_the_first_way_that_works_is_used_at_once() -> None:
    def by_words(received: Received) -> Act:
        return capable(received) if asked_for(received.body) == "prompt" else picky(received)

    gateway = Gateway(Clock())
    with Peer(default=by_words, models=[{"id": "m"}]) as peer:
        endpoint = Endpoint("peer", peer.base_url)
        assert (await gateway.probe(endpoint, "m")).rungs == ("prompt",)
        asked = len(peer.bodies())
        request = ClassifyRequest("weather", "m", [{"role": "user", "content": "How is it?"}], Weather)
        assert (await gateway.classify(endpoint, request)).rung == "prompt"
        assert len(peer.bodies()) == asked + 1
    await gateway.close()


@pytest.mark.parametrize("act", [Status(401, {"error": "no"}), Status(500, json.dumps({"error": "x"}))])
async def test_the_probe_of_a_server_that_refuses_raises_nothing_and_gives_the_reason(
    act: Act, gateway: Gateway, peer: Peer, endpoint: Endpoint
) -> None:
    peer.script(act, on="/v1/models")
    peer.script(act)
    probe = await gateway.probe(endpoint, "tiny")
    assert not probe.ok
    assert [(finding.what, finding.ok) for finding in probe.findings] == [
        ("models", False),
        ("context", None),
        ("stream", False),
    ]
    assert probe.rungs == ()


async def test_the_probe_of_nobody_says_so(gateway: Gateway) -> None:
    probe = await gateway.probe(Endpoint("gone", "http://127.0.0.1:9/v1"), "")
    assert not probe.ok
    assert "Nothing answers at gone" in probe.findings[0].sentence
    assert "no model to try" in probe.findings[-1].sentence
