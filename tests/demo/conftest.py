"""A started demo model, without its reading pace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat.demo.server import DemoServer
from tests.demo.client import TOKEN, Demo


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    server = DemoServer(TOKEN, pieces_per_second=0)
    client = Demo(server.start())
    yield client
    client.http.close()
    server.stop()
