"""A read done at once: the same answers as statement by statement, of one moment, whatever happens around it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from chat.errors import NotFound
from chat.store import Reader, Store, views
from chat.store.reading import Readers
from tests.support import stories


async def test_a_read_done_at_once_tells_what_single_statements_tell(told: Store) -> None:
    async def both(reader: Reader) -> tuple[object, object]:
        return await views.transcript(reader, told.library, "a"), await views.world(reader, "b")

    async with told.reading() as reader:
        stepwise = await both(reader)
    assert await told.read(both) == stepwise


async def test_a_read_done_at_once_sees_one_moment(told: Store) -> None:
    loop = asyncio.get_running_loop()

    async def around_a_commit(reader: Reader) -> list[int]:
        before = await reader.one("select count(*) from turns")
        told_more = told.execute(lambda state: stories.exchange("b", "b-1", 3))
        asyncio.run_coroutine_threadsafe(told_more, loop).result(10)
        after = await reader.one("select count(*) from turns")
        return [row[0] for row in (before, after) if row]

    before, after = await told.read(around_a_commit)
    assert before == after
    now = await told.read(lambda reader: reader.one("select count(*) from turns"))
    assert now == (before + 2,)


async def test_a_failed_read_leaves_nothing_behind(told: Store) -> None:
    with pytest.raises(NotFound):
        await told.read(lambda reader: views.world(reader, "nowhere"))
    many = [told.read(lambda reader: views.world(reader, "a")) for _ in range(20)]
    assert {world.chat_id for world in await asyncio.gather(*many)} == {"a"}


async def test_a_read_that_waits_for_something_else_is_refused(told: Store) -> None:
    async def waits(reader: Reader) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="waited"):
        await told.read(waits)
    assert (await told.read(lambda reader: views.turn(reader, "a-1-1"))) is not None


async def test_a_read_whose_caller_is_cancelled_gives_its_connection_back(told: Store) -> None:
    reading = asyncio.create_task(told.read(lambda reader: views.world(reader, "a")))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await told.read(lambda reader: views.world(reader, "b"))).chat_id == "b"


async def where(reader: Reader) -> tuple[int, object]:
    return threading.get_ident(), await reader.one("select count(*) from turns")


async def test_a_short_read_is_done_where_it_is_asked_for_and_tells_the_same(told: Store) -> None:
    far, near = await told.read(where), await told.read(where, is_short=True)
    assert far[0] != near[0] == threading.get_ident()
    assert far[1] == near[1]
    await told.execute(lambda state: stories.exchange("b", "b-1", 3))
    assert await told.read(where, is_short=True) != near
    assert (await told.read(where, is_short=True))[1] == (await told.read(where))[1]


async def test_a_short_read_goes_to_a_thread_where_another_program_has_the_file(tmp_path: Path) -> None:
    """The event loop must go on: the other program may keep it for seconds."""
    path = tmp_path / "kept.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("create table turns (id integer)")
    readers = Readers(path)
    assert (await readers.at_once(where, is_short=True))[0] == threading.get_ident()
    other.execute("begin exclusive")
    reading = asyncio.create_task(readers.at_once(where, is_short=True))
    await asyncio.sleep(0.05)
    assert not reading.done(), "it waits, and nobody else does"
    other.execute("commit")
    thread, count = await asyncio.wait_for(reading, 20)
    assert (thread != threading.get_ident(), count) == (True, (0,))
    await readers.close()
    other.close()
