"""What happens between opening the file and the first command: schema, lost events, and a mirror that is behind.

Costs O(events after the last one known), never O(log), unless the program that folds them has changed.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

import msgspec

from chat.clock import Clock
from chat.domain.events import LogGapAccepted, ledger
from chat.errors import EventsLost, MigrationFailed, Refused, StoreDamaged
from chat.settings import Settings
from chat.store import connections, headfile, log, migrate, swap
from chat.store.headfile import Head, HeadFile
from chat.store.live import Live
from chat.store.rebuild import rebuild
from chat.store.state import Commit

_PROJECTOR = "select cursor, fingerprint from projector"
_TAIL = f"{log.SELECT} where id > ? order by id"
_GAPS = "select payload_json from event_log where kind = 'log_gap_accepted' and id > ? order by id"
_HAS_LOG = "select count(*) from sqlite_master where name = 'event_log'"
_TOO_OLD = (
    "The database is older than this program and was opened for reading only.",
    "Start the program once; it brings the database up to date.",
)
Warn = Callable[[str], None]


class Findings(NamedTuple):
    """What the head file says about the log. A fault means: read, but write nothing."""

    head: Head
    fault: StoreDamaged | None = None
    warning: str = ""


def open_live(settings: Settings, clock: Clock, *, read_only: bool, warn: Warn) -> Live:
    """The live store, ready for commands. Runs on the writer's thread; the folder is locked unless `read_only`."""
    if not read_only:
        swap.finish(settings)
    conn = connections.read_only(settings.db_path) if read_only else connections.writer(settings.db_path)
    with connections.closing_on_error(conn), connections.translated():
        known = headfile.read(settings.head_path)
        todo = migrate.pending(conn, migrate.shipped())
        if todo and conn.execute(_HAS_LOG).fetchone()[0]:
            _must_be_whole(compare_heads(conn, known))
        if todo and read_only:
            raise MigrationFailed(*_TOO_OLD)
        if todo:
            migrate.migrate(conn, settings.backups_dir, clock.timestamp())
        found = compare_heads(conn, known)
        if found.warning:
            warn(found.warning)
        live = Live(conn, clock, found.head, None, found.fault)
        if not read_only:
            _make_ready(live, HeadFile(settings.head_path))
    return live


def _make_ready(live: Live, head_file: HeadFile) -> None:
    live.head_file = head_file
    if live.fault:
        return
    try:
        follow(live, fingerprint())
    except BaseException:
        head_file.close()
        raise
    live.note_head()


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


def fingerprint() -> str:
    """Changes when anything that decides the mirrored rows does: the fold's own source, or the schema."""
    return _fingerprint(tuple(migration.checksum for migration in migrate.shipped()))


@cache
def _fingerprint(schema: tuple[str, ...]) -> str:
    digest = hashlib.sha256("".join(schema).encode())
    for source in _sources(importlib.resources.files("chat.domain")):
        digest.update(source)
    return digest.hexdigest()


def _sources(folder: Traversable) -> Iterator[bytes]:
    """Every Python file below a folder, in the order of names."""
    for item in sorted(folder.iterdir(), key=lambda one: one.name):
        if item.is_dir():
            yield from _sources(item)
        elif item.name.endswith(".py"):
            yield item.read_bytes()


def rebuild_live(live: Live, folded_by: str = "") -> None:
    """Write the whole mirror anew, in one transaction."""
    live.replace_mirror(lambda conn: rebuild(conn, folded_by or fingerprint()))


def accept_loss(live: Live, head_path: Path) -> Commit:
    """Say in the log that events are gone and go on above the last known id, so that no id comes twice."""
    known = headfile.read(head_path)
    if known is None or not isinstance(live.fault, EventsLost):
        raise Refused("No events are missing, so there is no loss to accept.")
    kept, live.fault = live.head, None
    follow(live, fingerprint())
    gap = LogGapAccepted(lost_head_id=known.id, lost_head_hash=known.hash.hex(), kept_head_id=kept.id)
    return live.append_after(Head(max(known.id, kept.id), kept.hash), [ledger(gap)])


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


def follow(live: Live, folded_by: str) -> None:
    """Bring the mirror to the log's head: nothing to do, the tail, or everything when the fold has changed."""
    cursor, mirrored_by = live.conn.execute(_PROJECTOR).fetchone()
    if mirrored_by != folded_by or cursor > live.head.id:
        rebuild_live(live, folded_by)
    elif cursor < live.head.id:
        live.catch_up(log.events_of(live.conn.execute(_TAIL, (cursor,))))


def _must_be_whole(found: Findings) -> None:
    """Nothing is migrated while events are missing: the file stays as it is until that is settled."""
    if found.fault:
        raise found.fault
