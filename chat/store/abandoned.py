"""Rows that a far jump leaves behind: hidden in the moment of the jump, deleted later, a few at a time.

Nobody who reads through `rows.select` or the views ever sees a hidden row. A hidden row is never written to; a jump
to a line that shows one of their events must first delete them, or make all rows of the chat anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from chat.domain.edges import EdgeChange
from chat.domain.memories import Memory
from chat.store.rows import delete_rows

EVENTS_IN_A_PIECE = 2_000
"""Rows of so many events are deleted in one transaction: some hundredths of a second of the writer's time."""
_ROWS = (EdgeChange.table, Memory.table)
"""Each row has the id of the event it came of. Witnesses go with their memories."""
_OF_CHAT = "select from_event_id, before_event_id from abandoned where chat_id = ? order by from_event_id"
_HIDE = """
insert into abandoned (chat_id, from_event_id, before_event_id) values (?, ?, ?)
on conflict (chat_id, from_event_id) do update set before_event_id = max(before_event_id, excluded.before_event_id)
"""
_FORGET = "delete from abandoned where chat_id = ?"
_FORGET_ALL = "delete from abandoned"
_ANY = "select chat_id, from_event_id, before_event_id from abandoned limit 1"
_IS_ANY = "select exists (select 1 from abandoned)"
_CAME_OF = "event_id >= ? and event_id < ? and +chat_id = ?"
"""The plus keeps the rows from being looked for by their chat, which would read all that it has."""
_DONE = "delete from abandoned where chat_id = ? and from_event_id = ?"


class Span(NamedTuple):
    """Events from one up to another, which does not belong to it."""

    from_id: int
    before_id: int


def spans_without(from_id: int, before_id: int, event_ids: Sequence[int]) -> list[Span]:
    """What lies between two events, but for some (in their order)."""
    edges = [*event_ids, before_id]
    starts = [from_id, *(event_id + 1 for event_id in event_ids)]
    return [Span(start, end) for start, end in zip(starts, edges, strict=True) if start < end]


def hide(conn: sqlite3.Connection, chat_id: str, spans: Sequence[Span]) -> None:
    """From now on the rows that came of these events are gone for every reader. In a transaction."""
    conn.executemany(_HIDE, [(chat_id, *span) for span in spans])


def spans_of(conn: sqlite3.Connection, chat_id: str) -> list[Span]:
    return [Span(*row) for row in conn.execute(_OF_CHAT, (chat_id,))]


def forget(conn: sqlite3.Connection, chat_id: str | None = None) -> None:
    """No row of a chat, or of any, is hidden any more; the caller has seen to it that none needs to be."""
    conn.execute(*((_FORGET, (chat_id,)) if chat_id else (_FORGET_ALL, ())))


def is_any(conn: sqlite3.Connection) -> bool:
    return bool(conn.execute(_IS_ANY).fetchone()[0])


def delete(conn: sqlite3.Connection, chat_id: str, span: Span) -> None:
    """Delete rows of a chat, hidden or not."""
    for table in _ROWS:
        delete_rows(conn, table, _CAME_OF, (*span, chat_id))


def delete_some(conn: sqlite3.Connection) -> None:
    """Delete the rows of one piece of what is hidden, and note how far that came. In a transaction."""
    found = conn.execute(_ANY).fetchone()
    if found is None:
        return
    chat_id, from_id, before_id = found
    until = min(from_id + EVENTS_IN_A_PIECE, before_id)
    delete(conn, chat_id, Span(from_id, until))
    conn.execute(_DONE, (chat_id, from_id))
    if until < before_id:
        hide(conn, chat_id, [Span(until, before_id)])
