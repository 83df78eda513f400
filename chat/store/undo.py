"""What stood in a chat's tables before each of its recent commits, so that going back a little costs a little.

The steps of a chat describe the line that is selected now, without a gap: undoing all of them from one on gives the
rows as they were before that step's first event. Whoever changes rows of a chat without `keep` must call `forget`.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import msgspec

from chat.domain.memories import Memory, Witness
from chat.domain.records import Row
from chat.domain.tables import PER_CHAT, TABLES
from chat.store.rows import HIDEABLE, Buffer, drop_rows, is_key, put_rows, select

KEPT_STEPS = 2_000
"""For each chat: about five hundred exchanges. What lies before it is folded from a snapshot or from the start."""
TAIL_EVENTS = 1_000
"""So many of the last events are folded with undo, so that going back a little from there is near again."""
_PRUNE_EVERY = 64
_CHECKSUM_BYTES = 4
_KEEP = "insert into undo_rows (chat_id, first_event_id, images) values (?, ?, ?)"
_FORGET = "delete from undo_rows where chat_id = ?"
_FORGET_FROM = "delete from undo_rows where chat_id = ? and first_event_id >= ?"
_FORGET_ALL = "delete from undo_rows"
_PRUNE = """
delete from undo_rows where chat_id = :chat and first_event_id < (
    select first_event_id from undo_rows where chat_id = :chat order by first_event_id desc limit 1 offset :kept
)
"""
_STEP_AT = "select max(first_event_id) from undo_rows where chat_id = ? and first_event_id <= ?"
_OLDEST = "select min(first_event_id) from undo_rows where chat_id = ?"
_STEPS_FROM = """
select images from undo_rows where chat_id = ? and first_event_id >= ? order by first_event_id desc
"""
_HAS_OWN_ROWIDS = "select count(*) from pragma_table_list where name = ? and wr = 0"
_KEY_KIND = "select type from pragma_table_info(?) where pk = 1"
_CHILDREN = """
select child.name, key."from", key."to" from pragma_table_list child, pragma_foreign_key_list(child.name) key
where key."table" = ? and key.on_delete = 'CASCADE' order by child.name, key.seq
"""

Image = tuple[str, Row, Row | None]
"""A table, a key, and the row that stood there; None when there was none."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Image]).decode


class Damaged(Exception):
    """A step cannot be read or leads somewhere else; the chat is to be folded anew."""


def keep(conn: sqlite3.Connection, buffer: Buffer, first_events: Mapping[str, int]) -> None:
    """Note what stands where the waiting changes will be written. `first_events`: by chat, the first that made them."""
    found: dict[str, list[Image]] = {}
    gaps: set[str] = set()
    for chat_id, image, comes_back in _images(conn, buffer, first_events):
        found.setdefault(chat_id, []).append(image)
        if not comes_back or chat_id not in first_events:
            gaps.add(chat_id)
    for chat_id, images in found.items():
        if chat_id in gaps:
            forget(conn, chat_id)
        else:
            _add(conn, chat_id, first_events[chat_id], images)


def _add(conn: sqlite3.Connection, chat_id: str, first_event_id: int, images: list[Image]) -> None:
    content = _encode(images)
    checksum = zlib.crc32(content).to_bytes(_CHECKSUM_BYTES)
    step = conn.execute(_KEEP, (chat_id, first_event_id, checksum + content)).lastrowid
    if not (step or 0) % _PRUNE_EVERY:
        conn.execute(_PRUNE, {"chat": chat_id, "kept": KEPT_STEPS})


def step_at(conn: sqlite3.Connection, chat_id: str, event_id: int) -> int | None:
    """The first event of the step to undo to stand before an event; None when that is too long ago."""
    found: int | None = conn.execute(_STEP_AT, (chat_id, event_id)).fetchone()[0]
    return found


def oldest(conn: sqlite3.Connection, chat_id: str) -> int | None:
    """The first event of the oldest step that is kept."""
    found: int | None = conn.execute(_OLDEST, (chat_id,)).fetchone()[0]
    return found


def back_to(conn: sqlite3.Connection, chat_id: str, first_event_id: int) -> None:
    """Write the rows of a chat as they were before a step, and forget the steps undone. Raises Damaged."""
    merged: dict[tuple[str, Row], Row | None] = {}
    for (content,) in conn.execute(_STEPS_FROM, (chat_id, first_event_id)):
        for table, key, row in _read(content):
            merged[table, key] = row
    _write(conn, merged)
    conn.execute(_FORGET_FROM, (chat_id, first_event_id))


