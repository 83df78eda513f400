"""Writes every mirrored row anew from the log, in one pass and in constant memory beside what is open.

The library comes first, because what is visible depends on the branches that are selected in the end.
"""

from __future__ import annotations

import sqlite3

from chat.domain import landmarks, turns
from chat.domain import ledger as ledgers
from chat.domain import library as libraries
from chat.domain import world as worlds
from chat.domain.events import LEDGER, LIBRARY, chat_stream
from chat.domain.ledger import Ledger
from chat.domain.library import Library
from chat.domain.records import Put
from chat.domain.tables import TABLES
from chat.domain.world import World
from chat.errors import StoreDamaged
from chat.store import log
from chat.store.rows import Buffer

_FLUSH_AT = 2_000
_LIBRARY_EVENTS = f"{log.SELECT} where stream = '{LIBRARY}' order by id"
_OTHER_EVENTS = f"{log.SELECT} where stream <> '{LIBRARY}' order by id"
_TRIGGERS = "select name, sql from sqlite_master where type = 'trigger' and tbl_name = 'memories'"
_FTS = "insert into memories_fts (memories_fts) values (?)"
_DONE = "update projector set cursor = (select coalesce(max(id), 0) from event_log), fingerprint = ?"


def rebuild(conn: sqlite3.Connection, fingerprint: str) -> None:
    """Replace the mirror of a database by what its own log says.

    The caller holds the transaction and has the checks of foreign keys off; they are made here, all at once.
    """
    triggers = conn.execute(_TRIGGERS).fetchall()
    for name, _ in triggers:
        conn.execute(f"drop trigger {name}")
    for table in reversed(TABLES):
        conn.execute(f"delete from {table}")
    project(conn, conn)
    conn.execute(_FTS, ("rebuild",))
    for _, sql in triggers:
        conn.execute(sql)
    if (stray := conn.execute("pragma foreign_key_check").fetchone()) is not None:
        raise StoreDamaged(f"The log tells of something that belongs to no chat (in {stray[0]}).")
    conn.execute(_DONE, (fingerprint,))


def project(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Fold the log of `source` into the empty mirror tables of `target` (which may be the same)."""
    buffer = Buffer(target)
    library = _library(source, buffer)
    cuts = {chat_stream(chat_id): dict(library.lineage(chat_id)) for chat_id in library.chats}
    known: dict[str, World] = {stream: worlds.empty(stream.removeprefix("chat:")) for stream in cuts}
    ledger = Ledger()
    last_steps: dict[str, int] = {}
    for event in log.events_of(source.execute(_OTHER_EVENTS)):
        stream = event.stream
        if stream == LEDGER:
            ledger, changes = ledgers.evolve(ledger, event)
        else:
            changes = turns.changes(event) + landmarks.changes(event)
            branch, step = event.branch_id or "", event.step or 0
            last_steps[branch] = max(last_steps.get(branch, 0), step)
            if step <= cuts[stream].get(branch, -1):
                known[stream], more = worlds.evolve(known[stream], event)
                changes += more[:-1]  # the last is always the state's row, which is written once, at the end
        buffer.take(changes)
        if buffer.size > _FLUSH_AT:
            buffer.flush()
    buffer.take(landmarks.all_left(library, last_steps))
    buffer.take([Put(world.state) for world in known.values() if world.state.last_ts])
    buffer.flush()


def _library(source: sqlite3.Connection, buffer: Buffer) -> Library:
    library = Library()
    for event in log.events_of(source.execute(_LIBRARY_EVENTS)):
        library, changes = libraries.evolve(library, event)
        buffer.take(changes)
    buffer.flush()
    return library
