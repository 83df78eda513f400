"""Says whether the stories on disk are whole: the chain, the mirror, the search index, the file itself.

Works on a copy taken in one moment, so it never writes to the live file and may run beside a server.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from chat.domain.events import chat_stream
from chat.domain.records import Row
from chat.domain.tables import PER_CHAT, TABLES
from chat.errors import ChatError
from chat.settings import Settings
from chat.store import connections, headfile, log, migrate, undo
from chat.store.chain import GENESIS
from chat.store.headfile import Head
from chat.store.heads import compare_heads, gone
from chat.store.progress import Progress, along, silent
from chat.store.rebuild import project
from chat.store.rows import select
from chat.store.work_folders import work_folder

_MOST_OF_A_KIND = 20
_COPY_PAGES = -1
"""All in one step: a copy in steps starts over at every write and never ends."""

_WHAT_TO_DO = "`chat doctor` says what can be done about it."
_FTS_CHECK = "insert into memories_fts (memories_fts, rank) values ('integrity-check', 1)"
_OLDEST_STEPS = "select chat_id, min(first_event_id) from undo_rows group by chat_id"
_UNDO_LEADS_ELSEWHERE = "What is kept for going back is not what the log told; `chat rebuild` makes it anew."
_CURSOR = "select cursor from projector"


def verify(settings: Settings, progress: Progress = silent) -> list[str]:
    """Everything that is wrong, a sentence each; empty when all is well. Takes time in proportion to the file."""
    if lost := gone(settings):
        return [f"{lost.message} {lost.next_step}"]
    if not settings.db_path.exists():
        return [f"There is no database at {settings.db_path}; the first start makes it."]
    known = headfile.read(settings.head_path)  # first, because a running server moves the log on meanwhile
    with work_folder(settings, "verify") as folder:
        copy, scratch = folder / "copy.db", folder / "scratch.db"
        try:
            progress("Copying the database", 0.0)
            _copy(settings.db_path, copy)
            conn = connections.scratch(copy)
        except (sqlite3.Error, ChatError) as problem:
            return [f"The database cannot be read: {_sentence(problem)}", _WHAT_TO_DO]
        found = []
        try:
            for finding in _findings(conn, scratch, known, progress):
                found.append(finding)
        except (sqlite3.Error, ChatError) as problem:
            found.append(f"The check could not be finished: {_sentence(problem)}")
            found += [] if any("`chat " in finding for finding in found) else [_WHAT_TO_DO]
        finally:
            conn.close()
        return found


def _sentence(problem: Exception) -> str:
    """Ours are sentences, SQLite's are none."""
    return f"{str(problem).rstrip('.')}."


def _copy(source: Path, target: Path) -> None:
    reading = connections.read_only(source)
    copied = sqlite3.connect(target)
    try:
        reading.backup(copied, pages=_COPY_PAGES)
    finally:
        copied.close()
        reading.close()


def _findings(
    conn: sqlite3.Connection, scratch: Path, known: Head | None, progress: Progress
) -> Iterator[str]:
    progress("Checking the file", 0.0)
    yield from _few(_file_problems(conn))
    if migrate.pending(conn, migrate.shipped()):
        yield "The database is older than this program; start it once, then verify again."
        return
    last = log.head(conn).id
    yield from _few(log.check_chain(conn, Head(0, GENESIS), along(progress, "Checking the chain", last)))
    found = compare_heads(conn, known)
    if found.fault:
        yield found.fault.message
    elif found.warning:
        yield found.warning
    mirror = list(_mirror_problems(conn, scratch, progress))
    yield from mirror
    yield from _index_problems(conn)
    if not mirror:
        yield from _undo_problems(conn, scratch.with_name("undone.db"), progress)


def _file_problems(conn: sqlite3.Connection) -> Iterator[str]:
    for (line,) in conn.execute("pragma integrity_check"):
        if line != "ok":
            yield f"SQLite finds the file damaged: {line}."
    for table in sorted({row[0] for row in conn.execute("pragma foreign_key_check")}):
        yield f"Rows of {table} belong to something that is not there."


def _index_problems(conn: sqlite3.Connection) -> Iterator[str]:
    try:
        conn.execute(_FTS_CHECK)
    except sqlite3.DatabaseError:
        yield "The search index of the memories does not match them; `chat rebuild` makes it anew."


def _mirror_problems(conn: sqlite3.Connection, scratch: Path, progress: Progress) -> Iterator[str]:
    """Fold the log into an empty database and compare every table with it, row by row."""
    (cursor,) = conn.execute(_CURSOR).fetchone()
    if cursor != log.head(conn).id:
        yield f"The tables follow the log up to event {cursor} of {log.head(conn).id}."
    fresh = connections.scratch(scratch)
    try:
        fresh.execute("begin")
        migrate.create(fresh)
        project(conn, fresh, reached=along(progress, "Telling the log again", log.head(conn).id))
        for number, table in enumerate(TABLES):
            progress("Comparing every row", number / len(TABLES))
            yield from _few(_differences(table, conn, fresh))
    finally:
        fresh.close()


def _undo_problems(conn: sqlite3.Connection, scratch: Path, progress: Progress) -> Iterator[str]:
    """Undo every chat as far as that is kept, and hold what then stands there against what the log told by then."""
    ends = dict(conn.execute(_OLDEST_STEPS).fetchall())
    fresh = connections.scratch(scratch)
    try:
        fresh.execute("begin")
        migrate.create(fresh)
        reached = along(progress, "Checking the way back", log.head(conn).id)
        project(conn, fresh, {chat_stream(chat_id): end for chat_id, end in ends.items()}, reached)
        conn.execute("begin")
        for chat_id, end in ends.items():
            undo.back_to(conn, chat_id, end)
        if any(True for table in PER_CHAT for _ in _differences(table, conn, fresh)):
            yield _UNDO_LEADS_ELSEWHERE
    except undo.Damaged:
        yield _UNDO_LEADS_ELSEWHERE
    finally:
        fresh.close()
        if conn.in_transaction:
            conn.execute("rollback")


def _differences(table: str, live: sqlite3.Connection, fresh: sqlite3.Connection) -> Iterator[str]:
    """Both sides walked in the order of their keys, so that one missing row is one finding."""
    rows = merge(_keyed(live, table, "here"), _keyed(fresh, table, "told"), key=itemgetter(0))
    for key, sides in groupby(rows, key=itemgetter(0)):
        found = {side: row for _, side, row in sides}
        which = f"{table} {' '.join(map(str, key))}"
        if "here" not in found:
            yield f"A row is missing: {which}."
        elif "told" not in found:
            yield f"The log knows nothing of the row {which}."
        elif found["here"] != found["told"]:
            pairs = zip(TABLES[table].__struct_fields__, found["here"], found["told"], strict=True)
            yield f"The log tells otherwise about {which}: {', '.join(n for n, is_, was in pairs if is_ != was)}."


def _keyed(conn: sqlite3.Connection, table: str, side: str) -> Iterator[tuple[Row, str, Row]]:
    record = TABLES[table]
    indexes = [record.__struct_fields__.index(name) for name in record.key]
    for row in conn.execute(f"{select(table)} order by {', '.join(record.key)}"):
        yield tuple(row[index] for index in indexes), side, row


def _few(problems: Iterator[str]) -> Iterator[str]:
    """The first of a kind, and that there are more; one damaged page must not fill the screen."""
    for count, problem in enumerate(problems):
        if count == _MOST_OF_A_KIND:
            yield "And more of the same kind."
            return
        yield problem
