"""A clock that jumps (TRUST 121): stories go by the number of an event, durations by a clock that never goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.settings.schema import Settings
from chat.store import views
from chat.store.maintenance import list_events
from chat.store.verify import verify
from tests.engine.conftest import begin

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "jumps",
    [
        [timedelta(0), timedelta(hours=-1), timedelta(days=-1), START.replace(year=1970) - START],
        [timedelta(days=3653), timedelta(0), timedelta(days=-3653)],
    ],
    ids=["back and back again", "ten years ahead and back"],
)
async def test_a_clock_that_jumps_changes_neither_order_nor_durations(
    settings: Settings, jumps: list[timedelta]
) -> None:
    at = [START]
    async with running_engine(settings, Clock(now=lambda: at[0])) as engine:
        you = engine.store.library.default_person()
        assert you
        chat_id = await begin(engine, next(iter(engine.store.library.bots)), you.id)
        said = []
        for number, jump in enumerate(jumps):
            at[0] = START + jump
            said.append(f"Words number {number}.")
            accepted = await engine.take_turn(chat_id, said[-1])
            assert accepted.reply_id
            run = engine.runs.get(chat_id)
            assert run is None or run.task is None or await run.task is None
            assert await engine.digests.wait(chat_id, 20)
        async with engine.store.reading() as reader:
            window = await views.transcript(reader, engine.store.library, chat_id)
            calls = await views.calls(reader)
        assert [turn.text for turn in window.turns if turn.role == "user"] == said
        assert not any(turn.is_running or turn.error_code for turn in window.turns)
        assert calls
        assert all(call.duration_ms >= 0 for call in calls)
    ids = [row["id"] for row in list_events(settings, limit=-1)]
    assert ids == list(range(1, len(ids) + 1))
    assert verify(settings) == []
