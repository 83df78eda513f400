"""Puts a database that was made ready in the place of the live one, so that a kill at any point leaves one of both.

Everything is prepared in a folder of its own beside the database. Until the file `ready` is in it, that folder is
rubbish; from then on the exchange is finished by whoever opens the database next. Nothing here judges what is
exchanged.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from chat.errors import StoreDamaged
from chat.settings import Settings
from chat.store.headfile import Head, HeadFile

NEW = "new.db"
_OLD, _READY, _HEAD = "old", "ready", "head"
_BESIDE = ("-wal", "-shm")


class Ready(msgspec.Struct, frozen=True):
    """What the exchange is: the head of the new log, and the name under which the old files stay, if they do."""

    head_id: int
    head_hash: str
    old_stays_as: str = ""


def begin(settings: Settings) -> Path:
    """An empty folder for the new database; returns where that is to be written."""
    discard(settings)
    settings.restoring_dir.mkdir(mode=0o700, parents=True)
    return settings.restoring_dir / NEW


def discard(settings: Settings) -> None:
    """Give up what was being made ready."""
    with suppress(FileNotFoundError):
        (settings.restoring_dir / _READY).unlink()
        _sync(settings.restoring_dir)
    if settings.restoring_dir.exists():
        shutil.rmtree(settings.restoring_dir)


def decide(settings: Settings, head: Head, old_stays_as: str = "") -> None:
    """From here on the new database is the one; `finish` carries it out, now or after a kill."""
    folder = settings.restoring_dir
    _sync(folder / NEW)
    told = msgspec.json.encode(Ready(head.id, head.hash.hex(), old_stays_as))
    part = folder / f"{_READY}.part"
    part.write_bytes(told)
    part.chmod(0o600)
    _sync(part)
    part.replace(folder / _READY)
    _sync(folder)


def finish(settings: Settings) -> bool:
    """Carry out a decided exchange, or clear up one that was not; True when the database is another one now.

    Nobody may have the database open for writing. Doing it again after a kill goes on where it ended.
    """
    folder = settings.restoring_dir
    if not folder.is_dir():
        return False
    try:
        ready = msgspec.json.decode((folder / _READY).read_bytes(), type=Ready)
    except FileNotFoundError:
        discard(settings)
        return False
    except msgspec.MsgspecError as problem:
        raise StoreDamaged(
            "A restore was decided, and the file that says so cannot be read.",
            f"Nothing was exchanged. Move the folder {folder} away and start again; then restore once more.",
        ) from problem
    old = folder / _OLD
    old.mkdir(mode=0o700, exist_ok=True)
    if (folder / NEW).exists():
        _take_place(settings, folder / NEW, old)
    _write_head(settings, Head(ready.head_id, bytes.fromhex(ready.head_hash)), old)
    kept = settings.db_path.with_name(ready.old_stays_as) if ready.old_stays_as else None
    if kept and not kept.exists():
        old.replace(kept)
    discard(settings)
    _sync(settings.db_path.parent)
    return True


def _take_place(settings: Settings, new: Path, old: Path) -> None:
    """The old write-ahead log goes first: it would be read into the new database. The last step is one rename."""
    database = settings.db_path
    if database.exists() and not (old / database.name).exists():
        try:
            os.link(database, old / database.name)
        except OSError:  # a disk without hard links
            shutil.copy2(database, old / database.name)
    for ending in _BESIDE:
        beside = database.with_name(database.name + ending)
        if beside.exists():
            beside.replace(old / beside.name)
    _sync(database.parent)
    new.replace(database)
    _sync(database.parent)


def _write_head(settings: Settings, head: Head, old: Path) -> None:
    path = settings.head_path
    if path.exists() and not (old / path.name).exists():
        shutil.copy2(path, old / path.name)
    part = settings.restoring_dir / _HEAD
    part.unlink(missing_ok=True)
    file = HeadFile(part)
    file.write(head)
    file.sync()
    file.close()
    part.replace(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
