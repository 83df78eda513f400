"""What a far rewind leaves behind is deleted once an undo is unlikely, or by the next start."""

from __future__ import annotations

import pytest

from chat.engine import sweeping
from chat.errors import StoreFull
from chat.store import Store, abandoned, jump
from tests.engine.conftest import Stage
from tests.engine.test_timeline import tell, texts
from tests.support.peer import Peer

FOUR = (("one", "uno"), ("two", "due"), ("three", "tre"), ("four", "quattro"))


@pytest.fixture(autouse=True)
def every_jump_is_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jump, "_NEAR_EVENTS", -1)
    monkeypatch.setattr(jump, "_MANY_STEPS", 1)
    monkeypatch.setattr(abandoned, "EVENTS_IN_A_PIECE", 3)
    monkeypatch.setattr(sweeping, "PAUSE_S", 0)


async def hidden(stage: Stage) -> int:
    async with stage.engine.store.reading() as reader:
        asked = "select (select count(*) from memories) - (select count(*) from visible_memories)"
        row = await reader.one(asked)
    return int(row[0]) if row else -1


async def test_after_a_far_rewind_the_rows_go_when_an_undo_is_unlikely(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = await tell(stage, peer, *FOUR)
    await stage.engine.rewind(stage.first, first)
    assert await hidden(stage) > 0
    monkeypatch.setattr(sweeping, "AFTER_S", 0)
    stage.engine.sweeping.start()
    await stage.engine.sweeping.idle()
    assert await hidden(stage) == 0
    await stage.engine.undo(stage.first)
    assert await texts(stage) == [word for pair in FOUR for word in pair]


async def test_a_jump_begins_it_and_a_full_disk_only_puts_it_off(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: Store) -> bool:
        raise StoreFull("The disk is full.")

    monkeypatch.setattr(sweeping, "AFTER_S", 0)
    first, *_ = await tell(stage, peer, *FOUR)
    with monkeypatch.context() as patched:
        patched.setattr(Store, "sweep", full)
        await stage.engine.rewind(stage.first, first)
        await stage.engine.sweeping.idle()
    assert await hidden(stage) > 0
    await tell(stage, peer, ("five", "cinque"), ("six", "sei"), ("seven", "sette"))
    await stage.engine.rewind(stage.first, first)
    await stage.engine.sweeping.idle()
    assert await hidden(stage) == 0
    assert await texts(stage) == ["one", "uno"]
