"""Backups while a story is played: one a day whatever clocks do, and going back without a restart."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog

from chat.app import running_engine
from chat.clock import Clock
from chat.engine import backups, schedule
from chat.engine.engine import Engine
from chat.errors import BackupRunning, NotFound, StoreFull, TurnRunning
from chat.settings.schema import Settings
from chat.store import backup, views
from chat.store.backup_folder import BackupFolder
from chat.store.verify import verify
from tests.engine.conftest import Stage
from tests.engine.test_digest import DIGEST, WARM
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply, Silence

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
LORD_HOWE, HELSINKI = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Europe/Helsinki")


class Wall:
    """A clock that is set by hand."""

    def __init__(self, now: datetime, zone: ZoneInfo | timezone) -> None:
        self.now, self.zone = now, zone

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone)


def made_while(wall: Wall, until: datetime, step: timedelta, made: list[datetime]) -> list[datetime]:
    """Ask again and again, as the program does, and note each backup."""
    while wall.now < until:
        if schedule.is_due(wall.now, made, wall.local):
            made.append(wall.now)
        wall.now += step
    return made


def days(made: list[datetime], zone: ZoneInfo | timezone) -> list[date]:
    return [moment.astimezone(zone).date() for moment in made]


@pytest.mark.parametrize("minutes", [5, 17, 60])
@pytest.mark.parametrize(
    ("zone", "first"),
    [
        (BERLIN, datetime(2026, 3, 26, 12, tzinfo=UTC)),
        (BERLIN, datetime(2026, 10, 22, 12, tzinfo=UTC)),
        (NEW_YORK, datetime(2026, 3, 5, 12, tzinfo=UTC)),
        (NEW_YORK, datetime(2026, 10, 29, 12, tzinfo=UTC)),
        (LORD_HOWE, datetime(2026, 4, 2, 12, tzinfo=UTC)),
        (LORD_HOWE, datetime(2026, 10, 1, 12, tzinfo=UTC)),
        (HELSINKI, datetime(2026, 3, 26, 12, tzinfo=UTC)),
        (HELSINKI, datetime(2026, 10, 22, 12, tzinfo=UTC)),
    ],
)
def test_there_is_one_backup_a_local_day_where_clocks_are_changed(
    zone: ZoneInfo, first: datetime, minutes: int
) -> None:
    """TRUST 122."""
    wall = Wall(first, zone)
    made = made_while(wall, first + timedelta(days=7), timedelta(minutes=minutes), [first])
    shown = [moment.astimezone(zone) for moment in made[1:]]
    assert [one.date() for one in shown] == [
        shown[0].date() + timedelta(days=number) for number in range(len(shown))
    ]
    assert len(shown) == 7
    assert {one.hour for one in shown} <= {3, 4}
    assert all(one.hour == 3 or one.utcoffset() != before.utcoffset() for before, one in _pairs(shown))


def _pairs(shown: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Each with the one before; the first with itself."""
    return zip([shown[0], *shown], shown, strict=False)


def test_where_three_comes_twice_the_second_is_no_new_day() -> None:
    """Helsinki, 25 October 2026: at four it is three again (TRUST 122)."""
    wall = Wall(datetime(2026, 10, 24, 21, tzinfo=UTC), HELSINKI)
    made = made_while(
        wall,
        datetime(2026, 10, 25, 3, tzinfo=UTC),
        timedelta(minutes=5),
        [datetime(2026, 10, 24, 9, tzinfo=UTC)],
    )
    assert [moment.astimezone(HELSINKI).hour for moment in made[1:]] == [3]


@pytest.mark.parametrize(
    "asleep_until",
    [datetime(2026, 11, 20, 3, 1, tzinfo=UTC), datetime(2026, 11, 20, 17, tzinfo=UTC)],
)
def test_a_machine_that_slept_at_three_makes_up_for_it_once(asleep_until: datetime) -> None:
    """TRUST 123."""
    wall = Wall(asleep_until, timezone.utc)  # noqa: UP017 - a zone as any other
    made = made_while(
        wall,
        datetime(2026, 11, 21, 2, 59, tzinfo=UTC),
        timedelta(minutes=10),
        [datetime(2026, 11, 13, 5, tzinfo=UTC)],
    )
    assert made[1:] == [asleep_until]


def test_a_program_that_is_started_once_a_week_makes_one_each_time() -> None:
    """TRUST 123."""
    made: list[datetime] = []
    for week in range(4):
        began = datetime(2026, 11, 1, 20, tzinfo=UTC) + timedelta(days=7 * week)
        made_while(Wall(began, BERLIN), began + timedelta(hours=2), timedelta(minutes=10), made)
    assert len(made) == 4


