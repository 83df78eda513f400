"""A gateway that is closed again, a peer that nobody else talks to, and the usual request."""

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
    """A request with short limits; any field can be given."""

    def build(**fields: Any) -> NarrateRequest:
        usual: dict[str, Any] = {
            "model": "tiny",
            "messages": [{"role": "user", "content": "Hello?"}],
            "temperature": 0.7,
            "max_tokens": 60,
            "seed": 7,
            "first_token_s": 5.0,
            "between_tokens_s": 5.0,
            "total_s": 20.0,
        }
        return NarrateRequest(**(usual | fields))

    return build
