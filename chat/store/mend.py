"""Writes a damaged database anew from its own log, when the log is whole; else says what to go back to.

Every table but the log can be made again, so damage outside of it costs nothing. The damaged file is kept. What the
log itself has lost is never made up: then nothing is written, and only a backup helps.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from chat.clock import Clock
from chat.errors import ChatError, StoreDamaged
from chat.settings import Settings
from chat.store import backup, connections, foreign, headfile, log, migrate, restore, swap
from chat.store.access import files_translated
from chat.store.chain import GENESIS
from chat.store.headfile import Head
from chat.store.heads import compare_heads
from chat.store.live import Live
from chat.store.start import Warn, advise, open_live
from chat.store.work_folders import work_folder


def prepare(settings: Settings, clock: Clock) -> Head:
    """Make the database ready that `decide` puts in place. Raises StoreDamaged when events are damaged or lost.

    Only for the holder of the folder's lock, while nothing is written.
    """
    with files_translated(), work_folder(settings, "restore") as work:
        restore.must_have_room(settings, settings.db_path.stat().st_size)
        known = headfile.read(settings.head_path)
        copy = work / "candidate.db"
        backup.copy_consistently(settings.db_path, copy)
        with foreign.opened(copy) as conn:
            head = _whole_log(conn, known)
            try:
                restore.write(conn, swap.begin(settings), clock, head)
            except BaseException:
                swap.discard(settings)
                raise
    return head


def decide(settings: Settings, clock: Clock, head: Head) -> str:
    """Settle that what was prepared takes the place of the damaged file; the name under which that one stays.

    Whoever opens the database next carries it out.
    """
    kept_as = f"{settings.db_path.name}.damaged-{clock.now():%Y-%m-%dT%H%M%SZ}"
    with files_translated():
        swap.decide(settings, head, kept_as)
    return kept_as


def told(kept_as: str) -> str:
    """What is said once it is done."""
    return (
        "The database was damaged outside of its log. Every table was written anew from the log, and no event is "
        f"lost. The damaged file was kept as {kept_as}; look after the disk."
    )


def outlook(settings: Settings) -> StoreDamaged | None:
    """What is damaged and what helps, None for a sound file. Reads all of it, and changes nothing."""
    conn = connections.read_only(settings.db_path)
    try:
        if _is_sound(conn):
            return None
        _whole_log(conn, headfile.read(settings.head_path))
    except StoreDamaged as problem:
        fault = StoreDamaged(f"The database is damaged, and its log is not whole: {problem.message}")
        advise(settings, fault)
        return fault
    finally:
        conn.close()
    return StoreDamaged(
        "The database is damaged outside of its log, so no event is lost.",
        "`chat rebuild` writes every table anew from the log; a running program does so when it meets the damage.",
    )


def _is_sound(conn: sqlite3.Connection) -> bool:
    try:
        with connections.translated():
            return bool(conn.execute("pragma quick_check(1)").fetchone()[0] == "ok")
    except StoreDamaged:
        return False


def open_damaged(settings: Settings, clock: Clock, fault: StoreDamaged, warn: Warn) -> Live:
    """What a server starts with when the database cannot be opened: mended, or a stand-in that holds nothing."""
    if settings.db_path.exists():
        with suppress(ChatError):
            kept_as = decide(settings, clock, prepare(settings, clock))
            live = open_live(settings, clock, read_only=False, warn=warn)
            warn(told(kept_as))
            return live
    return stand_in(settings, clock, fault)


def stand_in(settings: Settings, clock: Clock, fault: StoreDamaged) -> Live:
    """An empty library in memory, so that pages can say what is wrong and lead to the backups."""
    advise(settings, fault)
    conn = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    migrate.create(conn)
    return Live(conn, clock, Head(0, GENESIS), None, fault)


def _whole_log(conn: sqlite3.Connection, known: Head | None) -> Head:
    """The end of a log whose every event follows from the one before, and that ends where it should."""
    with connections.translated():
        for problem in log.check_chain(conn, Head(0, GENESIS)):
            raise StoreDamaged(problem)
        if fault := compare_heads(conn, known).fault:
            raise fault
        return log.head(conn)
