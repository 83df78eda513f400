"""Holds the file that remembers the last event against the log: behind is normal, ahead means events were lost."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import msgspec

from chat.domain.events import LogGapAccepted
from chat.errors import EventsLost, StoreDamaged
from chat.settings import Settings
from chat.store import headfile, log
from chat.store.headfile import Head

_GAPS = "select payload_json from event_log where kind = 'log_gap_accepted' and id > ? order by id"


class Findings(NamedTuple):
    """What the head file says about the log. A fault means: read, but write nothing."""

    head: Head
    fault: StoreDamaged | None = None
    warning: str = ""


def gone(settings: Settings) -> EventsLost | None:
    """What to say where the head file knows of events and there is no database that could hold them."""
    known, path = headfile.read(settings.head_path), settings.db_path
    if known is None or not known.id or (path.exists() and path.stat().st_size):
        return None
    return EventsLost(
        f"The database is gone or empty, and {known.id:,} events of your stories were in it.",
        f"Put {path} back if you have it. To begin with nothing, move {settings.head_path} away.",
    )


def compare_heads(conn: sqlite3.Connection, known: Head | None) -> Findings:
    """Hold the head file against the log. Behind is normal after a kill; ahead or other means lost events."""
    head = log.head(conn)
    if known is None:
        missing = "The file that remembers the last event is missing; the log as it is was taken for whole."
        return Findings(head, warning=missing if head.id else "")
    if known == head:
        return Findings(head)
    try:
        log.must_follow(conn, _shared(conn, known, head))
    except StoreDamaged as fault:
        return Findings(head, fault)
    return Findings(head)


def _shared(conn: sqlite3.Connection, known: Head, head: Head) -> Head:
    """The last event that both the head file and the log have. Raises EventsLost."""
    if known.id <= head.id and log.hash_of(conn, known.id) == known.hash:
        return known
    for (body,) in conn.execute(_GAPS, (known.id,)):
        gap = msgspec.json.decode(body, type=LogGapAccepted)
        kept = log.hash_of(conn, gap.kept_head_id)
        if (gap.lost_head_id, gap.lost_head_hash) == (known.id, known.hash.hex()) and kept is not None:
            return Head(gap.kept_head_id, kept)
    raise EventsLost(
        f"Events of your stories are gone: the last one known was number {known.id}, "
        f"and the log ends at {head.id} or tells another story there."
    )
