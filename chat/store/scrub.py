"""Deletion for good, the part outside the log: free pages, the write-ahead log, and other files with words in them.

What is still to be done stands in the database itself until it is done, so a kill only puts it off to the next start.
Doing it twice changes nothing. Backups are never touched unless that was asked for.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from chat.domain.events import WordsErased
from chat.errors import NotFound
from chat.observe import empty_logs
from chat.settings import Settings
from chat.store import connections, copies, log, quarantine, snapshots, swap, work_folders
from chat.store.access import files_translated
from chat.store.headfile import Head

_PENDING = (
    "select event_id, first_event_id, pictures, takes_copies, is_rewritten from erasing order by event_id"
)
_REWRITTEN = "update erasing set is_rewritten = 1"
_DROP_STRAY_DRAFTS = """
delete from drafts where key like 'composer:%' and substr(key, 10) not in (select id from chats)
or key like 'kickoff:%' and substr(key, 9) not in (select id from bots)
"""
"""One that was on its way to the writer when its chat went."""
_DONE = "delete from erasing where event_id = ?"
_SAID = "select payload_json from event_log where id = ?"
_CAUSES = """
select distinct caused_by from event_log
where caused_by is not null and id in (select value from json_each(?)) and stream like 'chat:%'
"""
_CHATS = "select id from chats"
_IS_TURN = "select 1 from turns where id = ?"
_IS_WORN = """
select 1 from event_log where kind = 'portrait_changed' and json_extract(payload_json, '$.media_id') = ?
"""
_DRAFTS = "select key, body, updated_at from drafts order by key"


class _Stood(NamedTuple):
    """All that is ever written: events, and drafts."""

    head: Head
    drafts: list[tuple[Any, ...]]


class Copy:
    """The database written anew without its free pages, beside the live one; `begin` may run while stories go on."""

    def __init__(self, settings: Settings, conn: sqlite3.Connection, stood: _Stood) -> None:
        self._settings, self._conn, self._stood = settings, conn, stood

    @classmethod
    def begin(cls, settings: Settings) -> Self:
        """Takes time with the size of the file. Raises StoreFull."""
        with files_translated(), connections.translated():
            conn = sqlite3.connect(
                connections.uri(settings.db_path), uri=True, isolation_level=None, check_same_thread=False
            )
            with connections.closing_on_error(conn):
                stood = _stands(conn)
                try:
                    _write(conn, swap.begin(settings))
                except BaseException:
                    swap.discard(settings)
                    raise
        return cls(settings, conn, stood)

    def put_in_place(self) -> None:
        """Settle that the copy is the database from the next opening on, unless something was written since."""
        try:
            with files_translated(), connections.translated():
                stands = _stands(self._conn)
                if stands == self._stood:
                    swap.decide(self._settings, stands.head)
                else:
                    swap.discard(self._settings)
        finally:
            self._conn.close()


class Unfinished(NamedTuple):
    """What an erasure has not done yet, and what it needs to know for it."""

    event_id: int
    first_event_id: int
    pictures: list[str]
    takes_copies: bool
    is_rewritten: bool


def unfinished(conn: sqlite3.Connection) -> list[Unfinished]:
    rows = conn.execute(_PENDING).fetchall()
    return [
        Unfinished(at, first, json.loads(ids), bool(copies), bool(new))
        for at, first, ids, copies, new in rows
    ]


def rewrite(settings: Settings) -> None:
    """Write the database anew and put it in place, while nobody has it open."""
    Copy.begin(settings).put_in_place()
    swap.finish(settings)


def clean_files(settings: Settings, conn: sqlite3.Connection) -> None:
    """Take away every file that could hold a word of what was erased, then note that it is done.

    Somebody may work in a copy that still holds the words. It is not taken from them; then this is to be done again.
    """
    with files_translated():
        for one in unfinished(conn):
            said = msgspec.json.decode(conn.execute(_SAID, (one.event_id,)).fetchone()[0], type=WordsErased)
            _forget(settings, conn, said, one.pictures)
            if one.takes_copies:
                copies.discard(settings, one.first_event_id, one.event_id)
            if not work_folders.in_use(settings):
                conn.execute(_DONE, (one.event_id,))


def _stands(conn: sqlite3.Connection) -> _Stood:
    return _Stood(log.head(conn), conn.execute(_DRAFTS).fetchall())


def _write(conn: sqlite3.Connection, target: Path) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    conn.execute("vacuum into ?", (str(target),))
    made = connections.scratch(target)
    try:
        made.execute("pragma secure_delete = on")
        made.execute(_DROP_STRAY_DRAFTS)
        made.execute(_REWRITTEN)
    finally:
        made.close()


def _forget(settings: Settings, conn: sqlite3.Connection, said: WordsErased, pictures: list[str]) -> None:
    snapshots.delete_all(settings)
    turn_ids = {row[0] for row in conn.execute(_CAUSES, (json.dumps(said.events),))}
    chat_ids = {row[0] for row in conn.execute(_CHATS)}
    for path in settings.quarantine_dir.glob("*.json"):
        case = _case(settings, path.stem)
        if case is None or case.chat_id not in chat_ids or case.turn_id in turn_ids:
            _remove([path])
    journals = settings.running_dir.glob("*")
    _remove(path for path in journals if not conn.execute(_IS_TURN, (path.stem,)).fetchone())
    unworn = (one for one in pictures if not conn.execute(_IS_WORN, (one,)).fetchone())
    _remove(path for one in unworn for path in settings.media_dir.glob(f"{one}.*"))
    _remove(settings.data_dir.glob("cache.db*"))
    work_folders.sweep(settings)
    empty_logs(settings)


def _case(settings: Settings, case_id: str) -> quarantine.Case | None:
    """None where a case cannot be read: nobody can say whose words it holds."""
    try:
        return quarantine.show(settings.quarantine_dir, case_id)
    except NotFound:
        return None


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        with suppress(FileNotFoundError, IsADirectoryError):
            path.unlink()
