"""A rebuild that two processes share writes what one alone writes, whatever becomes of the other one."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import termios
from array import array
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from chat.domain.events import BotReset, story
from chat.errors import UnknownEvent
from chat.settings import Settings
from chat.store import Store, apart, log, rebuild, undo
from chat.store.apart import OtherProcess
from chat.store.rebuild import rebuild as rebuild_all
from chat.store.start import rebuild_live
from chat.store.verify import verify
from tests.support import stories
from tests.support.folding import folded_apart
from tests.support.stories import MIRA, TOMAS

LONG = "Nets dry on the wall, one above the other. " * 200


@pytest.fixture
async def long(store: Store) -> Store:
    """Two bots in two chats, branches left and taken up, a bot that was reset, feelings, calls, a long reply."""
    for step in range(1, 15, 2):
        await store.execute(lambda state, step=step: stories.exchange("a", "a-1", step, f"{step} lamps."))
        await store.execute(lambda state, step=step: stories.exchange("b", "b-1", step, LONG[: 99 * step]))
    await store.execute(lambda state: stories.remembered("a", "a-1", 14, "of-tomas", "A net.", TOMAS))
    await store.execute(lambda state: stories.forked("a", "a-2", "a-1", 6))
    await store.execute(lambda state: stories.exchange("a", "a-2", 7, "The rope is new."))
    await store.execute(lambda state: story("b", "b-1", 15, BotReset(bot_id=MIRA, at="")))
    for step in range(16, 24, 2):
        await store.execute(lambda state, step=step: stories.exchange("b", "b-1", step, f"日本 {step}"))
    return store


def all_of(conn: sqlite3.Connection) -> list[str]:
    """Every row of every table in its place, what can be undone and the pages of the search index among them.

    But for the one that counts how often the index was written.
    """
    conn.execute("insert into memories_fts (memories_fts, rank) values ('integrity-check', 1)")
    return [line for line in conn.iterdump() if '"memories_fts_data" VALUES(10,' not in line]


def of_one_alone(store: Store) -> list[str]:
    rebuild_live(store._live)
    return all_of(store._live.conn)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Those that were started to fold."""
    found: list[subprocess.Popen[bytes]] = []
    real = apart._started

    def noted(conn: sqlite3.Connection, folded_by: str) -> subprocess.Popen[bytes] | None:
        process = real(conn, folded_by)
        assert process
        found.append(process)
        return process

    monkeypatch.setattr(apart, "_started", noted)
    monkeypatch.setattr(apart, "_pays", lambda conn: True)
    return found


@pytest.mark.parametrize("much_to_write", [0, 1_000_000])
@pytest.mark.parametrize("flush_at", [0, 4, 1_000])
async def test_two_processes_write_what_one_writes(
    long: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, much_to_write: int, flush_at: int
) -> None:
    monkeypatch.setattr(rebuild, "_MUCH_TO_WRITE", much_to_write)
    monkeypatch.setattr(undo, "TAIL_EVENTS", 7)
    alone = of_one_alone(long)
    long._live.conn.execute("update turns set text = 'something else'")
    long._live.conn.execute("update model_calls set purpose = 'something else'")
    with folded_apart(flush_at, 7):
        rebuild_live(long._live)
    assert all_of(long._live.conn) == alone
    assert verify(settings) == []


