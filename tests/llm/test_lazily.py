"""The large libraries are loaded late, away from the event loop, and never from two ends at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from chat.clock import Clock
from chat.llm import lazily, shaping
from chat.llm.wire import Wire

BOTH_AT_ONCE = """
import asyncio
from chat.clock import Clock
from chat.llm import shaping
from chat.llm.wire import Wire

async def main():
    wire = Wire(Clock())
    await asyncio.gather(shaping.load(), wire.ready(), shaping.load())
    await wire.close()

asyncio.run(main())
"""


def structured(wire: Wire) -> Coroutine[Any, Any, Any]:
    return shaping.load()


def connecting(wire: Wire) -> Coroutine[Any, Any, Any]:
    return wire.ready()


@pytest.mark.parametrize("loading", [structured, connecting])
async def test_whoever_needs_a_large_library_waits_until_the_other_has_loaded_it(
    loading: Callable[[Wire], Coroutine[Any, Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazily, "_loaded", set[str]())
    wire = Wire(Clock())
    with lazily.LOADING:
        waiting = asyncio.create_task(loading(wire))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting
    await wire.close()


async def test_what_is_loaded_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    await shaping.load()
    with lazily.LOADING:
        await asyncio.wait_for(shaping.load(), 20)


def test_a_fresh_program_may_ask_for_both_at_once() -> None:
    subprocess.run([sys.executable, "-c", BOTH_AT_ONCE], check=True, timeout=60)
