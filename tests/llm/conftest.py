"""A gateway that is closed again, a peer that nobody else talks to, and the usual request.

A machine may stop for seconds at any time. Limits that must not be reached are far beyond that, and where silence is
under test, time passes by the hand of the test (`HandClock`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from chat.clock import Clock
from chat.llm.calls import Endpoint, NarrateRequest
from chat.llm.gateway import Gateway
from chat.llm.policy import Policy
from tests.support.failing import KEY
from tests.support.peer import Peer


class HandClock(Clock):
    """Goes as usual, further when it is pushed, and by `each_look_s` whenever it is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.each_look_s = 0.0
        self._pushed_s = 0.0

    def push(self, seconds: float) -> None:
        self._pushed_s += seconds

    def monotonic_s(self) -> float:
        self.push(self.each_look_s)
        return super().monotonic_s() + self._pushed_s


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def by_hand(clock: HandClock) -> AsyncIterator[Gateway]:
    """A gateway whose silences last as long as the test says."""
    gateway = Gateway(clock)
    yield gateway
    await gateway.close()


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway(Clock(), Policy(first_wait_s=0.02))
    yield gateway
    await gateway.close()


@pytest.fixture
async def once() -> AsyncIterator[Gateway]:
    """A gateway that never tries again."""
    gateway = Gateway(Clock(), Policy(attempts=1))
    yield gateway
    await gateway.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture
def endpoint(peer: Peer) -> Endpoint:
    return Endpoint("peer", peer.base_url, SecretStr(KEY))


@pytest.fixture
def ask() -> Callable[..., NarrateRequest]:
    """A request with limits that only something that never comes can reach; any field can be given."""

    def build(**fields: Any) -> NarrateRequest:
        usual: dict[str, Any] = {
            "model": "tiny",
            "messages": [{"role": "user", "content": "Hello?"}],
            "temperature": 0.7,
            "max_tokens": 60,
            "seed": 7,
            "first_token_s": 30.0,
            "between_tokens_s": 30.0,
            "total_s": 60.0,
        }
        return NarrateRequest(**(usual | fields))

    return build
