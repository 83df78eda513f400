"""From the upstream through the program to open tabs: a flood, a paced reply, and a tab that never reads."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.direct import Direct, upstream
from tests.bench.figures import ROUNDS, Line, Scale, at_least, holds, us, within
from tests.bench.served import Served, python, served
from tests.bench.stories import story_of_turns
from tests.bench.upstream import flood_text

TABS = (1, 2, 10, 100)
FLOOD_SHARE, PACED_MS, STALLED_MB = 0.25, 0.25, 12
CHATS = 160


class Stage:
    """A server on a story of many short chats; each reply is asked for in a chat of its own."""

    def __init__(self, server: Served, chats: tuple[str, ...], port: int) -> None:
        self.server, self._chats, self._port = server, iter(chats), port

    def relayed(self, tabs: int, mark: str) -> dict[str, Any]:
        """One reply to so many tabs; what they saw."""
        chat_id = next(self._chats)
        with _listeners(self.server.port, chat_id, tabs) as listeners:
            self.server.post_turn(chat_id, mark)
            assert listeners.stdout
            seen: dict[str, Any] = json.loads(listeners.stdout.readline())
        self.server.wait_until_idle(chat_id)
        return seen

    def direct(self, mark: str) -> tuple[float, float]:
        """Seconds of a direct consumption, and the median latency of its stamped tokens."""
        connection = Direct(self._port)
        connection.ask(mark)
        first_ns, latencies, last_ns = 0, [], 0
        for text in connection.texts():
            if text.startswith("t") and len(text) > 8:
                now_ns = time.monotonic_ns()
                first_ns = first_ns or int(text[1:])
                latencies.append((now_ns - int(text[1:])) / 1000)
            last_ns = time.monotonic_ns() if text and not latencies[1:] else last_ns
        connection.close()
        return (last_ns - first_ns) / 1e9, median(latencies)

    def stalled_chat(self) -> str:
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
    count, paced = scale.of(40_000, 4_000), scale.of(200, 40)
    story = story_of_turns(*[2] * CHATS)
    with tempfile.TemporaryDirectory(prefix="chat-bench-relay-") as name, upstream() as port:
        copy = story.copy_to(Path(name) / "story")
        with served(copy, port) as server:
            stage = Stage(server, copy.chats, port)
            stage.relayed(1, "bench:flood:100")
            flooded = _flood(stage, count)
            paced_lines = _paced(stage, paced)
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
                FLOOD_SHARE if tabs == 2 else 0,
            )
            for tabs in TABS
        ),
        holds("nothing lost or reordered at any number of tabs", f"{ROUNDS * len(TABS)} floods", is_whole),
    ]


def _paced(stage: Stage, count: int) -> list[Line]:
    mark = f"bench:pace:{count}"
    lines = []
    for tabs in TABS:
        pairs = []
        for _ in range(ROUNDS if tabs == 2 else 2):
            _, floor_us = stage.direct(mark)
            pairs.append((stage.relayed(tabs, mark)["p50_us"], floor_us))
        added = median(own - floor for own, floor in pairs) / 1000
        own, floor = (median(column) for column in zip(*pairs, strict=True))
        line = within(
            f"a token at 10 ms pace, added, {tabs} tab{'s' if tabs > 1 else ''}",
            us(own / 1e6),
            f"{us(floor / 1e6)} direct",
            added,
            PACED_MS if tabs == 2 else float("inf"),
            "ms",
        )
        lines.append(line)
    return lines


def _stalled(stage: Stage, count: int, floods: int) -> list[Line]:
    """Memory after the same floods without and with a tab that never reads."""
    grown = []
    for stalled in (0, 1):
        chat_id = stage.stalled_chat()
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
