"""What a tab is told of a step of a turn: a success is one, whatever else it died of is none, and no word leaks."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from itertools import pairwise
from typing import Any

import pytest

from chat.domain import exchange
from chat.engine.hub import Hub, Subscription
from chat.engine.run import Run
from chat.errors import Refused
from tests.engine.conftest import Stage

SECRET = "She keeps the key under the stone."


async def _results(tab: Subscription) -> dict[str, dict[str, Any]]:
    """How each step that was told of ended, by its name."""
    lines = (await asyncio.wait_for(tab.next(), 20)).decode().splitlines()
    told = pairwise(lines)
    found = [json.loads(data.removeprefix("data: ")) for kind, data in told if kind == "event: tool_result"]
    return {one["tool"]: one for one in found}


async def test_a_reply_that_could_not_be_stored_is_no_success_whatever_the_reason(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(exchange, "finish", broken)
    tab, other = (stage.engine.hub.subscribe([chat_id]) for chat_id in (stage.first, stage.second))
    await stage.say("Hello.")
    monkeypatch.undo()
    await stage.say("Hello.", stage.second)
    ended = (await _results(tab))["remember"]
    assert (ended["success"], ended["error"]) == (False, "Something went wrong inside the program.")
    ended = (await _results(other))["remember"]
    assert (ended["success"], ended["error"]) == (True, None)


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (Refused("This cannot be done."), "This cannot be done."),
        (Refused(""), ""),
        (ValueError(SECRET), "Something went wrong inside the program."),
        (asyncio.CancelledError(), "It was ended before it was through."),
        (None, None),
    ],
)
async def test_a_step_says_what_it_died_of(
    stage: Stage, problem: BaseException | None, says: str | None
) -> None:
    hub = Hub("e", lambda _: {})
    run, tab = Run("a", "r", hub, stage.engine.clock), hub.subscribe(["a"])
    with pytest.raises(type(problem)) if problem else nullcontext(), run.step("narrate"):
        if problem:
            raise problem
    ended = (await _results(tab))["narrate"]
    assert (ended["success"], ended["error"]) == (problem is None, says)
