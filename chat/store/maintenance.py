"""What a person does to a database from the command line: rebuild it, list its log, accept a loss."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from functools import partial
from typing import Any, NamedTuple

from chat.clock import Clock
from chat.errors import EventsLost, StoreDamaged
from chat.settings import Settings
from chat.store import connections, mend
from chat.store.progress import Progress, silent
from chat.store.start import advise
from chat.store.store import Store

_FIXED_IN = (3, 51, 3)
_COUNT = "select count(*) from event_log"
_LIST = """
select id, stream, branch_id, step, kind, version, ts, caused_by, payload_json from event_log
where id > :after and (:stream = '' or stream = :stream) and (:kind = '' or kind = :kind)
order by id limit :limit
"""


class Rebuilt(NamedTuple):
    """How many events the tables were made of anew, and what else had to be done."""

    events: int
    warnings: tuple[str, ...]


def rebuild_all(settings: Settings, clock: Clock, progress: Progress = silent) -> Rebuilt:
    """Write every mirrored row anew, into a new file where the old one is damaged. Raises AlreadyRunning."""
    return asyncio.run(_rebuild(settings, clock, progress))


def list_events(
    settings: Settings, *, after: int = 0, limit: int = 50, stream: str = "", kind: str = ""
) -> list[dict[str, Any]]:
    """Lines of the log as they are stored, oldest first; also of kinds this program does not know."""
    values = {"after": after, "limit": limit, "stream": stream, "kind": kind}
    conn = connections.read_only(settings.db_path)
    try:
        with connections.translated():
            cursor = conn.execute(_LIST, values)
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
    finally:
        conn.close()
    return [row | {"data": json.loads(row.pop("payload_json"))} for row in rows]


async def accept_loss(settings: Settings, clock: Clock) -> str:
    """Let the log go on although events are gone; a sentence that says from where. Raises Refused if none are."""
    store = await Store.open(settings, clock)
    try:
        commit = await store.accept_loss()
        return f"The loss was accepted as event {commit.head}; the stories go on from what is left."
    finally:
        await store.close()


def sqlite_version() -> tuple[str, bool]:
    """The SQLite library in use, and whether it is free of the write-ahead log fault fixed in 3.51.3."""
    return sqlite3.sqlite_version, sqlite3.sqlite_version_info >= _FIXED_IN


async def _rebuild(settings: Settings, clock: Clock, progress: Progress) -> Rebuilt:
    store = await Store.open(settings, clock, serving=True)
    try:
        if isinstance(store.fault, StoreDamaged) and not isinstance(store.fault, EventsLost):
            raise store.fault  # nothing of it could be read
        await _written_anew(store, settings, clock, progress)
        async with store.reading() as reader:
            found = await reader.one(_COUNT)
        return Rebuilt(int(found[0]) if found else 0, tuple(store.warnings))
    finally:
        await store.close()


async def _written_anew(store: Store, settings: Settings, clock: Clock, progress: Progress) -> None:
    try:
        await store.rebuild(progress)
    except EventsLost:
        raise
    except StoreDamaged as fault:
        try:
            head = await asyncio.to_thread(mend.prepare, settings, clock)
        except StoreDamaged as problem:
            fault.message = f"{fault.message} Its log is not whole either: {problem.message}"
            await asyncio.to_thread(advise, settings, fault)
            raise fault from None
        await store.mend(partial(mend.decide, settings, clock, head))