@pytest.mark.parametrize("after", [0, 1, 4, 9])
async def test_one_that_is_ended_on_the_way_is_done_without(
    long: Store,
    settings: Settings,
    processes: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    alone = of_one_alone(long)
    real, parts = OtherProcess._read, 0

    def ended(self: OtherProcess, count: int) -> bytearray:
        nonlocal parts
        if parts == after:
            processes[-1].kill()
            processes[-1].wait()
            while self._pipe.readinto(bytearray(1 << 16)):
                pass  # what it had said before
        parts += 1
        return real(self, count)

    with folded_apart(2, undo.TAIL_EVENTS), monkeypatch.context() as patched:
        patched.setattr(OtherProcess, "_read", ended)
        patched.setattr(rebuild, "_told_here", TOLD_HERE)
        rebuild_live(long._live)
    assert parts > after
    assert all_of(long._live.conn) == alone
    assert verify(settings) == []


TOLD_HERE = rebuild._told_here
SILENT = "import time; time.sleep(600)"
TALKS_NONSENSE = "import sys; sys.stdout.buffer.write(bytes([0, 0, 0, 3, 1, 2, 3]))"
NO_TEXT = "import sys; sys.stdout.buffer.write(bytes([0, 0, 0, 5, 0x91, 0x91, 0x92, 0xA1, 0x94]))"
BREAKS_OFF = "import sys; sys.stdout.buffer.write(bytes([0, 0, 9, 0, 1, 2, 3]))"


@pytest.mark.parametrize("command", [SILENT, TALKS_NONSENSE, NO_TEXT, BREAKS_OFF, "raise SystemExit(1)"])
async def test_one_that_does_not_answer_is_done_without(
    long: Store,
    processes: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    alone = of_one_alone(long)
    monkeypatch.setattr(apart, "_COMMAND", command)
    monkeypatch.setattr(apart, "_SILENT_MS", 200 if command == SILENT else 60_000)
    rebuild_live(long._live)
    assert processes[-1].returncode is not None
    assert all_of(long._live.conn) == alone


async def test_one_that_is_paused_while_it_says_much_says_all_of_it(
    long: Store, processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the environment wants Python to write without a buffer: then a pause cuts what is being written."""
    alone = of_one_alone(long)
    real, pauses = OtherProcess._read, 0

    def paused(self: OtherProcess, count: int) -> bytearray:
        nonlocal pauses
        if not pauses and written(self) > apart._LENGTH.size:  # it waits for room for the rest
            pauses += 1
            for signal_number, until in ((signal.SIGSTOP, os.WSTOPPED), (signal.SIGCONT, os.WCONTINUED)):
                processes[-1].send_signal(signal_number)
                os.waitid(os.P_PID, processes[-1].pid, until)
        return real(self, count)

    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    monkeypatch.setattr(apart, "_PIPE_BYTES", 8_192)
    with folded_apart(1_000, undo.TAIL_EVENTS), monkeypatch.context() as patched:
        patched.setattr(OtherProcess, "_read", paused)
        rebuild_live(long._live)
    assert pauses
    assert all_of(long._live.conn) == alone


def written(other: OtherProcess) -> int:
    """How much lies in the pipe, once anything does. A write that does not fit fills it in one go, and then waits."""
    count = array("i", [0])
    while not count[0]:
        fcntl.ioctl(other._pipe, termios.FIONREAD, count)
    return count[0]


async def test_where_no_process_can_be_started_it_is_done_here(
    long: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = of_one_alone(long)

    def refused(*_: object, **__: object) -> NoReturn:
        raise OSError("no more processes")

    monkeypatch.setattr(apart, "_pays", lambda conn: True)
    monkeypatch.setattr(subprocess, "Popen", refused)
    rebuild_live(long._live)
    assert all_of(long._live.conn) == alone


async def test_another_version_of_the_program_folds_nothing_for_this_one(
    long: Store, processes: list[subprocess.Popen[bytes]]
) -> None:
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rebuild, "_told_here", noting(told))
        rebuild_live(long._live, "an older program")
    assert (len(processes), told) == (1, ["here"])
    assert long._live.conn.execute("select fingerprint from projector").fetchone() == ("an older program",)


def noting(told: list[str]) -> Callable[..., Any]:
    def here(*args: Any) -> Any:
        told.append("here")
        return TOLD_HERE(*args)

    return here


async def test_what_is_not_committed_is_never_folded_by_another_process(
    long: Store, processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where the caller says so, nor where it says something else."""
    told: list[str] = []
    monkeypatch.setattr(rebuild, "_told_here", noting(told))
    conn, ts = long._live.conn, long._live.clock.timestamp()
    for is_committed in (False, True):
        conn.execute("begin immediate")
        new = stories.exchange("a", "a-2", 9, "Not yet.")
        events, _ = log.append(conn, long._live.head, new, ts, None, bytes(16 * len(new)))
        rebuild_all(conn, "any", is_committed=is_committed)
        shown = conn.execute("select count(*) from turns where event_id >= ?", (events[0].id,)).fetchone()
        assert shown == (2,)
        conn.execute("rollback")
    assert (len(processes), told) == (1, ["here", "here"])


async def test_an_event_nobody_knows_is_refused_the_same_way(
    long: Store, processes: list[subprocess.Popen[bytes]]
) -> None:
    conn = long._live.conn
    before = all_of(conn)
    conn.execute("create temp table kept as select * from event_log where kind = 'user_turn' limit 1")
    conn.execute("update kept set id = (select max(id) + 1 from event_log), kind = 'of_tomorrow'")
    conn.execute("insert into event_log select * from kept")
    with pytest.raises(UnknownEvent, match="of_tomorrow"):
        rebuild_live(long._live)
    assert processes[-1].returncode is not None
    assert conn.in_transaction is False
    assert [line for line in all_of(conn) if "of_tomorrow" not in line and "sqlite_sequence" not in line] == [
        line for line in before if "sqlite_sequence" not in line
    ]


async def test_it_is_gone_before_the_commit_and_leaves_the_connection_as_it_was(
    long: Store, processes: list[subprocess.Popen[bytes]]
) -> None:
    """Else what it reads would hold up the checkpoint after it."""
    conn = long._live.conn
    usual = [conn.execute(f"pragma {name}").fetchone() for name in ("secure_delete", "cache_size")]
    running: list[int | None] = []
    conn.set_trace_callback(lambda sql: running.append(processes[-1].returncode) if sql == "commit" else None)
    rebuild_live(long._live)
    conn.set_trace_callback(None)
    assert running
    assert None not in running
    assert long._live.checkpoint() is True
    assert [conn.execute(f"pragma {name}").fetchone() for name in ("secure_delete", "cache_size")] == usual


async def test_a_short_log_and_a_single_processor_start_no_process(
    long: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = long._live.conn
    monkeypatch.setattr(apart, "_processors", lambda: 2)
    assert not apart._pays(conn)
    monkeypatch.setattr(apart, "APART_FROM_EVENTS", 10)
    assert apart._pays(conn)
    monkeypatch.setattr(apart, "_processors", lambda: 1)
    assert not apart._pays(conn)


def test_every_value_a_row_can_have_arrives_as_it_was() -> None:
    rows = [("a", 1, 2.5, None, b"bytes", "日本"), (1 << 62, -1, 0.1, "", b"", "é")]
    portion = apart.Portion(
        drops=[("turns", [("a",)])],
        puts=[("turns", rows)],
        sets=[("turns", {"text": "x", "step": True}, ("a",))],
        clears=[("memories", {"chat_id": "a"})],
    )
    assert apart._decode(apart._encode(portion)) == portion
