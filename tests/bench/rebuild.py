"""A whole rebuild of the mirror from the log, beside writing the same rows as ready tuples, and that nothing differs.

The live tables come from the live path, one transaction an exchange, so that they and the rebuilt ones can differ.
"""

from __future__ import annotations

import gc
import hashlib
import random
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from chat.clock import Clock
from chat.domain.tables import TABLES
from chat.settings import load_settings
from chat.store import connections
from chat.store.fingerprint import fingerprint
from chat.store.rebuild import rebuild
from chat.store.rows import select
from chat.store.start import open_live
from tests.bench.figures import Line, Scale, at_most, holds, interleaved, ms, within
from tests.bench.stories import EVENTS_OF_AN_EXCHANGE, Words, begin_story, one_exchange, story_of_events

Found = TypeVar("Found")
EVENTS, LIVE_EVENTS = 100_000, 20_000
_SEARCH = (
    "select rowid from memories_fts where memories_fts match ? order by bm25(memories_fts), rowid limit 50"
)


def measure(scale: Scale) -> list[Line]:
    count = scale.of(EVENTS, 20_000)
    with tempfile.TemporaryDirectory(prefix="chat-bench-rebuild-") as name:
        folder = Path(name)
        story = story_of_events(count, chats=2)
        own = connections.writer(story.copy_to(folder / "own").database)
        bare = connections.writer(story.copy_to(folder / "bare").database)
        rows = {table: own.execute(select(table)).fetchall() for table in TABLES}
        took = interleaved(lambda: _rebuild(own), lambda: _write_ready(bare, rows))
        same = _digest(own) == _digest(bare)
        own.close()
        bare.close()
        live_is_same = _live_is_rebuilt(folder / "live", scale.of(LIVE_EVENTS, 2_000))
    reference = f"{ms(took[1])} ready tuples"
    return [
        at_most(f"rebuild of {story.events:,} events", ms(took[0]), reference, took[2], 1.5),
        holds("rebuilt tables equal the ready ones", f"{len(TABLES)} tables and the index", same),
        holds(
            "live tables equal rebuilt ones, byte for byte",
            f"{len(TABLES)} tables and the index",
            live_is_same,
        ),
        *(_million() if scale.large else []),
    ]


def _million() -> list[Line]:
    """Ten times the events take ten times as long and no more memory; ten times the ready tuples are measured too."""
    with tempfile.TemporaryDirectory(prefix="chat-bench-rebuild-") as name:
        tenth_s, tenth_bytes, tenth = _afresh(_alone, Path(name) / "tenth", EVENTS)
        whole_s, whole_bytes, whole = _afresh(_alone, Path(name) / "whole", 10 * EVENTS)
        ready_tenth_s = _afresh(_ready_alone, Path(name) / "ready-tenth", EVENTS)
        ready_whole_s = _afresh(_ready_alone, Path(name) / "ready-whole", 10 * EVENTS)
    what = f"rebuild of {whole:,} events"
    ready = ready_whole_s / ready_tenth_s
    return [
        at_most(what, ms(whole_s), f"{ms(ready_whole_s)} ready tuples", whole_s / ready_whole_s, 1.5),
        at_most(
            f"{what}, beside a tenth", ms(whole_s), f"{ms(tenth_s)} for {tenth:,}", whole_s / tenth_s, 11
        ),
        within("ready tuples, ten times as many", ms(ready_whole_s), ms(ready_tenth_s), ready, None, "times"),
        at_most(
            f"{what}, memory in use",
            f"{whole_bytes / 1e6:.0f} MB",
            f"{tenth_bytes / 1e6:.0f} MB",
            whole_bytes / tenth_bytes,
            1.25,
        ),
    ]


