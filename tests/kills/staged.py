"""`python -m tests.kills.staged ARGUMENTS`: the `chat` command, that kills itself at a named stage.

The file that CALENDAR names says which and when ("stage count"); without one nothing happens, so the program can be
armed at any moment. Nothing in the product knows of this. The stage and the moment of death are left in a file.
The folder that CENSUS names gets a file for every stage that is reached.
"""

from __future__ import annotations

import faulthandler
import inspect
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

from chat.engine import digest, edits, kickoff, narrate, recovery, scenes, timeline, turn
from chat.engine.run import Run
from chat.store import (
    apart,
    backup,
    connections,
    erase,
    log,
    migrate,
    rebuild,
    restore,
    rows,
    scrub,
    start,
    store,
    swap,
)
from chat.store.backup_folder import BackupFolder
from chat.store.fold import Fold
from chat.store.headfile import HeadFile
from chat.store.journal import ReplyJournal
from chat.store.live import Live
from chat.store.migrate import Migration

CALENDAR = "KILLS_CALENDAR"
CENSUS = "KILLS_CENSUS"
EXTRA_MIGRATION = "KILLS_EXTRA_MIGRATION"
OTHER_FOLD = "KILLS_OTHER_FOLD"
HANGS_AFTER_S = 20
EXTRA = """
create table killed (id integer primary key, word text not null) strict;
insert into killed (word) values ('one'), ('two');
create index killed_word on killed (word);
drop table killed;
"""
_reached: dict[str, int] = {}
_under_way: list[str] = []


def reached(stage: str) -> None:
    """The stage's moment has come once more; at the count that was asked for it is the last."""
    if census := os.environ.get(CENSUS):
        Path(census, stage).touch()
    calendar = Path(os.environ[CALENDAR])
    try:
        wanted, _, count = calendar.read_text("utf-8").rpartition(" ")
    except FileNotFoundError:
        return
    if wanted != stage:
        return
    _reached[stage] = _reached.get(stage, 0) + 1
    if _reached[stage] >= int(count):
        die(stage)


def die(stage: str) -> None:
    calendar = Path(os.environ[CALENDAR])
    calendar.with_suffix(".died").write_text(f"{time.monotonic()} {stage}", "utf-8")
    os.kill(os.getpid(), signal.SIGKILL)


def died(calendar: Path) -> tuple[float, str] | None:
    """When (on the clock all processes share) and at which stage the program killed itself."""
    with suppress(FileNotFoundError):
        at, _, stage = calendar.with_suffix(".died").read_text("utf-8").partition(" ")
        return float(at), stage
    return None


def before(owner: Any, name: str, stage: str) -> None:
    _wrap(owner, name, lambda: reached(stage), lambda: None)


def after(owner: Any, name: str, stage: str) -> None:
    _wrap(owner, name, lambda: None, lambda: reached(stage))


def put(owner: Any, name: str, new: Any) -> None:
    """Let the product call something else under this name."""
    setattr(owner, name, new)


def _wrap(owner: Any, name: str, first: Callable[[], None], then: Callable[[], None]) -> None:
    real = getattr(owner, name)

    @wraps(real)
    async def awaited(*args: Any, **named: Any) -> Any:
        first()
        result = await real(*args, **named)
        then()
        return result

    @wraps(real)
    def called(*args: Any, **named: Any) -> Any:
        first()
        result = real(*args, **named)
        then()
        return result

    setattr(owner, name, awaited if inspect.iscoroutinefunction(real) else called)


def during(owner: Any, name: str, what: str) -> None:
    """Each statement that SQLite runs while this is under way is a moment of the stage of this name."""
    real = getattr(owner, name)

    @wraps(real)
    def called(*args: Any, **named: Any) -> Any:
        with _doing(what):
            return real(*args, **named)

    setattr(owner, name, called)


@contextmanager
def _doing(what: str) -> Any:
    _under_way.append(what)
    try:
        yield
    finally:
        _under_way.pop()


def _traced(sql: str) -> None:
    """SQLite begins a statement: one of ours, of a trigger, or of the search index behind its table."""
    reached(_under_way[-1] if _under_way else "any statement")
    if "memories_fts" in sql:
        reached("search index")


def watch_statements() -> None:
    real = connections.writer

    def watched(path: Path) -> sqlite3.Connection:
        conn = real(path)
        conn.set_trace_callback(_traced)
        return conn

    put(connections, "writer", watched)
    during(migrate, "migrate", "migration")
    during(start, "rebuild_live", "rebuild")
    during(Fold, "_jump", "selection")


