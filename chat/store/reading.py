"""Reads for pages: pooled connections that cannot write, each lent for one read transaction.

What a reader sees is one moment: whole commands, never half of one. Readers never wait for the writer.
A read of many statements is done at once, on a thread, because every step to another thread and back costs more than
most statements do. A short one that somebody waits for is done where it is asked for: a thread beside a loop at work
gets the interpreter back after each statement only when the loop lets it go, and takes several times as long.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from chat.domain.records import Record, Row
from chat.errors import StoreBusy
from chat.store import connections
from chat.store.rows import select

R = TypeVar("R", bound=Record)
T = TypeVar("T")
Values = Sequence[Any] | Mapping[str, Any]
_MOST = 8


class Reader:
    """One read transaction. Not to be kept beyond its `async with`."""

    def __init__(self, conn: aiosqlite.Connection | sqlite3.Connection) -> None:
        self._conn = conn

    async def all(self, sql: str, values: Values = ()) -> Sequence[Row]:
        with connections.translated():
            if isinstance(self._conn, sqlite3.Connection):
                return self._conn.execute(sql, values).fetchall()
            return await self._conn.execute_fetchall(sql, values)  # type: ignore[return-value]

    async def one(self, sql: str, values: Values = ()) -> Row | None:
        rows = await self.all(sql, values)
        return rows[0] if rows else None

    async def records(self, record: type[R], rest: str, values: Values = ()) -> list[R]:
        """Whole rows of a record's table; `rest` is what follows its name in the statement."""
        rows = await self.all(f"{select(record.table)} {rest}", values)
        return [record.from_row(row) for row in rows]


class Readers:
    """At most eight connections, opened when first needed."""

    def __init__(self, path: Path, *, sealed: bool = False) -> None:
        self._path = path
        self.sealed = sealed
        self._free: list[aiosqlite.Connection] = []
        self._all: list[aiosqlite.Connection] = []
        self._places = asyncio.Semaphore(_MOST)
        self._plain: deque[sqlite3.Connection] = deque()
        self._near: deque[sqlite3.Connection] = deque()
        """Those of the event loop's thread, which must not wait for another program."""
        self._closed = False
        self._file = 0
        """Counts the databases that have been in this place; a connection to an earlier one is not lent again."""

    async def at_once(self, read: Callable[[Reader], Coroutine[Any, Any, T]], *, is_short: bool = False) -> T:
        """What a read comes to, done in one go. It may wait for nothing but its reader.

        One that `is_short` is done on the event loop's own thread, and on another one only where somebody has the file.
        """
        async with self._places:
            if is_short:
                with contextlib.suppress(StoreBusy):
                    return self._whole(read, self._near, 0)
            return await asyncio.to_thread(self._whole, read, self._plain, connections.BUSY_S)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        async with self._places:
            conn = self._free.pop() if self._free else await self._open()
            try:
                with connections.translated():
                    await conn.execute("begin")
                yield Reader(conn)
            finally:
                await asyncio.shield(self._give_back(conn))

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nobody reads inside, and whoever reads after it opens the file anew. One at a time may pause."""
        taken = 0
        try:
            while taken < _MOST:
                await self._places.acquire()
                taken += 1
            self._file += 1
            await self._let_go()
            yield
        finally:
            for _ in range(taken):
                self._places.release()

    async def close(self) -> None:
        self._closed = True
        await self._let_go()

    async def _let_go(self) -> None:
        while self._all:
            await self._all.pop().close()
        self._free.clear()
        for pool in (self._plain, self._near):
            while pool:
                pool.pop().close()

    def _whole(
        self,
        read: Callable[[Reader], Coroutine[Any, Any, T]],
        pool: deque[sqlite3.Connection],
        busy_s: float,
    ) -> T:
        """Runs on any thread. A caller that was cancelled meanwhile changes nothing here."""
        file = self._file
        conn = pool.pop() if pool else connections.read_only(self._path, sealed=self.sealed, busy_s=busy_s)
        try:
            with connections.translated():
                conn.execute("begin")
            return _driven(read(Reader(conn)))
        finally:
            with contextlib.suppress(sqlite3.OperationalError):  # the transaction never began
                conn.execute("rollback")
            if self._closed or file != self._file:
                conn.close()
            else:
                pool.append(conn)

    async def _open(self) -> aiosqlite.Connection:
        with connections.translated():
            address = connections.uri(self._path, sealed=self.sealed)
            conn = await aiosqlite.connect(address, uri=True, isolation_level=None)
            try:
                await conn.executescript(connections.READER)
            except BaseException:
                await conn.close()  # each has a thread of its own, which would stay
                raise
        self._all.append(conn)
        return conn

    async def _give_back(self, conn: aiosqlite.Connection) -> None:
        with contextlib.suppress(sqlite3.OperationalError):  # the transaction never began
            await conn.execute("rollback")
        self._free.append(conn)


def _driven(read: Coroutine[Any, Any, T]) -> T:
    """Run a read that has nothing to wait for to its end, without an event loop."""
    try:
        read.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    read.close()
    raise RuntimeError("A read that is done at once waited for something else.")
