"""Every write, sync, open and rename fails in turn, once and for good (TRUST 90): an error of ours, nothing half done,
and everything works again as soon as the disk does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from chat.clock import Clock
from chat.errors import Refused, StoreError
from chat.settings import Settings
from chat.store import Store, backup, restore
from chat.store.maintenance import list_events
from chat.store.verify import verify
from tests.support import stories
from tests.support.failing_disk import FailingDisk
from tests.support.restoring import play

STAYS = pytest.mark.parametrize("stays", [False, True], ids=["once", "for good"])


async def _each_in_turn(
    disk: FailingDisk, stays: bool, work: Callable[[], Awaitable[object]], stride: int = 1
) -> list[str]:
    """Do the work with its first operation failing, its second, and so on until none fails; what was raised.

    With a stride the failures that stay and those that do not share the operations out between them.
    """
    raised = []
    for at in range(1 + (stays and stride > 1), 400, stride):
        disk.fail(at, stays=stays)
        try:
            await work()
        except StoreError as problem:
            raised.append(f"{problem.message} {problem.next_step}")
        finally:
            disk.recover()
        if not disk.has_failed:
            return raised
    raise AssertionError("it never came to an end")


@STAYS
async def test_a_command_is_whole_or_not_there(settings: Settings, stays: bool) -> None:
    await play(settings, range(1, 7, 2))
    steps = iter(range(7, 999, 2))

    async def say() -> None:
        before, step = told.head, next(steps)
        try:
            await told.execute(lambda state: stories.exchange("a", "a-1", step, "Long winded. " * 300))
        except StoreError:
            assert told.head == before
            assert list_events(settings, limit=-1)[-1]["id"] == before
            raise
        finally:
            await told.checkpoint()
            disk.recover()
            await told.checkpoint()  # else each round would have more to write than the one before

    with FailingDisk(settings.data_dir) as disk:
        told = await Store.open(settings, Clock())
        raised = await _each_in_turn(disk, stays, say)
        await told.execute(lambda state: stories.exchange("b", "b-1", 3))
        assert told.fault is None
        await told.close()
    assert len(raised) > 5
    assert verify(settings) == []


@STAYS
async def test_a_start_leaves_what_it_found(settings: Settings, stays: bool) -> None:
    await play(settings, range(1, 9, 2))
    before = list_events(settings, limit=-1)

    async def start() -> None:
        store = await Store.open(settings, Clock(), serving=True)
        with suppress(StoreError):
            await store.close()
        if store.fault:
            raise store.fault

    with FailingDisk(settings.data_dir) as disk:
        raised = await _each_in_turn(disk, stays, start)
    assert raised
    assert list_events(settings, limit=-1) == before
    assert verify(settings) == []


@STAYS
async def test_a_backup_gets_a_name_only_when_it_is_whole(
    told: Store, settings: Settings, stays: bool
) -> None:
    await asyncio.to_thread(backup.make, settings, Clock(), "daily")

    async def make() -> None:
        before = await asyncio.to_thread(backup.listing, settings)
        try:
            await asyncio.to_thread(backup.make, settings, Clock(), "by-hand")
        except StoreError:
            disk.recover()
            assert await asyncio.to_thread(backup.listing, settings) == before
            raise

    with FailingDisk(settings.data_dir) as disk:
        raised = await _each_in_turn(disk, stays, make)
    assert len(raised) > 5
    assert all(one.is_verified for one in backup.listing(settings))
    assert told.fault is None
    assert verify(settings) == []


@STAYS
async def test_a_restore_leaves_the_old_stories_or_the_new_ones(settings: Settings, stays: bool) -> None:
    await play(settings, range(1, 5, 2))
    made = await asyncio.to_thread(backup.make, settings, Clock(), "daily")
    old = [row["id"] for row in list_events(settings, limit=-1)]
    await play(settings, range(5, 9, 2))
    new = [row["id"] for row in list_events(settings, limit=-1)]

    async def go_back() -> None:
        try:
            await asyncio.to_thread(restore.restore, settings, Clock(), made.name)
        except (StoreError, Refused):
            disk.recover()
            store = await Store.open(settings, Clock())
            assert store.fault is None
            await store.close()
            found = [row["id"] for row in list_events(settings, limit=-1)]
            assert found in (old, new)
            assert verify(settings) == []
            raise

    with FailingDisk(settings.data_dir) as disk:
        raised = await _each_in_turn(disk, stays, go_back, stride=4)
    assert len(raised) > 5
    assert [row["id"] for row in list_events(settings, limit=-1)] == old
    assert verify(settings) == []


async def test_a_command_is_acknowledged_only_once_its_log_is_synced(settings: Settings) -> None:
    """TRUST 98: `synchronous=FULL`, so a power cut takes nothing that was acknowledged."""
    await play(settings, range(1, 5, 2))
    with FailingDisk(settings.data_dir) as disk:
        store = await Store.open(settings, Clock())
        for step in range(5, 15, 2):
            disk.done.clear()
            await store.execute(lambda state, s=step: stories.exchange("a", "a-1", s))
            assert "write" in disk.done
            assert disk.done[-1] == "sync"
        await store.close()
