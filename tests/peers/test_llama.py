"""The gateway against llama.cpp's own server: whole streams, usage, grammars, refusals, cancelling."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from chat.errors import ContextTooLong
from chat.llm.calls import ClassifyRequest, Endpoint, NarrateRequest
from chat.llm.gateway import Gateway

pytestmark = pytest.mark.peers


class Feeling(BaseModel):
    """Bounded, as a random model ends a string when it likes."""

    mood: Literal["calm", "angry", "glad"]
    trust: Literal["low", "high"]
    people: list[Literal["Mira", "Tomas"]] = Field(max_length=3)


def request(text: str = "Tell me about the lantern.", **fields: Any) -> NarrateRequest:
    usual: dict[str, Any] = {
        "model": "tiny",
        "messages": [{"role": "system", "content": "You are Mira."}, {"role": "user", "content": text}],
        "temperature": 0.9,
        "max_tokens": 120,
        "seed": 11,
        "first_token_s": 20.0,
        "between_tokens_s": 20.0,
        "total_s": 60.0,
    }
    return NarrateRequest(**(usual | fields))


async def tell(gateway: Gateway, llama: Endpoint, asked: NarrateRequest) -> str:
    narration = gateway.narrate(llama, asked)
    return "".join([piece.text async for piece in narration])


async def test_a_whole_reply_streams_in_with_honest_usage(gateway: Gateway, llama: Endpoint) -> None:
    await gateway.warm()
    narration = gateway.narrate(llama, request())
    pieces = [piece async for piece in narration]
    assert len(pieces) > 1
    assert "".join(piece.text for piece in pieces) == narration.text
    assert narration.text.strip()
    record = narration.record()
    assert (record.status, record.estimated) == ("ok", False)
    assert record.stop_cause in ("stop", "length")
    assert record.prompt_tokens > 10
    assert 5 < record.completion_tokens <= 120
    assert record.first_token_ms is not None
    assert record.request_id
    assert record.cost_nano_usd is None


async def test_the_same_seed_tells_the_same_story_and_another_seed_another(
    gateway: Gateway, llama: Endpoint
) -> None:
    first, again = await tell(gateway, llama, request()), await tell(gateway, llama, request())
    assert first == again
    assert await tell(gateway, llama, request(seed=12)) != first


async def test_a_reply_cut_by_its_length_says_so(gateway: Gateway, llama: Endpoint) -> None:
    narration = gateway.narrate(llama, request(max_tokens=3))
    assert [piece async for piece in narration]
    assert narration.record().stop_cause == "length"


async def test_a_grammar_makes_a_random_model_answer_in_shape(gateway: Gateway, llama: Endpoint) -> None:
    for seed in range(5):
        asked = ClassifyRequest(
            "digest",
            "tiny",
            [{"role": "user", "content": "How is Mira?"}],
            Feeling,
            seed=seed,
            temperature=1.0,
        )
        classified = await gateway.classify(llama, asked)
        assert classified.rung == "json_schema"
        assert isinstance(classified.answer, Feeling)
        assert not classified.defaulted
        assert classified.failures == ()
        assert len(classified.records) == 1


async def test_too_long_a_prompt_is_named_as_such(gateway: Gateway, llama: Endpoint) -> None:
    narration = gateway.narrate(llama, request("lantern river stone " * 2_000))
    with pytest.raises(ContextTooLong) as caught:
        await anext(narration)
    assert caught.value.status == 400
    assert "2048" in caught.value.message or "context" in caught.value.message
    assert (await tell(gateway, llama, request())).strip(), "the next call works"


def busy_slots(origin: str) -> int:
    with urllib.request.urlopen(f"{origin}/slots", timeout=30) as response:
        return sum(slot["is_processing"] for slot in json.load(response))


async def test_stopping_frees_the_slot_within_a_second(
    gateway: Gateway, llama: Endpoint, llama_origin: str
) -> None:
    narration = gateway.narrate(llama, request(max_tokens=1_900, temperature=1.5, seed=3))
    await anext(narration)
    began = time.monotonic()
    await narration.aclose()
    while await asyncio.to_thread(busy_slots, llama_origin):
        assert time.monotonic() - began < 10
        await asyncio.sleep(0.02)
    assert narration.record().status == "stopped"
    assert (await tell(gateway, llama, request())).strip(), "the only slot is free again"


async def test_the_probe_finds_what_the_server_can_do(gateway: Gateway, llama: Endpoint) -> None:
    probe = await gateway.probe(llama, "")
    assert probe.ok
    assert probe.model
    assert probe.usage
    assert probe.context_length is not None
    assert "json_schema" in probe.rungs
    assert probe.reasoning_field is None
