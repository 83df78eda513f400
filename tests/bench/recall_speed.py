"""How long a search of one bot's memories takes as they grow, beside the plain query: a join, a filter and bm25.

Memories are short and made of words as common and rare as in a language; a query is what a raw last turn gives: four
words, two names that stand in a few of all memories, and the player's, which stands in half. The reference is one
query over all of it, in the same run and on the same database, with an index as one would first make it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

from chat.clock import Clock
from chat.domain import evidence
from chat.domain.evidence import Evidence
from chat.domain.memories import Memory, scope_token
from chat.domain.questions import questions
from chat.domain.recall import recall
from chat.domain.records import Put
from chat.settings import load_settings
from chat.store import views
from chat.store.reading import Reader
from chat.store.rows import Buffer
from chat.store.store import Store
from chat.store.views import recall as store_recall

SIZES = (10_000, 100_000, 1_000_000)
OF_ONE = (1_000, 10_000, 100_000)
BOTS = 50
QUERIES = 100
WARM_UP = 5
EXHAUSTIVE = 20
TOP = 8
MOST_OF_PLAIN, FEWEST_FOUND = 0.02, 0.80
PLAYER = "Alexan"
_WORDS = 30_000
_COMMON = 60
"""The commonest words, which nobody would search for."""
_SYLLABLES = [consonant + vowel for consonant in "bdfghklmnprstvw" for vowel in "aeio"]
_PLAIN_INDEX = """
create virtual table plain_fts using fts5 (
    text, content = 'memories', content_rowid = 'event_id', tokenize = 'porter unicode61'
)
"""
_PLAIN_FILLED = "insert into plain_fts (plain_fts) values ('rebuild')"
_PLAIN = """
select m.id from plain_fts join memories m on m.event_id = plain_fts.rowid
where plain_fts match ? and m.scope = ? order by bm25(plain_fts), m.event_id desc limit 8
"""


class Query(NamedTuple):
    owner: str
    text: str


class Made:
    """The same words, memories and queries each time."""

    def __init__(self, bots: int) -> None:
        self.chance = random.Random(11)
        self.names = [self._word().capitalize() + "x" for _ in range(BOTS)]
        self.words = sorted({self._word() for _ in range(_WORDS)})
        self.chance.shuffle(self.words)
        self.weights = [*accumulate(1 / rank for rank in range(1, len(self.words) + 1))]
        self.owners = [f"bot{number}" for number in range(bots)]

    def _word(self) -> str:
        return "".join(self.chance.choices(_SYLLABLES, k=self.chance.choice((2, 3, 3, 4))))

    def memories(self, count: int) -> Iterator[Memory]:
        for number in range(1, count + 1):
            owner = self.chance.choice(self.owners)
            words = self.chance.choices(self.words, cum_weights=self.weights, k=self.chance.randint(15, 30))
            words += self.chance.sample(self.names, 2)
            words += [PLAYER] * self.chance.randrange(2)
            self.chance.shuffle(words)
            yield Memory(
                event_id=number,
                id=f"{number:09}",
                owner=owner,
                continuity="main",
                chat_id=owner,
                turn_id=f"{number:09}",
                scene_id=f"{owner}-{number // (20 * len(self.owners))}",
                text=" ".join(words),
                scope=scope_token(owner, "main"),
                at="1887-03-04T18:00:00Z",
                source="direct",
                reliability=1.0,
                significance=1,
            )

    def query(self) -> Query:
        rare = range(_COMMON, len(self.words))
        asked = self.chance.choices(rare, weights=[1 / (rank + 1) for rank in rare], k=4)
        words = [*(self.words[rank] for rank in asked), *self.chance.sample(self.names, 2), PLAYER]
        self.chance.shuffle(words)
        return Query(self.chance.choice(self.owners), " ".join(words))


class Speed(NamedTuple):
    """Seconds of each query, plain and ours. `read`: share of the plain query's best that was read and ranked;
    `chosen`: share of what recall would choose if it read every match that it does choose."""

    plain: list[float]
    took: list[float]
    read: list[float]
    chosen: list[float]


async def measure(folder: Path, count: int, bots: int) -> Speed:
    made = Made(bots)
    store = await Store.open(load_settings(data_dir=folder), Clock(seed=1))
    try:
        _fill(store, made, count)
        return await store.read(lambda reader: _compared(reader, made))  # at once, as recall is read
    finally:
        await store.close()


def _fill(store: Store, made: Made, count: int) -> None:
    """Rows as the fold writes them; no events, which a search never reads."""
    conn = store._live.conn
    conn.execute("pragma foreign_keys = off")
    conn.execute("pragma synchronous = off")
    conn.execute("begin immediate")
    buffer = Buffer(conn)
    for memory in made.memories(count):
        buffer.take([Put(memory)])
        if buffer.size >= 5_000:
            buffer.flush()
    buffer.flush()
    conn.execute(_PLAIN_INDEX)
    conn.execute(_PLAIN_FILLED)
    conn.execute("commit")
    store._live.checkpoint()


async def _compared(reader: Reader, made: Made) -> Speed:
    """One after the other, the first few for warming up: in turn, each would push the other's pages out of memory."""
    speed = Speed([], [], [], [])
    asked = [made.query() for _ in range(WARM_UP + QUERIES)]
    best: list[set[str]] = []
    ours: list[set[str]] = []
    for owner, text in asked:
        began = time.perf_counter()
        best.append(await _plain(reader, owner, text))
        speed.plain.append(time.perf_counter() - began)
    for (owner, text), exact in zip(asked, best, strict=True):
        began = time.perf_counter()
        found, chosen = await _ours(reader, made, owner, text)
        speed.took.append(time.perf_counter() - began)
        if exact:
            speed.read.append(len(exact & {kept.memory.id for kept in found.kept.values()}) / len(exact))
        ours.append(chosen)
    with _unbounded():
        for (owner, text), chosen in zip(asked[:EXHAUSTIVE], ours, strict=False):
            _, whole = await _ours(reader, made, owner, text)
            speed.chosen.append(len(whole & chosen) / max(len(whole), 1))
    return Speed(speed.plain[WARM_UP:], speed.took[WARM_UP:], speed.read, speed.chosen)


