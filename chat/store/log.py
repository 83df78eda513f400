"""Reads and appends lines of the event log. Nothing else in the program writes to it, and nothing changes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from chat.domain.events import Event, NewEvent, Payload, decode, encode
from chat.errors import StoreDamaged
from chat.store.chain import GENESIS, SALT_BYTES, body_hash, next_hash
from chat.store.headfile import Head

_COLUMNS = "id, stream, branch_id, step, kind, version, ts, caused_by, payload_json"
_INSERT = f"insert into event_log ({_COLUMNS}, salt, hash) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_HEAD = "select id, hash from event_log order by id desc limit 1"
_HASH_OF = "select hash from event_log where id = ?"
_CHAINED = f"""
select {_COLUMNS.removesuffix(", payload_json")}, cast(payload_json as blob), salt, hash
from event_log where id > ? order by id
"""
SELECT = f"select {_COLUMNS} from event_log"


def head(conn: sqlite3.Connection) -> Head:
    """The last event, or id 0 and the genesis hash for an empty log."""
    found = conn.execute(_HEAD).fetchone()
    return Head(*found) if found else Head(0, GENESIS)


def hash_of(conn: sqlite3.Connection, event_id: int) -> bytes | None:
    """The stored hash of one event; the genesis hash for id 0."""
    if event_id == 0:
        return GENESIS
    found = conn.execute(_HASH_OF, (event_id,)).fetchone()
    return found[0] if found else None


def append(
    conn: sqlite3.Connection,
    after: Head,
    new: Sequence[NewEvent],
    ts: str,
    caused_by: str | None,
    salts: bytes,
) -> tuple[tuple[Event, ...], Head]:
    """Write events behind `after` (whose id and hash the first one follows); the caller holds the transaction."""
    events, rows, last = [], [], after
    for index, one in enumerate(new):
        data, salt = one.data, salts[index * SALT_BYTES : (index + 1) * SALT_BYTES]
        envelope = (last.id + 1, one.stream, one.branch_id, one.step, data.kind, data.version, ts, caused_by)
        body = encode(data)
        last = Head(last.id + 1, next_hash(last.hash, envelope, body_hash(salt, body)))
        rows.append((*envelope, body.decode(), salt, last.hash))
        events.append(Event(*envelope, data))
    conn.executemany(_INSERT, rows)
    return tuple(events), last


def write_back(conn: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Lines as they were stored elsewhere, in their order, into an empty log; the caller holds the transaction."""
    conn.executemany(_INSERT, rows)


def event_of(row: Sequence[Any]) -> Event:
    """An event from a row of `SELECT`. Raises UnknownEvent; an event is never skipped."""
    kind, version = row[4], row[5]
    data: Payload = decode(kind, version, row[8])
    return Event(row[0], row[1], row[2], row[3], kind, data.version, row[6], row[7], data)


def events_of(rows: Iterable[Sequence[Any]]) -> Iterator[Event]:
    return map(event_of, rows)


def check_chain(conn: sqlite3.Connection, after: Head) -> Iterator[str]:
    """A sentence for each event behind `after` that does not follow from the one before it.

    Accepted gaps are the only missing ids. Reads the stored bytes, so any changed byte is seen.
    """
    last = after
    for *envelope, body, salt, digest in conn.execute(_CHAINED, (after.id,)):
        if envelope[0] != last.id + 1 and not _accepts_gap(envelope[4], body, last.id):
            yield f"Events {last.id + 1} to {envelope[0] - 1} are missing."
        if next_hash(last.hash, envelope, body_hash(salt, body)) != digest:
            yield f"Event {envelope[0]} ({envelope[4]}) is not as it was written."
        last = Head(envelope[0], digest)


def _accepts_gap(kind: str, body: bytes, kept: int) -> bool:
    return kind == "log_gap_accepted" and getattr(decode(kind, 1, body), "kept_head_id", None) == kept


def must_follow(conn: sqlite3.Connection, after: Head) -> None:
    """Raise StoreDamaged with the first thing wrong behind `after`."""
    for problem in check_chain(conn, after):
        raise StoreDamaged(problem)
