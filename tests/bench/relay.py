"""From the upstream through the program to open tabs: a flood, a paced reply, and a tab that never reads."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.awake import processors_awake
from tests.bench.direct import Direct, helper_process, upstream
from tests.bench.figures import ROUNDS, Line, Scale, at_least, at_most, holds, us, within
from tests.bench.quiet import Quiet, counting, told
from tests.bench.served import Served, python, served
from tests.bench.stories import story_of_turns
from tests.bench.upstream import flood_text

TABS = (1, 2, 10, 100)
FLOOD_SHARE, PACED_MS, PACED_SHARE, STALLED_MB = 0.25, 0.25, 2, 12
PACED, MOST_TRIES = 40, 4
"""Tokens of a paced reply: few, so that it is over while the moment is as it was; and how often one is tried."""
CHATS = 160
Compared = tuple[list[tuple[float, bool]], list[tuple[float, bool]], list[tuple[float, bool]]]
"""Microseconds and whether it was quiet, through the program, through the floor and directly."""


class Stage:
    """A server on a story of many short chats, one for each reply, and the floor beside it."""

    def __init__(self, server: Served, chats: tuple[str, ...], upstream_port: int, floor_port: int) -> None:
        self.server, self._chats = server, iter(chats)
        self._upstream_port, self._floor_port = upstream_port, floor_port

    def relayed(self, tabs: int, mark: str) -> dict[str, Any]:
        """One reply to so many tabs; what they saw."""
        chat_id = next(self._chats)
        with _listeners(self.server.port, chat_id, tabs) as listeners:
            self.server.post_turn(chat_id, mark)
            assert listeners.stdout
            seen: dict[str, Any] = json.loads(listeners.stdout.readline())
        self.server.wait_until_idle(chat_id)
        return seen

    def relayed_by_the_floor(self, tabs: int, mark: str) -> dict[str, Any]:
        with _listeners(self._floor_port, "floor", tabs) as listeners:
            with socket.create_connection(("127.0.0.1", self._floor_port)) as post:
                post.sendall(b"POST / HTTP/1.1\r\n\r\n" + mark.encode())
                post.recv(100)
            assert listeners.stdout
            seen: dict[str, Any] = json.loads(listeners.stdout.readline())
        return seen

    def direct(self, mark: str) -> tuple[float, float]:
        """Seconds of a direct consumption, and the median latency of its stamped tokens."""
        connection = Direct(self._upstream_port)
        connection.ask(mark)
        first_ns, latencies = 0, []
        for text in connection.texts():
            if text.startswith("t") and len(text) > 8:
                latencies.append((time.monotonic_ns() - int(text[1:])) / 1000)
                first_ns = first_ns or int(text[1:])
        connection.close()
        return (time.monotonic_ns() - first_ns) / 1e9, median(latencies)

    def next_chat(self) -> str:
        return next(self._chats)


@contextmanager
def _listeners(port: int, chat_id: str, tabs: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    command = python("-m", "tests.bench.listeners", str(port), chat_id, str(tabs), *more)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdin
    assert process.stdout.readline() == b"ready\n"
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def measure(scale: Scale) -> list[Line]:
    count = scale.of(40_000, 4_000)
    story = story_of_turns(*[2] * CHATS)
    with tempfile.TemporaryDirectory(prefix="chat-bench-relay-") as name, upstream() as port:
        copy = story.copy_to(Path(name) / "story")
        with served(copy, port) as server, helper_process("floor_relay", str(port)) as floor_port:
            stage = Stage(server, copy.chats, port, floor_port)
            stage.relayed(1, "bench:flood:100")
            flooded = _flood(stage, count)
            paced_lines = _paced(stage, scale.of(10, 5), Quiet(scale.of(100, 30)))
            return [*flooded, *paced_lines, *_stalled(stage, count, scale.of(6, 2))]


def _flood(stage: Stage, count: int) -> list[Line]:
    mark, whole = f"bench:flood:{count}", sha256(flood_text(count).encode()).hexdigest()
    shares: dict[int, list[float]] = {tabs: [] for tabs in TABS}
    rates: dict[int, list[float]] = {tabs: [] for tabs in TABS}
    floors, is_whole = [], True
    for _ in range(ROUNDS):
        for tabs in TABS:
            seconds, _ = stage.direct(mark)
            seen = stage.relayed(tabs, mark)
            is_whole = is_whole and seen["in_order"] and seen["digests"] == [whole]
            floors.append(count / seconds)
            rates[tabs].append(count / seen["seconds"])
            shares[tabs].append(seconds / seen["seconds"])
    reference = f"{median(floors):,.0f} tokens/s direct"
    return [
        *(
            at_least(
                f"flood to {tabs} tab{'s' if tabs > 1 else ''}",
                f"{median(rates[tabs]):,.0f} tokens/s",
                reference,
                median(shares[tabs]),
                FLOOD_SHARE if tabs == 2 else None,
            )
            for tabs in TABS
        ),
        holds("nothing lost or reordered at any number of tabs", f"{ROUNDS * len(TABS)} floods", is_whole),
    ]


def _paced(stage: Stage, enough: int, quiet: Quiet) -> list[Line]:
    """What a relay adds to each token: the program, and beside it the least that a relay can be."""
    taken = {tabs: _compared(stage, quiet, tabs, enough if tabs == 2 else 2) for tabs in TABS}
    lines = [_added(f"{tabs} tab{'s' if tabs > 1 else ''}", taken[tabs], tabs == 2) for tabs in TABS]
    added, least = _above_direct(taken[2])
    beside = f"{least:.2f} ms by the floor"
    lines.append(at_most("  2 tabs, beside the floor", f"{added:.2f} ms", beside, added / least, PACED_SHARE))
    with processors_awake() as is_awake:
        if is_awake:
            awake = _compared(stage, None, 2, ROUNDS)
            lines.append(_added("2 tabs, processors kept awake", awake, False))
    return lines


def _compared(stage: Stage, quiet: Quiet | None, tabs: int, enough: int) -> Compared:
    """Microseconds from upstream to tab, median of a paced reply: through the program, the floor, and directly.

    So many of each; with `quiet`, so many that were measured in quiet.
    """
    mark = f"bench:pace:{PACED}"
    ways: tuple[Callable[[], float], ...] = (
        lambda: float(stage.relayed(tabs, mark)["p50_us"]),
        lambda: float(stage.relayed_by_the_floor(tabs, mark)["p50_us"]),
        lambda: stage.direct(mark)[1],
    )
    taken: Compared = ([], [], [])
    for _ in range(MOST_TRIES * enough if quiet else enough):
        for way, column in zip(ways, taken, strict=True):
            before = quiet is None or quiet.wait()
            found = way()
            column.append((found, before and (quiet is None or quiet.is_now())))
        if all(sum(was_quiet for _, was_quiet in column) >= enough for column in taken):
            break
    return taken


def _above_direct(taken: Compared) -> tuple[float, float]:
    """Milliseconds the program and the floor add."""
    own, floor, straight = (median(counting(column)) for column in taken)
    return (own - straight) / 1000, (floor - straight) / 1000


def _added(what: str, taken: Compared, is_wanted: bool) -> Line:
    own, floor, direct = (median(counting(column)) for column in taken)
    return within(
        f"a token at 10 ms pace, added, {what}",
        f"{us(own / 1e6)}, {told(taken[0])}",
        f"{us(direct / 1e6)} direct, {us(floor / 1e6)} floor",
        _above_direct(taken)[0],
        PACED_MS if is_wanted else None,
        "ms",
    )


def _stalled(stage: Stage, count: int, floods: int) -> list[Line]:
    """Memory after the same floods without and with a tab that never reads."""
    grown = []
    for stalled in (0, 1):
        chat_id = stage.next_chat()
        with _listeners(stage.server.port, chat_id, stalled, "stalled"):
            before = stage.server.resident_bytes()
            for _ in range(floods):
                stage.server.post_turn(chat_id, f"bench:steady:{count}")
                stage.server.wait_until_idle(chat_id)
            grown.append((stage.server.resident_bytes() - before) / 1e6)
    return [
        within(
            f"a stalled tab over {floods} floods, memory",
            f"{grown[1]:.1f} MB grown",
            f"{grown[0]:.1f} MB without it",
            max(grown[1] - grown[0], 0.0),
            STALLED_MB,
            "MB",
        )
    ]
