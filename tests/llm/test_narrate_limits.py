"""Waits have limits, replies have a size, and what is tried again is bounded."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable

import pytest

from chat.clock import Clock
from chat.errors import (
    EndlessReply,
    ProviderUnavailable,
    TimedOut,
)
from chat.llm.calls import Endpoint, NarrateRequest
from chat.llm.gateway import Gateway
from chat.llm.policy import Policy, Waiting
from tests.llm.conftest import HandClock
from tests.support.failing import fail, said
from tests.support.peer import Peer
from tests.support.peer_acts import (
    Act,
    Endless,
    HangUp,
    Raw,
    Reply,
    Silence,
    Status,
    delta,
    event,
)

Ask = Callable[..., NarrateRequest]


LOADING = Status(503, said("Loading model"))


@pytest.mark.parametrize(
    "act",
    [
        HangUp(),
        HangUp(reset=False),
        *(Status(code, "") for code in (429, 500, 502, 503, 504)),
        LOADING,
        Status(429, "", retry_after="0"),
        Silence(),
    ],
)
async def test_what_failed_before_anything_came_is_tried_once_more(
    act: Act, gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(act, Reply("Second try."))
    if isinstance(act, Silence):
        error = await fail(gateway.narrate(endpoint, ask(first_token_s=0.3)))
        assert type(error) is TimedOut, "silence is not tried again"
        return
    narration = gateway.narrate(endpoint, ask())
    assert [piece async for piece in narration]
    assert narration.text == "Second try."
    assert narration.record().attempts == 2


async def test_retries_are_bounded(gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask) -> None:
    peer.script(*[HangUp() for _ in range(5)])
    await fail(gateway.narrate(endpoint, ask()))
    assert len(peer.requests) == 3


async def test_waits_double_and_each_is_told_before_it_begins(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Status(429, said("slow down")), Status(429, said("slow down")), Reply("At last."))
    narration = gateway.narrate(endpoint, ask())
    waits: list[Waiting] = []
    narration.on_wait = waits.append
    assert [piece async for piece in narration]
    assert narration.text == "At last."
    assert [one.attempt for one in waits] == [2, 3]
    assert all("slow down" in one.error.message for one in waits)
    first, second = (one.wait_s for one in waits)
    assert 0.02 <= first <= 0.02 + 0.02 <= second + 0.01 <= 0.04 + 0.02 + 0.01


@pytest.mark.parametrize(
    "act", [Status(401), Status(402), Status(403), Status(404), Status(422), Status(413)]
)
async def test_what_asking_again_cannot_help_is_asked_once(
    act: Status, gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(act)
    await fail(gateway.narrate(endpoint, ask()))
    assert len(peer.requests) == 1


async def test_a_long_retry_after_is_left_to_the_player(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Status(429, said("slow down"), retry_after="60"))
    error = await fail(gateway.narrate(endpoint, ask()))
    assert error.retry_after_s == 60.0
    assert len(peer.requests) == 1


async def test_nothing_is_tried_again_once_something_has_come(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Raw([event(delta("Once ")), event(delta("upon"))], end="reset", pause_s=0.01))
    error = await fail(gateway.narrate(endpoint, ask()))
    assert type(error) is ProviderUnavailable
    assert error.partial == "Once upon"
    assert len(peer.requests) == 1


async def test_a_wait_before_a_retry_can_be_stopped(peer: Peer, endpoint: Endpoint, ask: Ask) -> None:
    gateway = Gateway(Clock(), Policy(longest_wait_s=60.0))
    peer.script(Status(429, "", retry_after="30"))
    narration = gateway.narrate(endpoint, ask(first_token_s=60.0, total_s=60.0))
    waits: asyncio.Queue[Waiting] = asyncio.Queue()
    narration.on_wait = waits.put_nowait
    reading = asyncio.create_task(anext(narration, None))
    await asyncio.wait_for(waits.get(), 20.0)
    await asyncio.wait_for(narration.aclose(), 20.0)
    assert await reading is None
    assert narration.record().status == "stopped"
    await gateway.close()


LIMITS: dict[str, tuple[Act, dict[str, float], str]] = {
    "no answer": (Silence(), {"first_token_s": 0.2}, "did not begin"),
    "headers, then nothing": (Silence(headers=True), {"first_token_s": 0.2}, "did not begin"),
    "only a role": (Reply("x", stall_after=0), {"first_token_s": 0.2}, "did not begin"),
    "falls silent": (Reply("a b c", stall_after=2), {"between_tokens_s": 0.2}, "fell silent"),
    "drips a line": (
        Raw([event(delta("a")), *[b"d"] * 100], pause_s=0.05),
        {"between_tokens_s": 0.2},
        "fell silent",
    ),
    "alive but never done": (Raw([b": still here\n\n"] * 100, pause_s=0.05), {"total_s": 0.4}, "not done"),
    "slow to the end": (Reply("a " * 60, pace_s=0.05), {"total_s": 0.4}, "not done"),
}


@pytest.mark.parametrize(("act", "limits", "words"), LIMITS.values(), ids=LIMITS.keys())
async def test_every_wait_has_its_limit(
    act: Act, limits: dict[str, float], words: str, gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(act)
    began = time.monotonic()
    error = await fail(gateway.narrate(endpoint, ask(**limits)))
    assert type(error) is TimedOut
    assert words in error.message
    assert time.monotonic() - began < 25
    assert await asyncio.to_thread(peer.wait_until, lambda: peer.requests[0].gone_s is not None)


async def test_keep_alive_comments_hold_off_the_silence_limits(
    by_hand: Gateway, clock: HandClock, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    """By the clock each wait takes ten seconds; all comments together are silent for far longer than allowed."""
    clock.each_look_s = 10.0
    alive = [b": PROCESSING\n\n"] * 20
    peer.script(Raw([*alive, event(delta("a")), *alive, event(delta("b", "stop"))], pause_s=0.02))
    narration = by_hand.narrate(endpoint, ask(total_s=10_000.0))
    assert [piece async for piece in narration]
    assert narration.text == "ab"


async def test_a_slow_reader_is_not_taken_for_a_silent_server(
    by_hand: Gateway, clock: HandClock, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Reply("one two three four", pace_s=0.02))
    narration = by_hand.narrate(endpoint, ask(total_s=10_000.0))
    async for _ in narration:
        clock.push(100.0)
    assert narration.text == "one two three four"


async def test_a_reply_past_the_size_cap_is_cut_there(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Endless())
    error = await fail(gateway.narrate(endpoint, ask(max_chars=5_000)))
    assert type(error) is EndlessReply
    assert len(error.partial) == 5_000
    assert error.partial == ("and on " * 800)[:5_000]


async def test_a_line_without_an_end_is_cut_off(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Endless(line=True))
    assert type(await fail(gateway.narrate(endpoint, ask()))) is EndlessReply


async def test_a_small_body_that_unpacks_to_a_large_one_is_cut_off(
    gateway: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    bomb = gzip.compress(b"data: " + b"a" * 60_000_000, 6)
    peer.script(Raw([bomb], headers=[("Content-Encoding", "gzip")]))
    assert type(await fail(gateway.narrate(endpoint, ask()))) is EndlessReply


async def test_an_error_page_that_unpacks_to_a_large_one_is_cut_off(
    once: Gateway, peer: Peer, endpoint: Endpoint, ask: Ask
) -> None:
    peer.script(Status(500, "boom " * 10_000_000, compress=True))
    assert "boom" in (await fail(once.narrate(endpoint, ask()))).message
