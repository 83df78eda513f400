"""Makes the stories of a backup the present ones. The backup is not trusted: only its event rows are taken over.

They go, checked, into a fresh database with our own schema, every table is made from them, and that database takes
the place of the present one, which is backed up first. Until that one exchange the present is not touched.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from chat.clock import Clock
from chat.errors import ChatError, Refused, StoreBusy, StoreDamaged, StoreError, StoreFull, UnknownEvent
from chat.settings import Settings
from chat.store import backup, connections, foreign, log, migrate, swap, work_folders
from chat.store.access import files_translated
from chat.store.backup import Tell
from chat.store.backup_folder import DATABASE, Backup, BackupFolder
from chat.store.chain import GENESIS
from chat.store.compare import ChatChange, changes, told
from chat.store.fingerprint import fingerprint
from chat.store.foreign import Facts
from chat.store.headfile import Head
from chat.store.lock import FolderLock
from chat.store.put_back import put_back
from chat.store.rebuild import rebuild
from chat.store.work_folders import work_folder

_DRAFT = "insert or replace into drafts (key, body, updated_at) values (?, ?, ?)"
_FTS_CHECK = "insert into memories_fts (memories_fts, rank) values ('integrity-check', 1)"
_CHOOSE = "Nothing was changed. Choose another backup."


class Preview(NamedTuple):
    """What a restore would come to: what the backup holds, and the chats that would change."""

    backup: Backup
    facts: Facts
    chats: tuple[ChatChange, ...]
    present: Facts | None
    """None when the present stories cannot be read."""


class Restored(NamedTuple):
    """`safety` is the backup made of what was there before; `old_files` where it lies when it could not be read."""

    preview: Preview
    safety: str = ""
    old_files: str = ""


def preview(settings: Settings, name: str, tell: Tell = lambda stage: None) -> Preview:
    """Check a backup in full and hold it against the present. Changes nothing. Raises NotFound, StoreDamaged."""
    with files_translated(), work_folder(settings, "restore") as work:
        found = _fetch(settings, name, work / "candidate.db", tell)
        with foreign.opened(work / "candidate.db") as conn:
            return _preview(settings, found, conn, tell)


def prepare(settings: Settings, clock: Clock, name: str, tell: Tell = lambda stage: None) -> Preview:
    """Make the database ready that `exchange` puts in place. Only for the holder of the folder's lock."""
    with files_translated(), work_folder(settings, "restore") as work:
        found = _fetch(settings, name, work / "candidate.db", tell)
        with foreign.opened(work / "candidate.db") as conn:
            seen = _preview(settings, found, conn, tell)
            tell("writing the stories anew")
            try:
                write(conn, swap.begin(settings), clock, seen.facts.head)
            except BaseException:
                swap.discard(settings)
                raise
    return seen


def give_up(settings: Settings) -> None:
    """Forget what was prepared."""
    swap.discard(settings)


def exchange(settings: Settings, clock: Clock, seen: Preview, tell: Tell = lambda stage: None) -> Restored:
    """Back up the present and settle that the prepared database is to be in its place.

    Nobody may have the database open to write; whoever opens it next, with `start.open_live`, carries it out.
    """
    try:
        with files_translated():
            tell("backing up the present")
            safety, old_files = _keep_present(settings, clock, seen.backup.name, tell)
            _carry_drafts(settings)
            tell("exchanging")
            swap.decide(settings, seen.facts.head, old_files)
    except BaseException:
        swap.discard(settings)
        raise
    tell("decided")
    return Restored(seen, safety, old_files)


def restore(settings: Settings, clock: Clock, name: str, tell: Tell = lambda stage: None) -> Restored:
    """The whole of it, while no server is running. Raises AlreadyRunning, NotFound, StoreDamaged, UnknownEvent."""
    settings.ensure_folders()
    lock = FolderLock(settings.lock_path)
    try:
        with files_translated():
            swap.finish(settings)
            work_folders.sweep(settings, "restore")
            done = exchange(settings, clock, prepare(settings, clock, name, tell), tell)
            swap.finish(settings)
        return done
    finally:
        lock.release()


