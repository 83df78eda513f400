"""What the server keeps in memory: after its start, over an evening of turns, and after a long chat was opened.

Resident bytes as the system counts them, with the pages of the database that are mapped. Each of them stands beside
a bare FastAPI app, or beside the same server earlier, or beside one with a short story.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.bench.direct import upstream
from tests.bench.figures import Line, Scale, at_most, within
from tests.bench.served import Served, environment_for, python, served, until_digested, wait_for_page
from tests.bench.stories import Story, Words, story_of_turns
from tests.support.server import free_port
from tests.support.sse import EventStream

SHORT, LONG, LONG_QUICK = 100, 100_000, 10_000
WARM_UP = 300
"""Turns before growth is counted: what is kept of the latest turns, at most so many, is nearly full by then."""
TURNS, TURNS_QUICK = 1_000, 150
STARTS = 3
BESIDE_BARE = 1.5
GROWTH_MB = 5.0
OPENED = 1.1
LOOK_S, STILL_S, LONGEST_S = 0.25, 1.5, 20.0
"""At rest: for so long not a tenth of a megabyte more or less."""
MB = 1_000_000


class Table:
    """A player with a tab open on one chat, whose page is loaded again after each turn."""

    def __init__(self, server: Served, chat_id: str) -> None:
        self._server, self._chat_id, self._said = server, chat_id, Words().said
        self._chance = random.Random(5)
        self._stream = EventStream(f"http://127.0.0.1:{server.port}/chats/{chat_id}/events", timeout_s=60)
        self._stream.until("snapshot")

    def play(self, turns: int) -> None:
        """Whole turns: words, reply, memory, and what a digest makes of them."""
        for _ in range(turns):
            prose = f"{self._chance.choice(self._said).text} bench:note:{self._chance.randrange(1000)}"
            self._server.post_turn(self._chat_id, prose)
            until_digested(self._stream)
            self._server.get(f"/chats/{self._chat_id}")

    def close(self) -> None:
        self._stream.close()


def measure(scale: Scale) -> list[Line]:
    length, short = scale.of(LONG, LONG_QUICK), story_of_turns(SHORT)
    long = story_of_turns(length)
    with tempfile.TemporaryDirectory(prefix="chat-bench-memory-") as name, upstream() as port:
        first, second = short.copy_to(Path(name) / "short"), long.copy_to(Path(name) / "long")
        at_first_page, ready, bare = _after_start(first)
        few, many = _after_opening(first, port), _after_opening(second, port)
        grown = _over_turns(first, port, scale)
    return [
        at_most(
            "at the first page", _mb(at_first_page), f"{_mb(bare)} bare", at_first_page / bare, BESIDE_BARE
        ),
        at_most(
            "with all loaded that a turn needs", _mb(ready), f"{_mb(bare)} bare", ready / bare, BESIDE_BARE
        ),
        at_most(
            f"the page of {length:,} turns opened", _mb(many), f"{_mb(few)} with {SHORT}", many / few, OPENED
        ),
        grown,
    ]


def _after_start(story: Story) -> tuple[float, float, float]:
    """At the first page, once nothing more is loaded, and the bare app: medians of a few starts each."""
    taken = []
    for _ in range(STARTS):
        with served(story) as own:
            at_once = own.resident_bytes()
            ready = _at_rest(own)
        with _bare(story) as bare:
            taken.append((at_once, ready, _at_rest(bare)))
    at_first_page, at_rest, beside = (median(column) for column in zip(*taken, strict=True))
    return at_first_page, at_rest, beside


@contextmanager
def _bare(story: Story) -> Iterator[Served]:
    port = free_port()
    command = python("-m", "tests.bench.bare", str(port))
    process = subprocess.Popen(command, env=environment_for(story.folder), stdout=subprocess.DEVNULL)
    try:
        wait_for_page(port, "/chats", process)
        yield Served(port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _after_opening(story: Story, port: int) -> float:
    with served(story, port) as server:
        _at_rest(server)
        server.get(f"/chats/{story.chats[0]}")
        return _at_rest(server)


def _over_turns(story: Story, port: int, scale: Scale) -> Line:
    turns = scale.of(TURNS, TURNS_QUICK)
    with served(story, port) as server:
        server.wait_until_backed_up()  # it takes memory for a moment
        table = Table(server, story.chats[0])
        table.play(WARM_UP)
        before = _at_rest(server)
        table.play(turns)
        after = _at_rest(server)
        table.close()
    what, grown = f"grown in {turns:,} turns after {WARM_UP}", (after - before) / MB
    return within(what, _mb(after), f"{_mb(before)} before", grown, GROWTH_MB, "MB")


def _at_rest(server: Served) -> float:
    """Resident bytes once they have been still for a while."""
    until = time.monotonic() + LONGEST_S
    seen = [server.resident_bytes()]
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        seen.append(server.resident_bytes())
        latest = seen[-int(STILL_S / LOOK_S) :]
        if len(seen) > len(latest) and max(latest) - min(latest) < MB / 10:
            break
    return seen[-1]


def _mb(resident: float) -> str:
    return f"{resident / MB:.1f} MB"
