"""What Health says where everything works and something is not as it should be: the clock, a snapshot."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from chat.clock import Clock
from chat.engine import doctor, snapshots
from chat.engine.timekeeping import BACK_S
from chat.store import undo
from chat.store.maintenance import list_events
from chat.store.verify import verify
from tests.web.conftest import JSON, Visitor, visiting

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
running = asynccontextmanager(visiting)


class Wall:
    """A clock that is set by hand, as the computer shows it."""

    def __init__(self) -> None:
        self.shows = START

    def clock(self) -> Clock:
        return Clock(now=lambda: self.shows, zone=UTC)


async def warnings(visitor: Visitor) -> list[str]:
    """As a script gets them and, the same, as a person reads them."""
    told: list[str] = (await visitor.json("/health"))["warnings"]
    page = await visitor.get("/health", Accept="text/html")
    assert (" ".join(told) or "none") in page.text
    return told


def lines(logged: list[dict[str, object]]) -> list[object]:
    return [line["event"] for line in logged if str(line["event"]).startswith("clock_")]


async def test_a_clock_that_went_back_a_year_is_told_of_until_it_is_right_and_harms_no_story(
    tmp_path: Path,
) -> None:
    """TRUST 121."""
    wall = Wall()
    with structlog.testing.capture_logs() as logged:
        async with running(tmp_path / "clock", wall.clock()) as visitor:
            bot_id = await visitor.bot()
            chats = [await visitor.chat(bot_id), await visitor.chat(bot_id)]
            for chat_id in chats:
                await visitor.say(chat_id, "Before.")
            assert await warnings(visitor) == []
            wall.shows = START - YEAR
            (told,) = await warnings(visitor)
            assert "has gone back: it shows 2025-11-21 12:00, which is 365 days before" in told
            assert "No word is lost and the order of your stories stays" in told
            assert "Set the clock of the computer: this goes away once it is right." in told
            for chat_id in chats:
                await visitor.say(chat_id, "Meanwhile.")
            assert await visitor.engine.backups.make_if_due()
            assert await warnings(visitor) == [told]
            assert lines(logged) == ["clock_went_back"], "once, however often it is looked at"
            wall.shows = START + timedelta(minutes=1)
            assert await warnings(visitor) == []
            assert lines(logged) == ["clock_went_back", "clock_is_right_again"]
            for chat_id in chats:
                await visitor.say(chat_id, "Afterwards.")
                turns = await visitor.turns(chat_id)
                said = [turn["text"] for turn in turns if turn["role"] == "user"]
                assert said == ["Before.", "Meanwhile.", "Afterwards."]
            assert all(one.is_verified for one in await visitor.engine.backups.all())
            settings = visitor.engine.settings
    ids = [row["id"] for row in list_events(settings, limit=-1)]
    assert ids == list(range(1, len(ids) + 1))
    assert verify(settings) == []


async def test_a_start_by_a_clock_that_went_back_says_so_and_so_does_the_doctor(tmp_path: Path) -> None:
    wall, folder = Wall(), tmp_path / "clock"
    async with running(folder, wall.clock()) as visitor:
        await visitor.say(await visitor.chat(), "Before.")
        settings = visitor.engine.settings
    wall.shows = START - timedelta(hours=2)
    found = await doctor._database(settings, wall.clock())
    (told,) = [one.says for one in found if one.what == "clock" and not one.is_fine]
    with structlog.testing.capture_logs() as logged:
        async with running(folder, wall.clock()) as visitor:
            assert lines(logged) == ["clock_went_back"], "before any page is asked for"
            assert await warnings(visitor) == [told]
            assert "which is 2 hours before" in told
    wall.shows = START + timedelta(hours=1)
    assert not [one for one in await doctor._database(settings, wall.clock()) if one.what == "clock"]
    async with running(folder, wall.clock()) as visitor:
        assert await warnings(visitor) == []


async def test_a_clock_that_is_put_right_by_seconds_is_nothing_to_tell_of(tmp_path: Path) -> None:
    wall, folder = Wall(), tmp_path / "clock"
    with structlog.testing.capture_logs() as logged:
        async with running(folder, wall.clock()) as visitor:
            await visitor.say(await visitor.chat(), "Before.")
            for seconds in (1, 30, BACK_S):
                wall.shows = START - timedelta(seconds=seconds)
                assert await warnings(visitor) == []
        async with running(folder, wall.clock()) as visitor:
            assert await warnings(visitor) == []
            wall.shows -= timedelta(seconds=1)
            assert len(await warnings(visitor)) == 1
    assert lines(logged) == ["clock_went_back"]


async def test_the_clock_is_looked_at_while_nobody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "LOOK_EVERY_S", 0.01)
    wall = Wall()
    with structlog.testing.capture_logs() as logged:
        async with running(tmp_path / "clock", wall.clock()) as visitor:
            wall.shows = START - YEAR
            async with asyncio.timeout(20):
                while not lines(logged):
                    await visitor.pause()


async def test_a_damaged_snapshot_is_told_of_as_nothing_to_worry_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRUST 85."""
    monkeypatch.setattr(snapshots, "EVENTS", 1)
    async with running(tmp_path / "snapshots") as visitor:
        bot_id = await visitor.bot()
        chats = [await visitor.chat(bot_id), await visitor.chat(bot_id)]
        for chat_id in chats:
            replies = [(await visitor.say(chat_id, line)).json()["reply_id"] for line in ("One.", "Two.")]
        await visitor.engine.snapshots.idle()
        monkeypatch.setattr(snapshots, "EVENTS", 10_000)
        kept = list(visitor.engine.settings.snapshots_dir.glob("*.snapshot"))
        assert len(kept) > 2
        for path in kept:
            path.write_bytes(path.read_bytes()[:-60])
        assert await warnings(visitor) == []
        store = visitor.engine.store
        await store._writer.run(lambda: undo.forget(store._live.conn))
        answer = await visitor.post(f"/chats/{chats[1]}/turns/{replies[0]}/rewind", JSON)
        assert answer.status_code == 200, answer.text
        (told,) = await warnings(visitor)
        assert "A snapshot of a story could not be used and was left aside." in told
        assert "nothing was lost" in told
        assert "nothing need be done" in told
        said = [
            [turn["text"] for turn in await visitor.turns(one) if turn["role"] == "user"] for one in chats
        ]
        assert said == [["One.", "Two."], ["One."]]
        settings = visitor.engine.settings
    assert verify(settings) == []
    async with running(tmp_path / "snapshots") as visitor:
        assert await warnings(visitor) == []
