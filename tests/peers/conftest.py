"""One llama.cpp server for the whole run; it is fast to start but need not start for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from chat.clock import Clock
from chat.llm.calls import Endpoint
from chat.llm.gateway import Gateway
from tests.support.llama_server import llama_server


@pytest.fixture(scope="session")
def llama_origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with llama_server(tmp_path_factory.mktemp("llama")) as origin:
        yield origin


@pytest.fixture
def llama(llama_origin: str) -> Endpoint:
    return Endpoint("llama.cpp", f"{llama_origin}/v1")


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway(Clock())
    yield gateway
    await gateway.close()
