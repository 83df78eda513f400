"""What a good reply looks like from outside, in the dialects that servers speak."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from chat.clock import Clock
from chat.llm import upstream
from chat.llm.calls import Endpoint, NarrateRequest, Piece
from chat.llm.gateway import Gateway
from chat.llm.narration import Narration
from tests.support.peer import Peer
from tests.support.peer_acts import Raw, Reply, Silence, Status, delta, event

Ask = Callable[..., NarrateRequest]
STORY = "The door opens. 😀 „Grüß dich“, she says — *smiling* —\n\nand 你好 too."


async def read(narration: Narration) -> str:
    return "".join([piece.text async for piece in narration if piece.kind == "text"])


async def test_pieces_join_to_the_text(gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask) -> None:
    peer.script(Reply(STORY))
    narration = gateway.narrate(endpoint, ask())
    assert await read(narration) == STORY
    assert narration.text == STORY
    assert narration.reasoning == ""


async def test_asks_for_what_the_request_says(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Reply("Yes."))
    await read(gateway.narrate(endpoint, ask(seed=42)))
    assert peer.requests[0].body == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Hello?"}],
        "temperature": 0.7,
        "max_tokens": 60,
        "seed": 42,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_sends_the_key_and_nothing_about_this_machine(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leak: yes")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-leak")
    peer.script(Reply("Yes."), Reply("Yes."))
    await read(gateway.narrate(endpoint, ask()))
    await read(gateway.narrate(Endpoint("keyless", peer.base_url), ask()))
    with_key, without = (set(request.headers) for request in peer.requests)
    assert peer.requests[0].headers["authorization"].startswith("Bearer sk-canary")
    expected = {
        "host",
        "connection",
        "accept",
        "accept-encoding",
        "content-type",
        "content-length",
        "user-agent",
    }
    assert with_key - {"authorization"} <= expected
    assert without <= expected


async def test_record_holds_the_providers_figures(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    usage = {
        "prompt_tokens": 310,
        "completion_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 256},
        "cost": 0.00125,
    }
    peer.script(Reply("Well met.", usage=usage, wait_s=0.05))
    narration = gateway.narrate(endpoint, ask(purpose="opening"))
    await read(narration)
    record = narration.record()
    assert (record.purpose, record.endpoint, record.status, record.stop_cause) == (
        "opening",
        "peer",
        "ok",
        "stop",
    )
    assert (record.model_asked, record.model_answered) == ("tiny", "peer-model-1")
    assert (record.prompt_tokens, record.completion_tokens, record.cached_tokens) == (310, 12, 256)
    assert not record.estimated
    assert record.cost_nano_usd == 1_250_000
    assert record.request_id == "chatcmpl-peer"
    assert record.attempts == 1
    assert record.first_token_ms is not None
    assert 50 <= record.first_token_ms <= record.duration_ms


async def test_without_usage_the_tokens_are_marked_as_estimated(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Reply("One two three four.", usage=None))
    narration = gateway.narrate(endpoint, ask())
    await read(narration)
    record = narration.record()
    assert record.estimated
    assert record.prompt_tokens == 2 + 4 + 2  # wrapping, the message's two tokens, the reply's beginning
    assert record.completion_tokens == 5
    assert record.cost_nano_usd is None


async def test_a_server_that_refuses_stream_options_is_asked_once_without_and_remembered(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    refusal = {"error": {"message": "Unrecognized request argument supplied: stream_options"}}
    peer.script(Status(400, refusal), Reply("First."), Reply("Second."))
    first = gateway.narrate(endpoint, ask())
    assert await read(first) == "First."
    assert first.record().attempts == 2
    assert await read(gateway.narrate(endpoint, ask())) == "Second."
    assert ["stream_options" in body for body in peer.bodies()] == [True, False, False]


async def test_a_model_that_wants_another_name_for_the_limit_gets_it(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    peer.script(Status(400, {"error": {"message": message, "param": "max_tokens"}}), Reply("Fine."))
    assert await read(gateway.narrate(endpoint, ask(max_tokens=99))) == "Fine."
    assert "max_tokens" not in peer.bodies()[1]
    assert peer.bodies()[1]["max_completion_tokens"] == 99


DIALECTS = {
    "one byte at a time": Reply(STORY, one_byte=True),
    "carriage returns": Reply(STORY, crlf=True),
    "carriage returns bytewise": Reply(STORY, crlf=True, one_byte=True),
    "keep-alive comments": Reply(STORY, keep_alive=3),
    "no usage": Reply(STORY, usage=None),
    "no [DONE]": Reply(STORY, done=False),
    "no finish_reason": Reply(STORY, finish=None),
    "compressed": Reply(STORY, compress=True),
    "whole JSON though streaming was asked for": Reply(STORY, stream=False),
    "cut off after the finish": Reply(STORY, done=False, end="cut"),
    "never closes after [DONE]": Reply(STORY, end="linger"),
}


@pytest.mark.parametrize("act", DIALECTS.values(), ids=DIALECTS.keys())
async def test_reads_the_dialect(
    act: Reply, gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(act, Reply("And again."))
    narration = gateway.narrate(endpoint, ask())
    assert await read(narration) == STORY
    assert narration.record().status == "ok"
    assert await read(gateway.narrate(endpoint, ask())) == "And again."


ODD_STREAMS = {
    "data without a space": [b'data:{"choices":[{"delta":{"content":"ab"},"finish_reason":"stop"}]}\n\n'],
    "byte order mark": [b"\xef\xbb\xbf" + event(delta("ab", "stop"))],
    "event and id lines": [b"event: message\nid: 7\nretry: 9\n" + event(delta("ab", "stop"))],
    "an event over several data lines": [
        b'data: {"choices":[{"finish_reason":"stop",\ndata: "delta":{"content":"ab"}}]}\n\n'
    ],
    "no blank line between events": [event(delta("a"))[:-1] + event(delta("b", "stop"))],
    "no line feed at the end": [event(delta("a")), event(delta("b", "stop"))[:-2]],
    "empty choices": [event({"choices": []}), event(delta("ab", "stop"))],
    "choices null": [event({"choices": None}), event(delta("ab", "stop"))],
    "delta null": [event({"choices": [{"delta": None}]}), event(delta("ab", "stop"))],
    "content null": [event({"choices": [{"delta": {"content": None}}]}), event(delta("ab", "stop"))],
    "content as a list": [
        event(delta([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "stop"))
    ],
    "content as a list of strings": [event(delta(["a", "b"], "stop"))],
    "text instead of a delta": [event({"choices": [{"text": "ab", "finish_reason": "stop"}]})],
    "a second choice": [
        event({"choices": [{"index": 1, "delta": {"content": "zz"}}]}),
        event(delta("ab", "stop")),
    ],
    "malformed lines between": [
        event(delta("a")),
        b"data: {broken\n\n",
        b"nonsense\n\n",
        event(delta("b", "stop")),
    ],
    "wrong types": [event({"choices": "ab"}), event([1, 2]), event("7"), event(delta("ab", "stop"))],
    "a character cut in two": [event(delta("ab", "stop"))[:30], event(delta("ab", "stop"))[30:]],
    "raw control characters": [
        b'data: {"choices":[{"delta":{"content":"a\tb"},"finish_reason":"stop"}]}\n\n'
    ],
    "[DONE] twice and data after it": [
        event(delta("ab")),
        b"data: [DONE]\n\ndata: [DONE]\n\n",
        event(delta("zz")),
    ],
    "NUL": [event(delta("a\0b", "stop"))],
}


@pytest.mark.parametrize("writes", ODD_STREAMS.values(), ids=ODD_STREAMS.keys())
async def test_makes_sense_of_the_odd_stream(
    writes: list[bytes], gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Raw(writes))
    narration = gateway.narrate(endpoint, ask())
    assert (await read(narration)).replace("\t", "") == "ab"
    assert narration.record().status == "ok"


async def test_a_surrogate_pair_cut_between_two_chunks_is_one_character(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    halves = [b'"\\ud83d"', b'"\\ude00 hi"', b'"\\ud83d"', b'" end"']
    writes = [b'data: {"choices":[{"delta":{"content":' + half + b"}}]}\n\n" for half in halves]
    peer.script(Raw([*writes, b"data: [DONE]\n\n"], pause_s=0.01))
    assert await read(gateway.narrate(endpoint, ask())) == "😀 hi� end"


async def test_multibyte_text_survives_any_cut(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    stream = b"".join(Reply(STORY).events())
    for size in (1, 2, 3, 5, 7):
        peer.script(Raw([stream[at : at + size] for at in range(0, len(stream), size)]))
        assert await read(gateway.narrate(endpoint, ask())) == STORY


async def test_pieces_come_while_the_server_is_still_writing(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    was_read = threading.Event()
    writes = [event(delta("one")), event(delta(" two"))]
    peer.script(Raw(writes, end="linger", may_write=lambda at: at == 0 or was_read.is_set()))
    narration = gateway.narrate(endpoint, ask())
    assert await anext(narration) == Piece("text", "one")
    was_read.set()
    assert await anext(narration) == Piece("text", " two")
    record = narration.record()
    assert record.stop_cause == "running"
    assert record.completion_tokens == 2
    await narration.aclose()


async def test_stopping_closes_the_upstream_connection_within_a_second(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Reply("one two three", stall_after=1))
    narration = gateway.narrate(endpoint, ask())
    await anext(narration)
    before = time.monotonic()
    await narration.aclose()
    assert await asyncio.to_thread(peer.wait_until, lambda: peer.requests[0].gone_s is not None)
    assert time.monotonic() - before < 10
    record = narration.record()
    assert (record.status, record.stop_cause) == ("stopped", "stopped")
    assert narration.text == "one"
    assert [piece async for piece in narration] == []


async def test_leaving_the_block_closes_the_connection(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Reply("one two three", stall_after=1))
    async with gateway.narrate(endpoint, ask()) as narration:
        assert await anext(narration) == Piece("text", "one")
    assert await asyncio.to_thread(peer.wait_until, lambda: peer.requests[0].gone_s is not None)


async def test_another_task_may_stop_a_narration_that_is_being_waited_for(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Reply("one two three", stall_after=1))
    narration = gateway.narrate(endpoint, ask())
    reading = asyncio.create_task(read(narration))
    assert await asyncio.to_thread(peer.wait_until, lambda: narration.text == "one")
    await asyncio.wait_for(narration.aclose(), 20.0)
    assert await reading == "one"
    assert narration.record().status == "stopped"
    assert await asyncio.to_thread(peer.wait_until, lambda: peer.requests[0].gone_s is not None)


async def test_stopping_before_the_request_has_gone_out_sends_nothing(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    narration = gateway.narrate(endpoint, ask())
    reading = asyncio.create_task(read(narration))
    await asyncio.sleep(0)  # the first call ever is still loading the client
    await asyncio.wait_for(narration.aclose(), 10.0)
    assert await reading == ""
    assert narration.record().status == "stopped"
    assert peer.requests == []


@pytest.mark.parametrize("act", [Silence(), Silence(headers=True), Reply("a b c", stall_after=1)])
async def test_cancelling_the_reader_closes_the_connection(
    act: Silence | Reply, gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(act)
    narration = gateway.narrate(endpoint, ask())
    reading = asyncio.create_task(read(narration))
    assert await asyncio.to_thread(peer.wait_until, lambda: bool(peer.requests))
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await asyncio.to_thread(peer.wait_until, lambda: peer.requests[0].gone_s is not None)
    assert narration.record().stop_cause == "cancelled"


async def test_nothing_is_sent_before_it_is_asked_for(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    narration = gateway.narrate(endpoint, ask())
    await narration.aclose()
    assert peer.requests == []
    assert narration.record().status == "stopped"


async def test_two_replies_at_once_do_not_mix_and_a_stalled_one_holds_up_nobody(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    with Peer() as other:
        peer.script(Reply("never ends", stall_after=1))
        other.script(Reply(STORY, pace_s=0.002))
        stalled = gateway.narrate(endpoint, ask())
        await anext(stalled)
        assert await read(gateway.narrate(Endpoint("other", other.base_url), ask())) == STORY
        await stalled.aclose()
        assert "authorization" not in other.requests[0].headers


async def test_one_connection_serves_many_calls(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "_AFTER_DONE_S", 20.0)  # a connection that ends later is not kept
    peer.script(*[Reply(f"Reply {number}.") for number in range(5)])
    for number in range(5):
        assert await read(gateway.narrate(endpoint, ask())) == f"Reply {number}."
    assert peer.connections == 1


async def test_proxies_of_the_environment_are_ignored(
    peer: Peer, endpoint: Endpoint, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    peer.script(Reply("Straight here."))
    gateway = Gateway(Clock())
    assert await read(gateway.narrate(endpoint, ask())) == "Straight here."
    await gateway.close()
