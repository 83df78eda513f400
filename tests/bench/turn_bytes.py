"""What a turn moves: bytes a browser sends to the program, and bytes the program puts on the disk.

Counted up are whole requests, with the headers that Chromium adds to each. From Send to the stored reply is one figure;
another counts the draft of the typed words and what the page asks for when the digest is done. On the disk it is what
the database has grown by, beside the bytes of the turn's own events. What is written to get there is told too, without
a target: SQLite writes whole pages, first to the write-ahead log and then in place.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.bench.browsed import Tab, chromium
from tests.bench.desk import HAND_MS
from tests.bench.direct import upstream
from tests.bench.figures import Line, Scale, at_most, within
from tests.bench.served import Served, served
from tests.bench.stories import Story, story_of_turns

SHORT, LONG, LONG_QUICK = 100, 100_000, 10_000
UP_KB, DISK, FLAT = 1.5, 6, 1.1
SETTLED_S = 1.5
"""After the reply: the digest, what the page asks for then, and the checkpoint."""
TYPE = """([prose, hand]) => new Promise((typed) => {
  const box = document.getElementById("prose");
  box.value = prose;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  setTimeout(typed, hand);
})"""
SEND = """() => new Promise((replied) => {
  const replies = () => [...document.querySelectorAll(".turn.bot:not(.running)")].map((turn) => turn.id);
  const known = new Set(replies());
  const watch = new MutationObserver(() => {
    if (replies().every((id) => known.has(id))) return;
    watch.disconnect();
    replied();
  });
  watch.observe(document.getElementById("transcript"), { childList: true });
  document.getElementById("send").click();
})"""


class Moved(NamedTuple):
    """Bytes of one turn: its words, sent until the reply was stored, sent in all, and written to files."""

    message: int
    to_reply: int
    sent: int
    written: int


class Desk:
    """One chat open in a browser, with the counters of its server."""

    def __init__(self, tab: Tab, server: Served, story: Story) -> None:
        self._tab, self._server, self._story = tab, server, story
        self._asked: list[Any] = []
        tab.page.on("request", lambda request: self._asked.append(request))

    async def turn(self, prose: str) -> Moved:
        page = self._tab.page
        await page.bring_to_front()
        self._asked.clear()
        before = self._written()
        await page.evaluate(TYPE, [prose, HAND_MS])
        typed = len(self._asked)
        await page.evaluate(SEND)
        replied = len(self._asked)
        await asyncio.sleep(SETTLED_S)
        sizes = [await _size_of(one) for one in self._asked]
        written = self._written() - before
        return Moved(len(prose.encode()), sum(sizes[typed:replied]), sum(sizes), written)

    def newest(self) -> int:
        return int(self._ask("select max(id) from event_log"))

    def event_bytes(self, after: int) -> int:
        """Bytes of all events after one, column by column."""
        with closing(self._open()) as conn:
            names = [row[1] for row in conn.execute("pragma table_info(event_log)")]
        size = " + ".join(f"coalesce(length(cast({name} as blob)), 0)" for name in names)
        return int(self._ask(f"select sum({size}) from event_log where id > {after}"))

    def database_bytes(self) -> int:
        """Bytes of all pages in use: a database of which much was deleted takes its free ones first."""
        used = "select (page_count - freelist_count) * page_size"
        return int(self._ask(f"{used} from pragma_page_count, pragma_freelist_count, pragma_page_size"))

    def _ask(self, question: str) -> int | str:
        with closing(self._open()) as conn:
            found: int | str = conn.execute(question).fetchone()[0]
        return found

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._story.database}?mode=ro", uri=True)

    def _written(self) -> int:
        """Bytes the program has handed to the system for files so far; sockets are not among them."""
        told = Path(f"/proc/{self._server.pid}/io").read_text("ascii").splitlines()
        return int(next(line.split()[1] for line in told if line.startswith("wchar:")))


class Total(NamedTuple):
    """Medians of the turns' bytes, and what all of them stored and made the database grow by."""

    up_to_reply: float
    up: float
    written: float
    stored: int
    grown: int


def measure(scale: Scale) -> list[Line]:
    turns, long = scale.of(30, 6), scale.of(LONG, LONG_QUICK)
    stories = [story_of_turns(length) for length in (SHORT, long)]
    with tempfile.TemporaryDirectory(prefix="chat-bench-bytes-") as name, upstream() as port:
        copies = [story.copy_to(Path(name) / str(number)) for number, story in enumerate(stories)]
        with served(copies[0], port) as few, served(copies[1], port) as many:
            few.wait_until_backed_up()
            many.wait_until_backed_up()
            early, late = asyncio.run(_played([few, many], copies, turns))
    return [*_lines(early, late, long)]


async def _played(servers: list[Served], stories: list[Story], turns: int) -> list[Total]:
    async with chromium() as browser:
        desks = []
        for server, story in zip(servers, stories, strict=True):
            url = f"http://127.0.0.1:{server.port}/chats/{story.chats[0]}"
            desks.append(Desk(await Tab.open(await browser.new_context(), url), server, story))
        for desk in desks:
            await desk.turn("The first page of the evening. bench:note:0")
        return [await _total(desk, turns) for desk in desks]


async def _total(desk: Desk, turns: int) -> Total:
    newest, size = desk.newest(), desk.database_bytes()
    moved = [
        await desk.turn(f"And then, said the {count}. rower? bench:note:{count}") for count in range(turns)
    ]
    return Total(
        median(one.to_reply - one.message for one in moved),
        median(one.sent - one.message for one in moved),
        median(one.written for one in moved),
        desk.event_bytes(newest),
        desk.database_bytes() - size,
    )


def _lines(early: Total, late: Total, long: int) -> list[Line]:
    up, stored = early.up_to_reply / 1000, f"{early.stored / 1000:.0f} kB of events"
    kept = early.grown / early.stored
    written = f"{early.written / 1000:.0f} kB a turn"
    at, beside = f"the same at {long:,} turns", f"at {SHORT}"
    return [
        within("up, Send to the stored reply, above the message", f"{up:.2f} kB", "", up, UP_KB, "kB"),
        at_most(at, f"{late.up_to_reply / 1000:.2f} kB", beside, late.up_to_reply / early.up_to_reply, FLAT),
        within(
            "  the draft and the digest's end too",
            f"{early.up / 1000:.2f} kB",
            "",
            early.up / 1000,
            None,
            "kB",
        ),
        at_most("the database grows by", f"{early.grown / 1000:.0f} kB", stored, kept, DISK),
        at_most(at, f"{late.grown / 1000:.0f} kB", beside, late.grown / late.stored / kept, FLAT),
        within("  written to files for that", written, "pages, twice each", early.written / 1000, None, "kB"),
        within("  " + at, f"{late.written / 1000:.0f} kB a turn", "", late.written / 1000, None, "kB"),
    ]


async def _size_of(request: Any) -> int:
    """Bytes of one request on the wire, as the browser counted them."""
    told = await request.sizes()
    return int(told["requestHeadersSize"] + told["requestBodySize"])