def tear_files() -> None:
    """Half of what was to be written reaches the file."""
    write_head, write_text = HeadFile.write, ReplyJournal.append

    def head(self: HeadFile, known: Any) -> None:
        os.pwrite(self._fd, b"\0" * 256, self._next_slot * 512)
        reached("head file torn")
        write_head(self, known)

    def text(self: ReplyJournal, words: str) -> None:
        write_text(self, words[: len(words) // 2])
        reached("journal torn")
        write_text(self, words[len(words) // 2 :])

    put(HeadFile, "write", head)
    put(ReplyJournal, "append", text)


def cut_checkpoints() -> None:
    """A kill somewhere inside SQLite's own work of emptying the write-ahead log."""
    real = Live.checkpoint

    def checkpoint(self: Live) -> bool:
        sleeper = threading.Timer(0.0002 * (_reached.get("tries", 0) % 12), lambda: reached("checkpoint"))
        _reached["tries"] = _reached.get("tries", 0) + 1
        sleeper.daemon = True
        sleeper.start()
        return real(self)

    put(Live, "checkpoint", checkpoint)


def add_migration() -> None:
    """The next version of the schema, as far as this database is concerned."""
    real = migrate.shipped
    extra = Migration(9999, "9999_killed", EXTRA)
    put(migrate, "shipped", lambda: (*real(), extra))


def share_rebuilds() -> None:
    """Of a log as short as these too; the other process knows nothing of the fold that is named here."""
    put(apart, "_pays", lambda conn: True)
    put(
        apart,
        "_COMMAND",
        "import sys; from chat.store import apart; apart.fingerprint = lambda: sys.argv[4]; apart.main()",
    )
    after(apart.OtherProcess, "_read", "rebuild: rows handed over")


def set_stages() -> None:
    tear_files()
    cut_checkpoints()
    watch_statements()
    after(log, "append", "log written, rows not")
    before(rows, "put_sql", "between rows")
    before(Live, "_commit", "before commit")
    before(Live, "note_head", "between commit and head file")
    after(Live, "note_head", "after head file")
    before(HeadFile, "sync", "checkpoint done")
    before(narrate, "_start", "turn stored, reply not begun")
    after(narrate, "_start", "reply begun")
    after(Run, "write", "mid-stream")
    before(turn, "_store_ending", "reply whole, not stored")
    after(turn, "_store_ending", "reply stored")
    before(ReplyJournal, "remove", "journal not removed")
    before(digest, "_ask", "digest not asked")
    before(digest, "_apply", "digest not applied")
    after(digest, "_apply", "digest applied")
    before(scenes, "remember", "scene closed")
    before(scenes, "_scene_memory", "scene memory not asked")
    after(scenes, "_scene_memory", "scene memory kept")
    after(timeline, "_fork", "forked, reply not begun")
    after(timeline, "_to", "going back, not stored")
    before(timeline, "_give_back", "gone back, words not given back")
    after(edits, "edit", "edit stored")
    after(kickoff, "_carried_over", "opening read, not kept")
    after(kickoff, "confirm", "story begun")
    before(recovery, "close_turn", "recovery: reply not closed")
    after(recovery, "close_turn", "recovery: reply closed")
    after(recovery, "recover", "recovery: done")
    before(os, "fsync", "a sync")
    after(migrate, "_run", "migration: one done")
    after(rebuild, "_with_undo", "rebuild: rows written")
    share_rebuilds()


def set_stages_of_backups() -> None:
    before(backup, "_try_out", "backup: copied")
    after(backup, "_try_out", "backup: tried out")
    after(BackupFolder, "rename", "backup: a name given")
    after(restore, "_preview", "restore: checked")
    after(restore, "prepare", "restore: written anew")
    after(restore, "_keep_present", "restore: present backed up")
    after(swap, "decide", "restore: decided")
    after(swap, "_take_place", "restore: put in place")
    after(swap, "_write_head", "restore: head file written")
    after(swap, "discard", "restore: cleared up")


def set_stages_of_erasing() -> None:
    after(erase, "carry_out", "erasing: blanked")
    after(store, "rebuild", "erasing: rows written")
    after(store.Store, "erase", "erasing: out of the log")
    after(scrub, "_write", "erasing: written anew")
    after(scrub.Copy, "put_in_place", "erasing: put in place")
    after(scrub, "_forget", "erasing: files cleaned")


def main() -> None:
    faulthandler.dump_traceback_later(HANGS_AFTER_S)  # into the log, should a start never come to its end
    if os.environ.get(EXTRA_MIGRATION):
        add_migration()
    set_stages()
    set_stages_of_backups()
    set_stages_of_erasing()
    if os.environ.get(OTHER_FOLD):
        put(start, "fingerprint", lambda: "another fold")
    from chat.cli import main as chat

    chat()


if __name__ == "__main__":
    main()
