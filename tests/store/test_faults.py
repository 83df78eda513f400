"""Full disks, foreign locks and kills: nothing half-applied, nothing acknowledged is lost, and it works again after."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chat.clock import Clock
from chat.errors import StoreBusy, StoreDamaged, StoreError, StoreFull, StoreReadOnly
from chat.settings import Settings
from chat.store import Store, connections, views
from chat.store.verify import verify
from tests.support import stories

TELL_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from chat.clock import Clock
from chat.settings import load_settings
from chat.store import Store
from tests.support import stories

async def tell(folder):
    store = await Store.open(load_settings(data_dir=folder), Clock())
    if not store.library.chats:
        await store.execute(lambda state: [*stories.cast(), *stories.chat("a"), *stories.chat("b")])
    count = store.head
    print(store.head, flush=True)
    while True:
        count += 1
        chat = "ab"[count % 2]
        branch = store.library.chats[chat].branch_id
        def go_on(state):
            step = state.world(chat).state.head_step + 1
            if count % 7 == 0 and step > 3:
                fork = f"{chat}-{count}"
                return [*stories.forked(chat, fork, branch, step - 2), *stories.exchange(chat, fork, step - 1)]
            return stories.exchange(chat, branch, step)
        commit = await store.execute(go_on)
        print(commit.head, flush=True)
        if count % 5 == 0:
            await store.checkpoint()
        if count % 23 == 0:
            await store.rebuild()

asyncio.run(tell(Path(sys.argv[1])))
"""


async def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(settings: Settings) -> None:
    """TRUST 89."""
    chance = random.Random(5)
    for _ in range(6):
        command = [sys.executable, "-c", TELL_UNTIL_KILLED, str(settings.data_dir)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        ) as teller:
            assert teller.stdout
            teller.stdout.readline()
            time.sleep(chance.uniform(0.02, 0.4))
            teller.kill()
            acknowledged = [int(line) for line in teller.stdout.read().splitlines() if line.isdigit()]
        assert verify(settings) == []
        store = await Store.open(settings, Clock())
        assert store.fault is None
        assert store.head >= max(acknowledged, default=0)
        await store.close()
        assert verify(settings) == []


async def test_a_full_disk_changes_nothing_and_the_story_goes_on_once_there_is_room(told: Store) -> None:
    """TRUST 91."""
    conn, head = told._live.conn, told.head
    before = conn.execute("select count(*), max(id) from event_log").fetchone()
    (pages,) = conn.execute("pragma page_count").fetchone()
    conn.execute(f"pragma max_page_count = {pages}")

    async def tell_until_full() -> None:
        for step in range(7, 400, 2):
            await told.execute(lambda state, s=step: stories.exchange("a", "a-1", s, "Long winded. " * 200))

    with pytest.raises(StoreFull, match="disk may be full"):
        await tell_until_full()
    stopped_at = told.head
    assert conn.execute("select max(id) from event_log").fetchone() == (stopped_at,)
    assert not conn.in_transaction
    async with told.reading() as reader:
        assert (await views.transcript(reader, told.library, "a")).turns
    conn.execute("pragma max_page_count = 1073741823")
    commit = await told.execute(lambda state: stories.exchange("b", "b-1", 3))
    assert commit.events[0].id == stopped_at + 1
    assert before[1] == head
    assert verify(told._settings) == []


async def test_a_lock_of_another_program_is_waited_for_off_the_event_loop(
    told: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRUST 96."""
    told._live.conn.execute("pragma busy_timeout = 300")
    other = sqlite3.connect(settings.db_path, isolation_level=None)
    other.execute("begin immediate")
    waiting = asyncio.create_task(told.execute(lambda state: stories.exchange("a", "a-1", 7)))
    beats = 0
    while not waiting.done():
        await asyncio.sleep(0.01)
        beats += 1
    assert beats > 10
    with pytest.raises(StoreBusy):
        await waiting
    async with told.reading() as reader:
        assert len((await views.transcript(reader, told.library, "a")).turns) == 6
    other.execute("rollback")
    other.close()
    await told.execute(lambda state: stories.exchange("a", "a-1", 7))
    assert verify(settings) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, StoreBusy),
        (sqlite3.SQLITE_BUSY | 2 << 8, StoreBusy),
        (sqlite3.SQLITE_PROTOCOL, StoreBusy),
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_IOERR | 3 << 8, StoreFull),
        (sqlite3.SQLITE_CORRUPT, StoreDamaged),
        (sqlite3.SQLITE_NOTADB, StoreDamaged),
        (sqlite3.SQLITE_READONLY, StoreReadOnly),
        (sqlite3.SQLITE_CANTOPEN, StoreError),
        (sqlite3.SQLITE_NOMEM, StoreError),
        (sqlite3.SQLITE_CONSTRAINT, StoreError),
    ],
)
def test_each_error_of_sqlite_has_its_own_meaning(code: int, expected: type[StoreError]) -> None:
    problem = sqlite3.OperationalError('near "secret words": syntax error')
    problem.sqlite_errorcode, problem.sqlite_errorname = code, "SQLITE_SOMETHING"
    with pytest.raises(expected) as raised, connections.translated():
        raise problem
    assert type(raised.value) is expected
    assert "secret" not in raised.value.message
    assert raised.value.next_step


async def test_readers_see_whole_commands_only_and_one_moment(told: Store) -> None:
    """While commands of two exchanges each are written, no reader ever sees an odd number of them."""
    stop = asyncio.Event()
    seen: set[int] = set()

    async def look() -> None:
        while not stop.is_set():
            async with told.reading() as reader:
                before = await reader.one("select count(*) from turns where chat_id = 'b'")
                await asyncio.sleep(0)
                after = await reader.one("select count(*) from turns where chat_id = 'b'")
                events = await reader.one(
                    "select count(*) from event_log where stream = 'chat:b' and kind = 'user_turn'"
                )
                assert before == after
                assert before is not None
                assert events is not None
                assert before[0] == 2 * events[0]
                seen.add(before[0])

    lookers = [asyncio.create_task(look()) for _ in range(3)]
    for number in range(15):
        step = 4 * number + 3
        await told.execute(
            lambda state, s=step: [*stories.exchange("b", "b-1", s), *stories.exchange("b", "b-1", s + 2)]
        )
    stop.set()
    await asyncio.gather(*lookers)
    assert all((count - 2) % 4 == 0 for count in seen)
    assert len(seen) > 2


async def test_more_readers_than_connections_wait_their_turn_and_a_cancelled_one_gives_its_place_back(
    told: Store,
) -> None:
    async def look(hold_s: float) -> int:
        async with told.reading() as reader:
            await asyncio.sleep(hold_s)
            return len(await views.chat_list(reader))

    stuck = [asyncio.create_task(look(3_600)) for _ in range(8)]
    async with asyncio.timeout(20):
        while len(told._readers._all) < 8:
            await asyncio.sleep(0.01)
    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)
    assert await asyncio.gather(*(look(0) for _ in range(20))) == [2] * 20
    assert len(told._readers._all) == 8


async def test_a_reader_cannot_write(told: Store) -> None:
    async with told.reading() as reader:
        with pytest.raises(StoreError):
            await reader.all("delete from drafts")
