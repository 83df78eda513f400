"""The page of a chat: its time with a short and a long story, and what a browser loads for it."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.bench.browsed import chromium
from tests.bench.direct import helper_process
from tests.bench.figures import ROUNDS, Line, Scale, Skipped, at_most, ms, summed, within
from tests.bench.served import Served, served
from tests.bench.stories import Story, story_of_turns

LENGTHS, LENGTHS_QUICK = (100, 10_000, 100_000), (100, 1_000, 10_000)
REQUESTS_MAX, BYTES_MAX_KB = 8, 120
LOAD_GROWTH, LOADS, SETTLED_MS = 1.2, 11, 700
COLD_MINIMAL = 2.5
"""Times what the page of a minimal engine takes, which is one file with its script and style in it."""
WHEN = """() => {
  const [visit] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return [paint.startTime - visit.fetchStart, visit.loadEventEnd - visit.fetchStart];
}"""


class Visit(NamedTuple):
    """A first load of a page: what was asked for, bytes on the wire, when something was painted and all was there."""

    requests: int
    size: int
    painted_s: float
    loaded_s: float


def measure(scale: Scale) -> list[Line]:
    lengths = LENGTHS_QUICK if scale.quick else LENGTHS
    stories = [story_of_turns(length) for length in lengths]
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(served(story)) for story in stories]
        rounds = _rounds(servers, stories, scale.of(40, 10))
        lines = [
            at_most(
                f"page of a chat of {length:,} turns",
                ms(median(taken[index] for taken in rounds)),
                f"{ms(median(taken[0] for taken in rounds))} at {lengths[0]}",
                summed([(taken[index], taken[0]) for taken in rounds])[2],
                1.1,
            )
            for index, length in enumerate(lengths)
            if index
        ]
        return lines + _loaded(servers, stories, lengths)


def _rounds(servers: list[Served], stories: list[Story], pages: int) -> list[list[float]]:
    """The median time of a page of each story, all taken in turn, for each round."""
    for server, story in zip(servers, stories, strict=True):
        for _ in range(10):
            _page(server, story)
    rounds = []
    for _ in range(ROUNDS):
        taken = [
            [_page(server, story) for server, story in zip(servers, stories, strict=True)]
            for _ in range(pages)
        ]
        rounds.append([median(column) for column in zip(*taken, strict=True)])
    return rounds


def _page(server: Served, story: Story) -> float:
    began = time.perf_counter()
    server.get(f"/chats/{story.chats[0]}")
    return time.perf_counter() - began


def _loaded(servers: list[Served], stories: list[Story], lengths: tuple[int, ...]) -> list[Line]:
    """What a real browser asks for when it opens the page for the first time, and when it paints something."""
    urls = [
        f"http://127.0.0.1:{server.port}/chats/{story.chats[0]}"
        for server, story in zip(servers, stories, strict=True)
    ]
    try:
        rounds = _first_loads(urls)
    except Skipped as reason:
        print(f"  skipped: what a browser loads, because {reason}")
        return []
    longest = [one[-2] for one in rounds]
    requests, size = longest[0].requests, longest[0].size
    lines = [
        within(
            "requests of a first load", f"{requests}", "stream included", requests, REQUESTS_MAX, "requests"
        ),
        within(
            "bytes of a first load, on the wire", f"{size / 1000:.1f} kB", "", size / 1000, BYTES_MAX_KB, "kB"
        ),
    ]
    for index, length in enumerate(lengths[:2]):
        if index:
            lines += _flat_load([(one[0], one[index]) for one in rounds], lengths[0], length)
    return [*lines, *(_beside_least(rounds, index, length) for index, length in enumerate(lengths))]


def _first_loads(urls: list[str]) -> list[list[Visit]]:
    """Of each page, and last of a minimal engine's."""
    with (
        tempfile.TemporaryDirectory(prefix="chat-bench-pages-") as name,
        helper_process("minimal", "0", str(Path(name) / "minimal.db")) as least,
    ):
        return asyncio.run(_visits([*urls, f"http://127.0.0.1:{least}/"], f"http://localhost:{least}/"))


def _beside_least(rounds: list[list[Visit]], index: int, length: int) -> Line:
    own, least = ([one[at].loaded_s for one in rounds] for at in (index, -1))
    ratio = median(one / other for one, other in zip(own, least, strict=True))
    what = f"first load of a chat of {length:,} turns"
    return at_most(what, ms(median(own)), f"{ms(median(least))} minimal", ratio, COLD_MINIMAL)


def _flat_load(visits: list[tuple[Visit, Visit]], short: int, long: int) -> list[Line]:
    few, many, ratio = (
        median(one.painted_s for one, _ in visits),
        median(other.painted_s for _, other in visits),
        median(other.painted_s / one.painted_s for one, other in visits),
    )
    kilobytes = [f"{one.size / 1000:.1f} kB" for one in visits[0]]
    grown = visits[0][1].size / visits[0][0].size
    what = f"a chat of {long:,} turns"
    return [
        at_most(f"first contentful paint, {what}", ms(many), f"{ms(few)} at {short}", ratio, LOAD_GROWTH),
        at_most(
            f"bytes of a first load, {what}", kilobytes[1], f"{kilobytes[0]} at {short}", grown, LOAD_GROWTH
        ),
    ]


async def _visits(urls: list[str], elsewhere: str) -> list[list[Visit]]:
    """Each page by a browser that has never seen it, both in turn, for each round.

    Come to from another site, as from anywhere, for each of them begins another process then. From an empty page only
    ours does, because no other window may hold it (COOP), and that takes 80 ms.
    """
    async with chromium() as browser:
        await _visit(browser, urls[0], elsewhere)
        return [[await _visit(browser, url, elsewhere) for url in urls] for _ in range(LOADS)]


async def _visit(browser: Any, url: str, elsewhere: str) -> Visit:
    requests: list[str] = []
    sizes: list[float] = []

    def note(event: dict[str, Any]) -> None:
        sizes.append(event["encodedDataLength"])

    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(elsewhere)
    await page.wait_for_timeout(SETTLED_MS)
    context.on("request", lambda request: requests.append(request.url))
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    session.on("Network.loadingFinished", note)
    await page.goto(url)
    await page.wait_for_timeout(SETTLED_MS)
    painted, loaded = await page.evaluate(WHEN)
    await context.close()
    return Visit(len(requests), int(sum(sizes)), painted / 1000, loaded / 1000)