def test_another_time_zone_is_no_reason_for_a_second_one() -> None:
    """TRUST 124."""
    far_west, far_east = timezone(timedelta(hours=-12)), timezone(timedelta(hours=14))
    wall = Wall(datetime(2026, 11, 20, 14, 50, tzinfo=UTC), far_west)
    made = made_while(
        wall,
        datetime(2026, 11, 20, 15, 20, tzinfo=UTC),
        timedelta(minutes=5),
        [datetime(2026, 11, 19, 15, tzinfo=UTC)],
    )
    assert len(made) == 2
    wall.zone = far_east
    assert not schedule.is_due(wall.now, made, wall.local)
    made_while(wall, wall.now + timedelta(hours=23), timedelta(minutes=5), made)
    assert len(made) == 3
    wall.zone = far_west
    assert not schedule.is_due(wall.now, made, wall.local)


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=1), timedelta(days=20_000)])
def test_a_clock_that_is_put_back_makes_no_second_one_at_once_and_stops_none_for_ever(
    back: timedelta,
) -> None:
    """TRUST 121."""
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    made = [now - timedelta(days=number) for number in range(5, -1, -1)]
    wall = Wall(now - back, BERLIN)
    again = made_while(wall, now - back + timedelta(hours=10), timedelta(minutes=5), [*made])
    assert len(again) - len(made) <= 1
    ahead = [*made, now + timedelta(days=20_000)]
    later = made_while(Wall(now, BERLIN), now + timedelta(days=3), timedelta(minutes=30), [*ahead])
    assert len(later) - len(ahead) == 3


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, LORD_HOWE, HELSINKI])
def test_the_next_look_is_never_far_behind_three_and_never_long_in_the_past(zone: ZoneInfo) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for hours in range(0, 24 * 365, 7):
        wait = schedule.seconds_to_next(now + timedelta(hours=hours), lambda at: at.astimezone(zone), 3600)
        assert 1 <= wait <= 3600
    before = datetime(2026, 6, 10, 2, 59, 30, tzinfo=zone)
    assert schedule.seconds_to_next(before, lambda at: at.astimezone(zone), 3600) == 30


# The program