def forget(conn: sqlite3.Connection, chat_id: str | None = None) -> None:
    """Keep nothing of a chat, or of any: what is derived from erased words goes, and gaps are never undone across."""
    conn.execute(*((_FORGET, (chat_id,)) if chat_id else (_FORGET_ALL, ())))


def _read(content: bytes) -> list[Image]:
    checksum, images = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    if zlib.crc32(images).to_bytes(_CHECKSUM_BYTES) != checksum:
        raise Damaged
    return _decode(images)


def _write(conn: sqlite3.Connection, merged: Mapping[tuple[str, Row], Row | None]) -> None:
    drops: dict[str, list[Row]] = {table: [] for table in PER_CHAT}
    puts: dict[str, list[Row]] = {table: [] for table in PER_CHAT}
    for (table, key), row in merged.items():
        if row is None:
            drops[table].append(key)
        else:
            puts[table].append(row)
    for table in reversed(PER_CHAT):
        drop_rows(conn, table, drops[table])
    for table in PER_CHAT:
        put_rows(conn, table, puts[table])


def _images(
    conn: sqlite3.Connection, buffer: Buffer, first_events: Mapping[str, int]
) -> Iterator[tuple[str, Image, bool]]:
    """Chat and image of every row that will change, and whether it can be put back in its place.

    Where a far jump folds over the rows of another line, some stand there already that come only now.
    """
    early: set[str] = set()
    for table in PER_CHAT:
        record, sql = TABLES[table], _row_sql(table)
        chat_at = record.__struct_fields__.index("chat_id")
        for key, put, is_dropped in buffer.waiting(table):
            row = conn.execute(sql, key).fetchone()
            if row is not None and table in HIDEABLE and _is_early(table, row, first_events, early):
                yield row[chat_at], (table, key, None), True
            elif row is not None and is_dropped:
                yield from _with_children(conn, table, key, row)
            elif row is not None:
                yield row[chat_at], (table, key, row), True
            elif put is not None:
                yield put[chat_at] if isinstance(put, list) else put.chat_id, (table, key, None), True  # type: ignore[attr-defined]


def _is_early(table: str, row: Row, first_events: Mapping[str, int], early: set[str]) -> bool:
    """Whether a row came of a later event than the first of its step. `early` are the memories that did."""
    if table == Witness.table:
        return row[0] in early
    names = TABLES[table].__struct_fields__
    is_early: bool = row[0] >= first_events.get(row[names.index("chat_id")], row[0] + 1)
    if is_early and table == Memory.table:
        early.add(row[1])
    return is_early


def _with_children(
    conn: sqlite3.Connection, table: str, key: Row, row: Row
) -> Iterator[tuple[str, Image, bool]]:
    """A row that is dropped, and the rows that go with it."""
    names = TABLES[table].__struct_fields__
    yield row[names.index("chat_id")], (table, key, row), not is_listed_by_arrival(conn, table)
    for child, own, parents in _children(conn, table):
        record = TABLES[child]
        where = " and ".join(f"{name} = ?" for name in own)
        values = [row[names.index(name)] for name in parents]
        for lost in conn.execute(f"{select(child)} where {where}", values).fetchall():
            lost_key = tuple(lost[record.__struct_fields__.index(name)] for name in record.key)
            yield from _with_children(conn, child, lost_key, lost)


@cache
def _row_sql(table: str) -> str:
    return f"{select(table)} where {is_key(table)}"


def is_listed_by_arrival(conn: sqlite3.Connection, table: str) -> bool:
    """Rows have a hidden number of their own, by which they are listed, and one that comes back gets another."""
    (hidden,) = conn.execute(_HAS_OWN_ROWIDS, (table,)).fetchone()
    (kind,) = conn.execute(_KEY_KIND, (table,)).fetchone()
    return bool(hidden) and kind != "INTEGER"


def _children(conn: sqlite3.Connection, table: str) -> Iterable[tuple[str, list[str], list[str]]]:
    """Tables of the selected line whose rows go with a row of this one: own columns, and the parent's."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for child, own, parent in conn.execute(_CHILDREN, (table,)).fetchall():
        if child in PER_CHAT:
            columns = found.setdefault(child, ([], []))
            columns[0].append(own)
            columns[1].append(parent or TABLES[table].key[0])
    return [(child, *columns) for child, columns in found.items()]
