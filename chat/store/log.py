"""Reads and appends lines of the event log. Nothing else in the program writes to it, and nothing changes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from chat.domain.events import CATALOGUE, ERASED, Event, NewEvent, Payload, WordsErased, decode, encode
from chat.errors import StoreDamaged
from chat.store.chain import GENESIS, SALT_BYTES, body_hash, next_hash
from chat.store.headfile import Head
from chat.store.progress import Reached, counted

_COLUMNS = "id, stream, branch_id, step, kind, version, ts, caused_by, payload_json"
_INSERT = f"insert into event_log ({_COLUMNS}, salt, hash) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_HEAD = "select id, hash from event_log order by id desc limit 1"
_HASH_OF = "select hash from event_log where id = ?"
_CHAINED = f"""
select {_COLUMNS.removesuffix(", payload_json")}, cast(payload_json as blob), salt, hash
from event_log where id > ? order by id
"""
SELECT = f"select {_COLUMNS} from event_log"
BLANK = "{}"
"""What an erased event says. No payload is ever without a field."""
_BLANK_BYTES = BLANK.encode()
TOLD = f"payload_json <> '{BLANK}'"
_ERASED_SINCE = (
    "select 1 from event_log where stream = 'library' and id > ? and kind = 'words_erased' limit 1"
)
_ERASURES = "select id, payload_json from event_log not indexed where kind = 'words_erased'"


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


def erased_since(conn: sqlite3.Connection, event_id: int) -> bool:
    """Whether words were deleted for good after an event: what was read up to there may repeat them."""
    return conn.execute(_ERASED_SINCE, (event_id,)).fetchone() is not None


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


def events_of(rows: Iterable[Sequence[Any]], *, with_blanks: bool = False) -> Iterator[Event]:
    """Events from rows of `SELECT`, without those whose words were erased. Raises UnknownEvent also for a blank.

    `with_blanks`: those of stories too, because a step stays taken although nobody can say what happened at it.
    """
    for event_id, stream, branch_id, step, kind, version, ts, caused_by, body in rows:
        if body != BLANK or kind not in CATALOGUE:
            data = decode(kind, version, body)
            yield Event(event_id, stream, branch_id, step, kind, data.version, ts, caused_by, data)
        elif with_blanks and step is not None:
            yield Event(event_id, stream, branch_id, step, kind, version, ts, caused_by, ERASED)


def check_chain(conn: sqlite3.Connection, after: Head, reached: Reached | None = None) -> Iterator[str]:
    """A sentence for each event behind `after` that does not follow from the one before it.

    Accepted gaps are the only missing ids, and erased events the only blank ones: in the place of its salt a blank
    has the hash of what it said. Reads the stored bytes, so any changed byte is seen. A log may be long, and each line
    of it costs a few microseconds here: nothing is made of it that is not compared.
    """
    (last_id, last_hash), erased = after, _Erased(conn)
    for row in counted(conn.execute(_CHAINED, (last_id,)), reached):
        event_id, kind, body, digest = row[0], row[4], row[8], row[10]
        if event_id != last_id + 1 and not _accepts_gap(kind, body, last_id):
            yield f"Events {last_id + 1} to {event_id - 1} are missing."
        if body == _BLANK_BYTES and kind in CATALOGUE:
            said = row[9]
            if not erased.names(event_id, row[1]):
                yield f"Event {event_id} ({kind}) is blank, and nothing says that it was erased."
        else:
            said = body_hash(row[9], body)
        if next_hash(last_hash, row[:8], said) != digest:
            yield f"Event {event_id} ({kind}) is not as it was written."
        last_id, last_hash = event_id, digest


class _Erased:
    """What the log says was erased; read when the first blank is met, because most logs have none."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    @cached_property
    def _told(self) -> list[tuple[int, frozenset[str], frozenset[int]]]:
        rows = self._conn.execute(_ERASURES).fetchall()
        said = [(row[0], decode("words_erased", 1, row[1])) for row in rows if row[1] != BLANK]
        return [
            (at, frozenset(one.streams), frozenset(one.events))
            for at, one in said
            if isinstance(one, WordsErased)
        ]

    def names(self, event_id: int, stream: str) -> bool:
        """A later event says that this one was erased; the library and the ledger never go as a whole."""
        as_chat = stream if stream.startswith("chat:") else ""
        return any(
            at > event_id and (as_chat in streams or event_id in events) for at, streams, events in self._told
        )


def _accepts_gap(kind: str, body: bytes, kept: int) -> bool:
    return kind == "log_gap_accepted" and getattr(decode(kind, 1, body), "kept_head_id", None) == kept


def must_follow(conn: sqlite3.Connection, after: Head) -> None:
    """Raise StoreDamaged with the first thing wrong behind `after`."""
    for problem in check_chain(conn, after):
        raise StoreDamaged(problem)
