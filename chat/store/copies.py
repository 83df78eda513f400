"""Copies of the stories that were put aside: backups, and damaged databases that were kept beside the new one.

Tells which of them hold an event, and takes those away when the player asks for it; never on its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from chat.domain.events import WordsErased
from chat.settings import Settings
from chat.store import backup, log
from chat.store.backup_folder import Backup, BackupFolder

_ERASURES = f"{log.SELECT} where kind = 'words_erased' order by id"


class Span(NamedTuple):
    """What was deleted for good: a log holds some of it from one event on, until another tells that it went."""

    first_id: int
    erased_id: int


class Copies(NamedTuple):
    """`ours` can be taken away; `others` lie in the folder of backups without being made by this program."""

    ours: tuple[Backup, ...] = ()
    others: tuple[Backup, ...] = ()
    damaged: tuple[Path, ...] = ()


def holding(settings: Settings, event_id: int, before_id: int = 1 << 62) -> Copies:
    """What was copied when the log had an event, and before it had another; of others nobody can say."""
    found = backup.listing(settings)
    ours = (one for one in found if one.manifest and _holds(one, event_id, before_id))
    others = (one for one in found if not one.manifest)
    return Copies(tuple(ours), tuple(others), tuple(_damaged(settings)))


def erased(conn: sqlite3.Connection) -> list[Span]:
    """Everything that was deleted for good so far."""
    told = log.events_of(conn.execute(_ERASURES))
    return [
        Span(min(one.data.events), one.id)
        for one in told
        if isinstance(one.data, WordsErased) and one.data.events
    ]


def still_holding(found: Iterable[Backup], spans: Sequence[Span]) -> set[str]:
    """The names of those that were made while some of it was still there."""
    return {one.name for one in found if any(_holds(one, *span) for span in spans)}


def discard(settings: Settings, event_id: int, before_id: int) -> None:
    """Take away what holds it. Raises BackupRunning, StoreError."""
    found = holding(settings, event_id, before_id)
    if found.ours:
        with BackupFolder(settings.backups_dir) as folder, folder.locked():
            for one in found.ours:
                folder.discard(one)
    for path in found.damaged:
        path.unlink(missing_ok=True)


def _holds(one: Backup, event_id: int, before_id: int) -> bool:
    """One that was not verified when it was made may hold anything."""
    return one.manifest is not None and (
        not one.manifest.verified or event_id <= one.manifest.head_id < before_id
    )


def _damaged(settings: Settings) -> list[Path]:
    """A folder where a whole exchange was kept, or single files."""
    beside = settings.db_path.parent.glob(f"{settings.db_path.name}*.damaged-*")
    return sorted(
        path for one in beside for path in ([one] if one.is_file() else one.rglob("*")) if path.is_file()
    )