def _afresh(measured: Callable[[Path, int], Found], folder: Path, count: int) -> Found:
    """In a process that holds nothing of what was measured before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measured, folder, count).result()


def _alone(folder: Path, count: int) -> tuple[float, float, int]:
    """Seconds, the most memory of its own (without what maps the file), and the events of one rebuild."""
    story = story_of_events(count, chats=2)
    conn = connections.writer(story.copy_to(folder).database)
    conn.execute("pragma foreign_keys = off")
    with Memory() as memory:
        took = _rebuild(conn)
    conn.close()
    shutil.rmtree(folder)
    return took, memory.most_bytes, story.events


def _ready_alone(folder: Path, count: int) -> float:
    conn = connections.writer(story_of_events(count, chats=2).copy_to(folder).database)
    conn.execute("pragma foreign_keys = off")
    took = _write_ready(conn, {table: conn.execute(select(table)).fetchall() for table in TABLES})
    conn.close()
    shutil.rmtree(folder)
    return took


class Memory:
    """Looks, while something is done, how much memory that no file stands behind this process and its own have."""

    def __enter__(self) -> Memory:
        self.most_bytes = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.05):
            self.most_bytes = max(self.most_bytes, sum(_anonymous_bytes(pid) for pid in _processes()))


def _processes() -> list[str]:
    """This one and those it has started."""
    tasks = Path("/proc/self/task").glob("*/children")
    return ["self", *(pid for children in tasks for pid in children.read_text("ascii").split())]


def _anonymous_bytes(pid: str) -> float:
    """0 for a process that has just ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("RssAnon"):
                return float(line.split()[1]) * 1024
    return 0.0


def _rebuild(conn: sqlite3.Connection) -> float:
    return _timed(conn, lambda: rebuild(conn, fingerprint(), is_committed=True))


def _write_ready(conn: sqlite3.Connection, rows: dict[str, list[tuple[object, ...]]]) -> float:
    """The floor: the same rows, ready in memory, into the same tables, the search index written at the end."""
    return _timed(conn, lambda: _replace(conn, rows))


def _replace(conn: sqlite3.Connection, rows: dict[str, list[tuple[object, ...]]]) -> None:
    triggers = conn.execute(
        "select name, sql from sqlite_master where type = 'trigger' and tbl_name = 'memories'"
    )
    kept = triggers.fetchall()
    for name, _ in kept:
        conn.execute(f"drop trigger {name}")
    for table in reversed(TABLES):
        conn.execute(f"delete from {table}")
    for table, content in rows.items():
        places = ", ".join("?" * len(TABLES[table].__struct_fields__))
        names = ", ".join(TABLES[table].__struct_fields__)
        conn.executemany(f"insert into {table} ({names}) values ({places})", content)
    conn.execute("insert into memories_fts (memories_fts) values ('rebuild')")
    for _, sql in kept:
        conn.execute(sql)


def _timed(conn: sqlite3.Connection, work: Callable[[], None]) -> float:
    gc.collect()
    began = time.perf_counter()
    conn.execute("begin immediate")
    work()
    conn.execute("commit")
    took = time.perf_counter() - began
    conn.execute("pragma wal_checkpoint(truncate)").fetchone()
    return took


def _digest(conn: sqlite3.Connection) -> str:
    """Every row of every table in its order, and what some searches find."""
    digest = hashlib.sha256()
    for table, record in TABLES.items():
        digest.update(table.encode())
        for row in conn.execute(f"{select(table)} order by {', '.join(record.key)}"):
            digest.update(repr(row).encode())
    for words in ("quay", "bada OR keki", "ferry OR lamp"):
        digest.update(repr(conn.execute(_SEARCH, (words,)).fetchall()).encode())
    conn.execute("insert into memories_fts (memories_fts) values ('integrity-check')")
    return digest.hexdigest()


def _live_is_rebuilt(folder: Path, count: int) -> bool:
    settings = load_settings(data_dir=folder)
    settings.ensure_folders()
    live = open_live(settings, Clock(seed=5), read_only=False, warn=lambda _: None)
    live.conn.execute("pragma synchronous = off")
    cast, lines = begin_story(live, chats=2)
    words, chance = Words(), random.Random(9)
    for number in range(count // EVENTS_OF_AN_EXCHANGE):
        said, told = chance.choice(words.said), chance.choice(words.told)
        live.append_after(live.head, one_exchange(cast, lines[number % 2], said, told))
    before = _digest(live.conn)
    _rebuild(live.conn)
    after = _digest(live.conn)
    live.close()
    return before == after
