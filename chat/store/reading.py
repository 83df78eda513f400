"""Reads for pages: pooled connections that cannot write, each lent for one read transaction.

What a reader sees is one moment: whole commands, never half of one. Readers never wait for the writer.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from chat.domain.records import Record, Row
from chat.store import connections
from chat.store.rows import select

R = TypeVar("R", bound=Record)
_MOST = 8


class Reader:
    """One read transaction. Not to be kept beyond its `async with`."""

    def __init__(self, conn: aiosqlite.Connection) -> None:
        self._conn = conn

    async def all(self, sql: str, values: Iterable[Any] = ()) -> Sequence[Row]:
        with connections.translated():
            return await self._conn.execute_fetchall(sql, values)  # type: ignore[return-value]

    async def one(self, sql: str, values: Iterable[Any] = ()) -> Row | None:
        rows = await self.all(sql, values)
        return rows[0] if rows else None

    async def records(self, record: type[R], rest: str, values: Iterable[Any] = ()) -> list[R]:
        """Whole rows of a record's table; `rest` is what follows its name in the statement."""
        rows = await self.all(f"{select(record.table)} {rest}", values)
        return [record.from_row(row) for row in rows]


class Readers:
    """At most eight connections, opened when first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: list[aiosqlite.Connection] = []
        self._all: list[aiosqlite.Connection] = []
        self._places = asyncio.Semaphore(_MOST)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        async with self._places:
            conn = self._free.pop() if self._free else await self._open()
            try:
                await conn.execute("begin")
                yield Reader(conn)
            finally:
                await asyncio.shield(self._give_back(conn))

    async def close(self) -> None:
        while self._all:
            await self._all.pop().close()
        self._free.clear()

    async def _open(self) -> aiosqlite.Connection:
        with connections.translated():
            conn = await aiosqlite.connect(connections.uri(self._path), uri=True, isolation_level=None)
        self._all.append(conn)
        await conn.executescript(connections.READER)
        return conn

    async def _give_back(self, conn: aiosqlite.Connection) -> None:
        with contextlib.suppress(sqlite3.OperationalError):  # the transaction never began
            await conn.execute("rollback")
        self._free.append(conn)