class Day:
    """What time it is for a running program."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, zone=BERLIN)


async def test_the_program_backs_up_each_day_on_which_something_happened(settings: Settings) -> None:
    day = Day()
    async with running_engine(settings, day.clock()) as engine:
        bot = next(iter(engine.store.library.bots))
        assert await engine.backups.make_if_due()
        assert not await engine.backups.make_if_due()
        day.now += timedelta(days=1)
        assert not await engine.backups.make_if_due()
        await engine.archive_bot(bot)
        assert await engine.backups.make_if_due()
        assert not await engine.backups.make_if_due()
        day.now += timedelta(hours=13)
        await engine.restore_bot(bot)
        assert not await engine.backups.make_if_due()
        day.now += timedelta(hours=1)
        assert await engine.backups.make_if_due()
        listed = await engine.backups.all()
        assert [one.manifest.reason for one in listed if one.manifest] == ["daily"] * 3


async def test_it_looks_by_itself_soon_after_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "FIRST_LOOK_S", 0)  # even then everything that a start writes is there
    async with running_engine(settings, Day().clock()) as engine:
        async with asyncio.timeout(20):
            while not await engine.backups.all():
                await asyncio.sleep(0.05)
        assert (await engine.backups.all())[0].is_verified


async def test_a_look_that_fails_is_logged_and_the_next_one_comes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "FIRST_LOOK_S", 0.05)
    monkeypatch.setattr(backups, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(schedule, "seconds_to_next", lambda now, local, at_most: at_most)
    asked = 0

    def make(*args: object, **named: object) -> None:
        nonlocal asked
        asked += 1
        raise StoreFull("The disk is full.") if asked < 3 else RuntimeError("odd")

    monkeypatch.setattr(backup, "make", make)
    async with running_engine(settings, Day().clock()) as engine:
        async with asyncio.timeout(20):
            while asked < 5:
                await asyncio.sleep(0.05)
        assert "did not foresee" in str(engine.backups.problem)


async def test_a_backup_that_is_still_running_is_waited_for_and_the_daily_one_left_out(
    engine: Engine, settings: Settings
) -> None:
    """TRUST 125."""
    with BackupFolder(settings.backups_dir) as folder, folder.locked():
        with structlog.testing.capture_logs() as logged:
            assert not await engine.backups.make_if_due()
        assert "daily_backup_skipped" in [line["event"] for line in logged]
        with pytest.raises(BackupRunning):
            await engine.backups.make()
    first = asyncio.create_task(engine.backups.make())
    await asyncio.sleep(0)
    with pytest.raises(BackupRunning):
        await engine.backups.make()
    with pytest.raises(BackupRunning):
        await engine.backups.restore("whatever it is called")
    assert (await first).is_verified
    assert engine.backups.stage == ""


async def test_whoever_asked_may_leave_and_the_backup_is_made(engine: Engine) -> None:
    asking = asyncio.create_task(engine.backups.make())
    await asyncio.sleep(0)
    asking.cancel()
    async with asyncio.timeout(20):
        while not await engine.backups.all():
            await asyncio.sleep(0.02)
    await engine.backups.stop()
    assert (await engine.backups.all())[0].is_verified


def rows(settings: Settings) -> list[tuple[object, ...]]:
    conn = sqlite3.connect(settings.db_path)
    try:
        return conn.execute("select * from event_log order by id").fetchall()
    finally:
        conn.close()


async def test_going_back_in_place_shows_the_old_story_in_every_tab_and_the_story_goes_on(
    stage: Stage, settings: Settings
) -> None:
    engine = stage.engine
    await stage.say("Is the lamp lit?")
    await stage.digested()
    before = await stage.turns()
    kept = await engine.backups.make()
    then = rows(settings)
    await stage.say("And the ferry?")
    await stage.digested()
    await stage.say("Hello over there.", stage.second)
    await stage.digested(stage.second)
    await engine.save_composer_draft(stage.first, "I was about to say")
    tab, epoch = engine.hub.subscribe([stage.first]), engine.hub.epoch
    tab.snapshots()
    seen = await engine.backups.preview(kept.name)
    assert {change.chat_id: (change.gained, change.lost) for change in seen.chats} == {
        stage.first: (0, 2),
        stage.second: (0, 2),
    }
    done = await engine.backups.restore(kept.name)
    assert await stage.turns() == before
    assert rows(settings) == then
    assert engine.store.head == then[-1][0]
    assert engine.hub.epoch != epoch
    told = await asyncio.wait_for(tab.next(), 20)
    assert b"event: resync" in told
    assert engine.hub.epoch.encode() in told
    assert tab.missed(0) == tab.snapshots()
    async with engine.store.reading() as reader:
        assert await views.draft(reader, f"composer:{stage.first}") == "I was about to say"
    await stage.say("Is the lamp lit still?")
    await stage.digested()
    assert len(await stage.turns()) == len(before) + 2
    await asyncio.to_thread(lambda: verify(settings) == [] or pytest.fail(str(verify(settings))))
    back = await engine.backups.restore(done.safety)
    assert len(await stage.turns()) == len(before) + 2
    assert back.safety != done.safety
    assert verify(settings) == []


async def test_nothing_is_exchanged_while_a_reply_is_written(
    stage: Stage, peer: Peer, settings: Settings
) -> None:
    engine = stage.engine
    kept = await engine.backups.make()
    peer.script(Reply("one two three four " * 20, pace_s=0.2))
    accepted = await engine.take_turn(stage.first, "Go on.")
    with pytest.raises(TurnRunning) as refusal:
        await engine.backups.restore(kept.name)
    assert refusal.value.turn_id == accepted.reply_id
    assert accepted.reply_id
    await engine.stop_reply(stage.first, accepted.reply_id)
    await stage.digested()
    assert not settings.restoring_dir.exists()
    assert (await engine.backups.restore(kept.name)).safety


async def test_a_way_back_that_fails_at_the_last_rename_takes_up_again_what_it_had_ended(
    stage: Stage, peer: Peer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notes on a reply that was being asked about when the stories were to be exchanged, and were not."""
    engine, rename = stage.engine, Path.replace
    kept = await engine.backups.make()
    peer.script(Silence(), Answer(WARM), on=DIGEST)
    await stage.say('"I brought oil."')
    async with asyncio.timeout(20):
        while not any(one.schema_name for one in peer.requests):
            await asyncio.sleep(0.01)

    def full(path: Path, target: Path) -> Path:
        if path.parent == settings.restoring_dir:
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(StoreFull):
            await engine.backups.restore(kept.name)
    await stage.digested()
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 55
    assert engine.store.fault is None
    assert not settings.restoring_dir.exists()
    assert verify(settings) == []


async def test_no_reply_begins_while_the_stories_are_exchanged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = stage.engine
    kept = await engine.backups.make()
    exchange = engine.store.exchange
    refusals: list[BackupRunning] = []

    async def watched(put, **how):  # type: ignore[no-untyped-def]
        with pytest.raises(BackupRunning) as refusal:
            await engine.take_turn(stage.first, "Now?")
        refusals.append(refusal.value)
        return await exchange(put, **how)

    monkeypatch.setattr(engine.store, "exchange", watched)
    await engine.backups.restore(kept.name)
    assert len(refusals) == 1
    assert await stage.say("Now.")


async def test_a_name_that_is_not_listed_changes_nothing(stage: Stage) -> None:
    head = stage.engine.store.head
    for name in ("nothing", "../chat", ""):
        with pytest.raises(NotFound):
            await stage.engine.backups.restore(name)
    assert stage.engine.store.head == head
    assert await stage.say("Still here?")
