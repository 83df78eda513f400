"""What happens between opening the file and the first command: schema, lost events, and a mirror that is behind.

Costs O(events after the last one known), never O(log), unless the program that folds them has changed.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from chat.clock import Clock
from chat.domain.events import LogGapAccepted, ledger
from chat.errors import ChatError, EventsLost, MigrationFailed, Refused, StoreDamaged, StoreError, StoreFull
from chat.settings import Settings
from chat.store import backup, connections, headfile, log, migrate, scrub, snapshots, swap
from chat.store.access import files_translated, is_sealed
from chat.store.fingerprint import fingerprint
from chat.store.headfile import Head, HeadFile
from chat.store.heads import Findings, compare_heads, gone
from chat.store.live import Live
from chat.store.progress import Progress, silent
from chat.store.rebuild import rebuild
from chat.store.snapshots import Snapshots
from chat.store.state import Commit

_PROJECTOR = "select cursor, fingerprint from projector"
_TAIL = f"{log.SELECT} where id > ? order by id"
_HAS_LOG = "select count(*) from sqlite_master where name = 'event_log'"
_TOO_OLD = (
    "The database is older than this program and was opened for reading only.",
    "Start the program once; it brings the database up to date.",
)
_STILL_THERE = "Deleted words could not be taken out of the files yet; the next start tries again."
Warn = Callable[[str], None]


def open_live(
    settings: Settings, clock: Clock, *, read_only: bool, warn: Warn, hindered: StoreError | None = None
) -> Live:
    """The live store, ready for commands. Runs on the writer's thread; the folder is locked unless `read_only`.

    `hindered` says why nothing can be written at present; then the store can be read and has that for its fault,
    as it has when the disk turns out to be full.
    """
    try:
        with files_translated():
            live = _as_possible(settings, clock, read_only, warn, hindered)
            if live.head_file and not live.fault:
                live = _erased_for_good(live, settings, clock, warn)
    except StoreDamaged as problem:
        advise(settings, problem)
        raise
    if isinstance(live.fault, StoreDamaged):
        advise(settings, live.fault)
    return live


def _as_possible(
    settings: Settings, clock: Clock, read_only: bool, warn: Warn, hindered: StoreError | None
) -> Live:
    if hindered is None:
        if not read_only:
            swap.finish(settings)
        try:
            return _opened(settings, clock, read_only, warn)
        except StoreFull as problem:
            hindered = problem
    try:
        live = _opened(settings, clock, True, warn, is_sealed(settings))
    except MigrationFailed:
        raise hindered from None  # it is what keeps the schema from being brought up to date
    live.fault = live.fault or hindered
    return live


def _opened(
    settings: Settings, clock: Clock, read_only: bool, warn: Warn, sealed_first: bool = False
) -> Live:
    known = headfile.read(settings.head_path)
    conn, sealed = _reading(settings, sealed_first) if read_only else (_writing(settings), False)
    with connections.closing_on_error(conn), connections.translated():
        if migrate.pending(conn, migrate.shipped()):
            if conn.execute(_HAS_LOG).fetchone()[0]:
                _must_be_whole(compare_heads(conn, known))
            if read_only:
                raise MigrationFailed(*_TOO_OLD)
            migrate.migrate(conn, clock.timestamp(), partial(_back_up, settings, clock))
        found = compare_heads(conn, known)
        if found.warning:
            warn(found.warning)
        live = Live(conn, clock, found.head, None, found.fault, sealed=sealed)
        if not read_only:
            snapshots.sweep(settings)
            live.snapshots = Snapshots(settings.snapshots_dir, warn)
            _make_ready(live, settings)
    return live


def _erased_for_good(live: Live, settings: Settings, clock: Clock, warn: Warn) -> Live:
    """Finish what a deletion for good has left to do. What cannot be done now is said, and tried at the next start."""
    left = scrub.unfinished(live.conn)
    if not left:
        return live
    try:
        if not all(one.is_rewritten for one in left):
            live.close()
            try:
                with files_translated():
                    scrub.rewrite(settings)
            finally:
                live = _opened(settings, clock, False, warn)
        scrub.clean_files(settings, live.conn)
    except ChatError as problem:
        warn(f"{_STILL_THERE} {problem.message} {problem.next_step}")
    return live


def _writing(settings: Settings) -> sqlite3.Connection:
    """The connection that writes. A database that is gone is not made anew while the head file knows of stories."""
    if lost := gone(settings):
        raise lost
    return connections.writer(settings.db_path)


def _keep_log_file(settings: Settings, clock: Clock) -> None:
    """SQLite empties and removes a torn write-ahead log when it is closed; what lies behind the tear is kept here."""
    path = settings.db_path.with_name(f"{settings.db_path.name}-wal")
    if path.exists() and path.stat().st_size:
        shutil.copy2(path, path.with_name(f"{path.name}.damaged-{clock.now():%Y-%m-%dT%H%M%SZ}"))


def _reading(settings: Settings, sealed_first: bool) -> tuple[sqlite3.Connection, bool]:
    """A connection that only reads, and whether it reads a sealed file.

    Sealed first where nothing can be written anyway: SQLite would else make its files beside the database as
    unwritable as that is. Sealed last where it turns out that it cannot make them.
    """
    if sealed_first:
        return _probed(settings, sealed=True), True
    try:
        return _probed(settings, sealed=False), False
    except StoreDamaged:
        raise
    except StoreError:
        if not settings.db_path.exists() or not is_sealed(settings):
            raise
        return _probed(settings, sealed=True), True


def _probed(settings: Settings, *, sealed: bool) -> sqlite3.Connection:
    conn = connections.read_only(settings.db_path, sealed=sealed)
    with connections.closing_on_error(conn), connections.translated():
        conn.execute(_HAS_LOG).fetchone()
    return conn


def advise(settings: Settings, fault: StoreDamaged) -> None:
    """Name the backup to go back to, where there is one. A loss can be accepted only where something is left."""
    with suppress(StoreError):
        if good := backup.newest_good(settings):
            steps = [
                f"Go back to the newest good backup, on the page Backups or with `chat restore {good.name}`."
            ]
            if lost := gone(settings):
                steps.append(lost.next_step)
            elif isinstance(fault, EventsLost):
                steps.append("Or accept the loss with `chat doctor --accept-loss`.")
            fault.next_step = " ".join(steps)


def _back_up(settings: Settings, clock: Clock, migration: str) -> None:
    """Kept also when it is not sound, because it is what there was before the migration."""
    backup.make(settings, clock, f"before-{migration}", even_if_damaged=True)


def _make_ready(live: Live, settings: Settings) -> None:
    if live.fault:
        _keep_log_file(settings, live.clock)
    live.head_file = HeadFile(settings.head_path)
    if live.fault:
        return
    try:
        follow(live, fingerprint())
    except BaseException:
        live.head_file.close()
        raise
    live.note_head()


def rebuild_live(live: Live, folded_by: str = "", progress: Progress = silent) -> None:
    """Write the whole mirror anew, in one transaction."""
    folds = folded_by or fingerprint()
    live.replace_mirror(lambda conn: rebuild(conn, folds, is_committed=True, progress=progress))


def accept_loss(live: Live, head_path: Path) -> Commit:
    """Say in the log that events are gone and go on above the last known id, so that no id comes twice."""
    known = headfile.read(head_path)
    if known is None or not isinstance(live.fault, EventsLost):
        raise Refused("No events are missing, so there is no loss to accept.")
    kept, live.fault = live.head, None
    follow(live, fingerprint())
    gap = LogGapAccepted(lost_head_id=known.id, lost_head_hash=known.hash.hex(), kept_head_id=kept.id)
    return live.append_after(Head(max(known.id, kept.id), kept.hash), [ledger(gap)])


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