@contextlib.contextmanager
def _unbounded() -> Iterator[None]:
    """Recall without its limits: every match of every word, and all of it ranked."""
    limits = ((store_recall, ("FINDS", "MOST_FINDS", "WITH_NEIGHBOURS")), (evidence, ("LATEST_SHORTLIST",)))
    kept = [(room, name, getattr(room, name)) for room, names in limits for name in names]
    try:
        for room, name, _ in kept:
            setattr(room, name, 10**7)
        yield
    finally:
        for room, name, value in kept:
            setattr(room, name, value)


async def _plain(reader: Reader, owner: str, text: str) -> set[str]:
    match = " OR ".join(f'"{word}"' for word in text.split())
    rows = await reader.all(_PLAIN, (match, scope_token(owner, "main")))
    return {row[0] for row in rows}


async def _ours(reader: Reader, made: Made, owner: str, text: str) -> tuple[Evidence, set[str]]:
    """The whole of recall: from the entry to what was chosen."""
    names = [*made.names, PLAYER]
    asked = questions([text], names, [PLAYER], "")
    found = await views.evidence(reader, owner, "main", asked, ())
    return found, {one.memory_id for one in recall(asked, found, names, (), TOP).chosen}


def main(largest: int) -> int:
    """Print both tables; 1 when the largest misses its target."""
    print(f"{'':34}" + "".join(f"{name:>16}" for name in _COLUMNS))
    missed = False
    for bots, sizes in ((BOTS, SIZES), (1, OF_ONE)):
        for count in (size for size in sizes if size <= largest):
            with tempfile.TemporaryDirectory(prefix="chat-bench-recall-") as name:
                speed = asyncio.run(measure(Path(name), count, bots))
            _show(f"{count:,} memories of {bots} bots" if bots > 1 else f"{count:,} of one bot", speed)
            if count == max(SIZES):
                missed = (
                    _late(speed.took) > MOST_OF_PLAIN * _late(speed.plain) or fmean(speed.read) < FEWEST_FOUND
                )
    print("Missed." if missed else "Every target that was measured is met.")
    return int(missed)


_COLUMNS = (
    "plain p50",
    "plain p95",
    "recall p50",
    "recall p95",
    "p95 of plain",
    "top 8 read",
    "own top 8",
)


def _show(what: str, speed: Speed) -> None:
    times = (median(speed.plain), _late(speed.plain), median(speed.took), _late(speed.took))
    cells = [f"{seconds * 1000:.2f} ms" for seconds in times]
    cells += [f"{times[3] / times[1]:.1%}", f"{fmean(speed.read):.0%}", f"{fmean(speed.chosen):.0%}"]
    print(f"{what:34}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


def _late(seconds: Sequence[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]