def _fetch(settings: Settings, name: str, target: Path, tell: Tell) -> Backup:
    """A private copy of a backup, the same bytes that were written. Nothing of it has been opened yet."""
    if not settings.backups_dir.exists():
        raise Refused("There are no backups yet.", "Make one with `chat backup`.")
    with BackupFolder(settings.backups_dir) as folder:
        found = folder.find(name)
        foreign.must_look_whole(*folder.start_of(found.name + DATABASE, foreign.HEADER_BYTES))
        must_have_room(settings, found.size)
        tell("fetching the backup")
        with folder.opened(found.name + DATABASE) as kept:
            size, sha256 = put_back(kept, target)
    if found.manifest and (size, sha256) != (found.manifest.size, found.manifest.sha256):
        raise StoreDamaged(f"The backup {found.name} is not as it was written.", _CHOOSE)
    return found


def _preview(settings: Settings, found: Backup, conn: sqlite3.Connection, tell: Tell) -> Preview:
    tell("checking the backup")
    facts = foreign.examine(conn)
    made = found.manifest
    if made and made.verified and (made.head_id, made.head_hash) != (facts.head.id, facts.head.hash.hex()):
        raise StoreDamaged(f"The backup {found.name} does not hold what its manifest says.", _CHOOSE)
    tell("comparing")
    then = told(conn)
    try:
        present = connections.read_only(settings.db_path)
        try:
            with connections.translated():
                now, here = told(present), foreign.count(present)
        finally:
            present.close()
    except StoreError:
        return Preview(found, facts, changes({}, then), None)
    return Preview(found, facts, changes(now, then), here)


def write(source: sqlite3.Connection, target: Path, clock: Clock, head: Head) -> None:
    """A fresh database with our own schema from the event rows of another one, checked when it is done."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    conn = connections.scratch(target)
    try:
        with connections.translated():
            migrate.migrate(conn, clock.timestamp(), keep=lambda name: None)  # it is empty
            with connections.keys_checked_at_the_end(conn):
                conn.execute("begin")
                log.write_back(conn, foreign.rows(source))
                _project(conn)
                conn.executemany(_DRAFT, foreign.drafts(source))
                conn.execute("commit")
            _must_be_whole(conn, head)
    finally:
        conn.close()


def _project(conn: sqlite3.Connection) -> None:
    try:
        rebuild(conn, fingerprint())
    except (ChatError, sqlite3.Error):
        raise
    except Exception as problem:
        raise StoreDamaged(
            f"The events of the backup make no whole story ({type(problem).__name__}).", _CHOOSE
        ) from problem


def _must_be_whole(conn: sqlite3.Connection, head: Head) -> None:
    log.must_follow(conn, Head(0, GENESIS))
    if log.head(conn) != head:
        raise StoreDamaged("Not all events of the backup arrived.", _CHOOSE)
    foreign.must_be_sound(conn, "")
    conn.execute(_FTS_CHECK)


def _carry_drafts(settings: Settings) -> None:
    """What the player has not sent yet outlives any restore, where it can be read."""
    with suppress(StoreError):
        present = connections.read_only(settings.db_path)
        try:
            with connections.translated():
                drafts = foreign.drafts(present)
        finally:
            present.close()
        with connections.translated():
            prepared = connections.scratch(settings.restoring_dir / swap.NEW)
            prepared.executemany(_DRAFT, drafts)
            prepared.close()


def _keep_present(settings: Settings, clock: Clock, spare: str, tell: Tell) -> tuple[str, str]:
    """The name of a verified backup of the present, or, when it is damaged, the name its files will have."""
    if not settings.db_path.exists():
        return "", ""
    try:
        return backup.make(settings, clock, "before-restore", tell, spare=spare).name, ""
    except (StoreFull, StoreBusy):
        raise
    except (StoreError, UnknownEvent):
        return "", f"{settings.db_path.name}.damaged-{clock.now():%Y-%m-%dT%H%M%SZ}"


def must_have_room(settings: Settings, size: int) -> None:
    if shutil.disk_usage(settings.data_dir).free < 4 * size:
        raise StoreFull(
            f"Restoring needs about {4 * size / 1e6:.0f} MB for a while, and there is less on the disk.",
            "Free some disk space, then try again; nothing was changed.",
        )
