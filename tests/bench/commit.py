"""One reply's commit: its events, their rows, the search index, the cursor and the head file, synced to disk.

The reference is a bare SQLite connection that runs the very statements the store ran, with their values, on a copy
of the same database. The product's time is the whole `Store.execute`: thread, decision, fold and encoding included.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from chat.clock import Clock
from chat.domain import exchange
from chat.domain.events import NewEvent
from chat.domain.exchange import Ending
from chat.engine.narrate import Told
from chat.engine.run import Run
from chat.engine.turn import _store_ending
from chat.llm.calls import CallRecord
from chat.store import connections
from chat.store.state import State
from chat.store.store import Store
from tests.bench.figures import ROUNDS, Line, Scale, at_most, ms, summed
from tests.bench.stories import MANIFEST, Story, Words, story_of_events

SMALL, LARGE, LARGE_QUICK = 10_000, 1_000_000, 100_000
COMMITS = 60


class Player:
    """Plays exchanges on one store through the engine's own functions; only the reply's commit is timed."""

    def __init__(self, store: Store, clock: Clock, chat_id: str) -> None:
        self.store, self.clock, self.chat_id = store, clock, chat_id
        self._words = Words()
        self._turn = 0
        self._engine: Any = SimpleNamespace(store=store, clock=clock)

    async def reply(self) -> float:
        """One exchange; returns the seconds its last commit took."""
        chat = self.store.library.chats[self.chat_id]
        run = Run(self.chat_id, self.clock.new_id(), SimpleNamespace(), self.clock, speaker=chat.bot_ids[0])  # type: ignore[arg-type]
        await self._begin(run)
        told = self._words.told[self._turn % len(self._words.told)]
        self._turn += 1
        ending = Ending(text=told.text, segments=told.segments, model="bench", call_id=self.clock.new_id())
        heard = Told(ending, _record(), ending.call_id or "")
        began = time.perf_counter()
        await _store_ending(self._engine, run, ending, heard)
        took = time.perf_counter() - began
        await self.store.checkpoint()
        return took

    async def _begin(self, run: Run) -> None:
        said = self._words.said[self._turn % len(self._words.said)]
        run.user_turn_id, run.is_started = self.clock.new_id(), True

        def entry(state: State) -> list[NewEvent]:
            chat = state.library.chats[self.chat_id]
            moment = exchange.next_moment(state.world(self.chat_id), chat)
            return exchange.say(chat, moment, run.user_turn_id or "", said.text, said.segments, run.reply_id)

        def begun(state: State) -> list[NewEvent]:
            chat = state.library.chats[self.chat_id]
            run.moment = exchange.next_moment(state.world(self.chat_id), chat)
            how: dict[str, Any] = {"endpoint": "bench", "model": "bench", "seed": 1, "prompt_hash": "0" * 64}
            return exchange.start(
                self.chat_id,
                run.moment,
                run.reply_id,
                run.speaker,
                reply_to=run.user_turn_id,
                manifest=MANIFEST,
                **how,
            )

        await self.store.execute(entry, caused_by=run.user_turn_id)
        await self.store.execute(begun, caused_by=run.reply_id)


class Bare:
    """A bare connection that repeats recorded transactions; the last of every three is a reply's commit."""

    def __init__(self, path: Path, recorded: list[list[tuple[str, Any]]]) -> None:
        self._conn = connections.writer(path)
        self._recorded = iter(recorded)

    def reply(self) -> float:
        self._run(next(self._recorded))
        self._run(next(self._recorded))
        statements = next(self._recorded)
        began = time.perf_counter()
        self._run(statements)
        took = time.perf_counter() - began
        self._conn.execute("pragma wal_checkpoint(truncate)").fetchone()
        return took

    def _run(self, statements: list[tuple[str, Any]]) -> None:
        self._conn.execute("begin immediate")
        for sql, values in statements:
            if isinstance(values, list):
                self._conn.executemany(sql, values)
            else:
                self._conn.execute(sql, values)
        self._conn.execute("commit")

    def close(self) -> None:
        self._conn.close()


class Recorder:
    """Stands before a connection and notes what is written, transaction by transaction."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self.transactions: list[list[tuple[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        if sql == "begin immediate":
            self.transactions.append([])
        elif sql.lstrip()[:6].lower() in ("insert", "update", "delete"):
            one = tuple(values) if isinstance(values, list) else values  # a list means many, in `Bare`
            self.transactions[-1].append((sql, one))
        return self._conn.execute(sql, values)

    def executemany(self, sql: str, rows: Iterator[Any]) -> sqlite3.Cursor:
        kept = list(rows)
        self.transactions[-1].append((sql, kept))
        return self._conn.executemany(sql, kept)


def measure(scale: Scale) -> list[Line]:
    commits = scale.of(COMMITS, 20)
    return asyncio.run(_measure(commits, scale.of(LARGE, LARGE_QUICK)))


async def _measure(commits: int, large: int) -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="chat-bench-commit-") as name:
        folder = Path(name)
        small = story_of_events(SMALL)
        recorded = await _record_commits(small.copy_to(folder / "recorded"), commits * ROUNDS + 5)
        bare = Bare(small.copy_to(folder / "bare").database, recorded)
        own, big = small.copy_to(folder / "own"), story_of_events(large, chats=4).copy_to(folder / "big")
        small_store, big_store = (
            await Store.open(own.settings, Clock()),
            await Store.open(big.settings, Clock()),
        )
        try:
            players = Player(small_store, Clock(), own.chats[0]), Player(big_store, Clock(), big.chats[0])
            rounds = await _rounds(*players, bare.reply, commits)
        finally:
            bare.close()
            await small_store.close()
            await big_store.close()
    beside = summed([(small, reference) for small, _, reference in rounds])
    flat = summed([(big, small) for small, big, _ in rounds])
    return [
        at_most(
            "a reply's commit, beside bare SQLite", ms(beside[0]), f"{ms(beside[1])} same rows", beside[2], 2
        ),
        at_most(
            f"a reply's commit, {large:,} events", ms(flat[0]), f"{ms(flat[1])} at {SMALL:,}", flat[2], 1.15
        ),
    ]


async def _rounds(
    small: Player, big: Player, bare: Callable[[], float], commits: int
) -> list[tuple[float, float, float]]:
    """Medians of each round: product on the small log, on the large one, and the reference, taken in turn."""
    for _ in range(5):
        await small.reply(), await big.reply(), bare()
    rounds = []
    for _ in range(ROUNDS):
        taken = [(await small.reply(), await big.reply(), bare()) for _ in range(commits)]
        rounds.append(tuple(median(column) for column in zip(*taken, strict=True)))
    return rounds


async def _record_commits(story: Story, count: int) -> list[list[tuple[str, Any]]]:
    store = await Store.open(story.settings, Clock())
    recorder = Recorder(store._live.conn)
    store._live.conn = recorder  # type: ignore[assignment]
    player = Player(store, Clock(), story.chats[0])
    for _ in range(count):
        await player.reply()
    await store.close()
    return recorder.transactions


def _record() -> CallRecord:
    return CallRecord(
        purpose="narrate",
        endpoint="bench",
        model_asked="bench",
        model_answered="bench",
        attempts=1,
        status="ok",
        stop_cause="stop",
        prompt_tokens=5_400,
        completion_tokens=140,
        cached_tokens=None,
        estimated=False,
        cost_nano_usd=None,
        first_token_ms=40.0,
        duration_ms=1_500.0,
        request_id=None,
    )
