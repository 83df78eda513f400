"""A verified backup of a large database while a turn is written every two milliseconds.

The reference is SQLite's own backup call beside the same writer, and the writer's commits while nobody backs up. Either
call comes first in every other round and after the same rest: where memory that was free for a while is slow to get, as
in a virtual machine, who goes second would have the pages of the first. Other sizes: CHAT_BENCH_BACKUP_MB.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from chat.clock import Clock
from chat.settings import Settings
from chat.store import backup
from chat.store.store import Store
from tests.bench.figures import Line, Scale, at_most, ms, summed
from tests.bench.stories import story_of_turns
from tests.support import stories

MEGABYTES, MEGABYTES_QUICK = 1_000, 75
TURNS_A_MEGABYTE = 129
PACE_S = 0.002
ALONE_S = 4.0
ROUNDS = 4
EMPTIED_EVERY = 100
"""Commits between two looks whether the write-ahead log can be emptied, as there is one after each reply."""


class Writer:
    """Writes one turn of one chat every two milliseconds, and notes how long each commit took."""

    def __init__(self, store: Store, chat_id: str) -> None:
        self._store, self._chat_id = store, chat_id
        self._branch = store.library.chats[chat_id].branch_id
        self._step = 10_000_000
        self.took: list[float] = []

    async def during(self, work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
        """The seconds the work takes beside the writing, and the 95th percentile of the commits meanwhile."""
        self.took = []
        writing = asyncio.create_task(self._write())
        began = time.perf_counter()
        await work()
        took = time.perf_counter() - began
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        return took, sorted(self.took)[int(len(self.took) * 0.95)]

    async def _write(self) -> None:
        due = time.perf_counter()
        while True:
            self._step += 2
            step = self._step
            began = time.perf_counter()
            await self._store.execute(lambda state, s=step: stories.exchange(self._chat_id, self._branch, s))
            self.took.append(time.perf_counter() - began)
            if len(self.took) % EMPTIED_EVERY == 0:
                await self._store.checkpoint()
            due = max(due + PACE_S, time.perf_counter())
            await asyncio.sleep(max(0.0, due - time.perf_counter()))


def measure(scale: Scale) -> list[Line]:
    size = int(os.environ.get("CHAT_BENCH_BACKUP_MB", scale.of(MEGABYTES, MEGABYTES_QUICK)))
    return asyncio.run(_measure(size))


async def _measure(megabytes: int) -> list[Line]:
    kept = story_of_turns(megabytes * TURNS_A_MEGABYTE)
    with tempfile.TemporaryDirectory(prefix="chat-bench-backup-") as name:
        story = kept.copy_to(Path(name) / "story")
        size_mb = story.database.stat().st_size / 1e6
        store = await Store.open(story.settings, Clock())
        writer = Writer(store, story.chats[0])
        try:
            rounds = [
                await _round(writer, story.settings, Path(name), plain_first=number % 2 == 0)
                for number in range(ROUNDS)
            ]
        finally:
            await store.close()
    whole = summed([(verified, plain) for verified, plain, _, _ in rounds])
    pace = summed([(beside, alone) for _, _, beside, alone in rounds])
    return [
        at_most(
            f"a verified backup of {size_mb:,.0f} MB, turns written",
            f"{whole[0]:.1f} s",
            f"{whole[1]:.1f} s SQLite's own call",
            whole[2],
            2.5,
        ),
        at_most("p95 of a commit meanwhile", ms(pace[0]), f"{ms(pace[1])} alone", pace[2], 2.5),
    ]


async def _round(
    writer: Writer, settings: Settings, folder: Path, *, plain_first: bool
) -> tuple[float, float, float, float]:
    """Seconds of our backup and of the plain one; p95 of the commits beside ours, and in the rest before it."""

    async def after_rest(work: Callable[[], object]) -> tuple[float, float, float]:
        _, alone = await writer.during(lambda: asyncio.sleep(ALONE_S))
        return *await writer.during(lambda: asyncio.to_thread(work)), alone

    async def plain() -> float:
        took, _, _ = await after_rest(lambda: _plain(settings, folder / "plain.db"))
        (folder / "plain.db").unlink()
        return took

    before = await plain() if plain_first else 0.0
    verified, beside, alone = await after_rest(lambda: backup.make(settings, Clock(), "by-hand"))
    shutil.rmtree(settings.backups_dir)
    return verified, before or await plain(), beside, alone


def _plain(settings: Settings, target: Path) -> None:
    source = sqlite3.connect(f"{settings.db_path.as_uri()}?mode=ro", uri=True)
    copy = sqlite3.connect(target)
    source.backup(copy)
    copy.close()
    source.close()
