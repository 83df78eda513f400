"""Makes backups beside a running story: one consistent copy, tried out, and only then given its name.

A backup that could not be finished leaves nothing under a final name and takes nothing away.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

from chat import __version__
from chat.clock import Clock
from chat.errors import Refused, StoreDamaged, StoreFull
from chat.settings import Settings
from chat.store import connections, foreign, headfile, trial, work_folders
from chat.store.access import files_translated
from chat.store.backup_folder import (
    DATABASE,
    MANIFEST,
    PART,
    Backup,
    BackupFolder,
    Manifest,
)
from chat.store.foreign import Facts
from chat.store.headfile import Head
from chat.store.heads import compare_heads, gone
from chat.store.trial import Trial

KEPT = 14
_DATE = len("2026-01-31")
_ALL_PAGES = -1
"""In one step: a copy in steps starts over at every write beside it and may never end."""

Tell = Callable[[str], None]
"""Is told each stage as it begins, in a few words for a person."""


def make(
    settings: Settings,
    clock: Clock,
    reason: str,
    tell: Tell = lambda stage: None,
    *,
    spare: str = "",
    even_if_damaged: bool = False,
) -> Backup:
    """Copy the database as it is at this moment; `reason` becomes part of the name. Takes time with its size.

    `spare` names a backup that must not make room for this one. `even_if_damaged` keeps a copy that could not be
    verified, marked as such. Raises BackupRunning, StoreFull, StoreDamaged, Refused when there is nothing yet.
    """
    settings.ensure_folders()
    if lost := gone(settings):
        raise lost
    if not settings.db_path.exists():
        raise Refused("There are no stories yet, so there is nothing to back up.", "Begin one first.")
    with files_translated(), BackupFolder(settings.backups_dir) as folder, folder.locked():
        folder.sweep()
        work_folders.sweep(settings, "backup")
        _must_have_room(settings)
        made = _make(folder, settings, clock, reason, tell, even_if_damaged)
        _make_room(folder, {made.name, spare})
        return made


def listing(settings: Settings) -> list[Backup]:
    """Every backup, the last made first."""
    if not settings.backups_dir.exists():
        return []
    with files_translated(), BackupFolder(settings.backups_dir) as folder:
        return folder.backups()


def newest_good(settings: Settings) -> Backup | None:
    """The last backup that was verified."""
    return next((one for one in listing(settings) if one.is_verified), None)


def copy_consistently(source: Path, target: Path) -> None:
    """Everything committed at one moment, also what still lies in the write-ahead log, as one file."""
    with connections.translated():
        reading = connections.read_only(source)
        try:
            reading.execute(connections.READ_ONCE)
            reading.execute("pragma mmap_size = 0")  # each page is read once, and mapping it would cost more
            copied = sqlite3.connect(target, isolation_level=None)
            try:
                copied.execute("pragma synchronous = off")  # it is synced as a whole before it gets its name
                reading.backup(copied, pages=_ALL_PAGES)
                copied.execute("pragma journal_mode = delete")
            finally:
                copied.close()
        finally:
            reading.close()


def _make(
    folder: BackupFolder, settings: Settings, clock: Clock, reason: str, tell: Tell, even_if_damaged: bool
) -> Backup:
    known = headfile.read(settings.head_path)  # first, because a running story moves on meanwhile
    name = _free_name(folder, clock, reason)
    database, manifest = name + DATABASE, name + MANIFEST
    try:
        folder.create(database + PART)
        with folder.opened(database + PART) as copied, trial.ready(copied, _size_of(settings)) as trying:
            tell("copying")
            copy_consistently(settings.db_path, folder.path / (database + PART))
            tell("trying it out")
            with work_folders.work_folder(settings, "backup") as work:
                trying.begin(work / "restored.db")
                folder.sync(database + PART)
                facts, size, sha256 = _try_out(trying, work / "restored.db", known, even_if_damaged)
        told = _manifest(folder, clock, reason, facts, size, sha256)
        tell("keeping it")
        folder.write(manifest + PART, msgspec.json.format(msgspec.json.encode(told)) + b"\n")
        folder.rename(manifest + PART, manifest)
        tell("naming it")
        folder.rename(database + PART, database)
    except BaseException:
        unfinished = (database + PART, f"{database}{PART}-journal", manifest + PART)
        folder.remove(*unfinished, database, manifest)
        raise
    return Backup(name, size, told)


def _try_out(
    trying: Trial, scratch: Path, known: Head | None, even_if_damaged: bool
) -> tuple[Facts | None, int, str]:
    """What the trial found in the scratch file, and the size and SHA-256 of what was put back there."""
    tried = trying.found(scratch)
    try:
        facts = tried.must_be_whole()
        with foreign.opened(scratch) as conn:
            if fault := compare_heads(conn, known).fault:
                raise fault
        return facts, tried.size, tried.sha256
    except StoreDamaged as problem:
        if even_if_damaged:
            return None, tried.size, tried.sha256
        raise StoreDamaged(
            f"The backup was not kept, because it is not sound: {problem.message}"
        ) from problem


def _manifest(
    folder: BackupFolder, clock: Clock, reason: str, facts: Facts | None, size: int, sha256: str
) -> Manifest:
    head_id, head_hash = facts.head if facts else (0, b"")
    known = (one.manifest.number for one in folder.backups() if one.manifest)
    return Manifest(
        number=max(known, default=0) + 1,
        created_at=clock.timestamp(),
        reason=reason,
        program=__version__,
        head_id=head_id,
        head_hash=head_hash.hex(),
        events=facts.events if facts else 0,
        chats=facts.chats if facts else 0,
        bots=facts.bots if facts else 0,
        size=size,
        sha256=sha256,
        verified=facts is not None,
    )


def _free_name(folder: BackupFolder, clock: Clock, reason: str) -> str:
    wanted = f"{clock.now():%Y-%m-%dT%H%M%SZ}-{reason}"
    names = (wanted if count == 1 else f"{wanted}-{count}" for count in range(1, 10_000))
    return next(name for name in names if folder.is_free(name))


def _size_of(settings: Settings) -> int:
    return settings.db_path.stat().st_size


def _must_have_room(settings: Settings) -> None:
    """For the copy and for the trial; a disk that is nearly full is left to the stories themselves."""
    size = _size_of(settings)
    if shutil.disk_usage(settings.data_dir).free < 2 * size:
        raise StoreFull(
            f"A backup needs about {2 * size / 1e6:.0f} MB for a while, and there is less on the disk.",
            "Free some disk space, then try again; the earlier backups are as they were.",
        )


def _make_room(folder: BackupFolder, spared: set[str]) -> None:
    """Keep the last fourteen of our own, the last of each of fourteen days, so that a day of many takes none of those,
    and the last verified one in any case; by number and not by date."""
    ours = [one for one in folder.backups() if one.manifest]
    by_day: dict[str, str] = {}
    for one in ours:
        if one.manifest and len(by_day) < KEPT:
            by_day.setdefault(one.manifest.created_at[:_DATE], one.name)
    kept = {one.name for one in ours[:KEPT]} | set(by_day.values()) | spared
    kept |= {
        one.name
        for one in ours
        if one.is_verified and not any(o.is_verified for o in ours[: ours.index(one)])
    }
    for one in ours:
        if one.name not in kept:
            folder.discard(one)
