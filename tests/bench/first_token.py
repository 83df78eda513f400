"""From the player's POST to the first word on the stream, less what a direct call to the upstream takes.

The prompt holds about fifty turns. Two commits synced to disk lie in this time, because nothing is shown that is
not stored. The page saves the words as a draft while they are typed, and so it is measured; what a script's POST
takes, of which nobody knew before, is told too. What is measured in noise does not count, see `quiet`.
"""

from __future__ import annotations

import random
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from tests.bench.direct import Direct, upstream
from tests.bench.disk import synced
from tests.bench.figures import Line, Scale, at_most, ms, within
from tests.bench.quiet import Quiet, counting, told
from tests.bench.served import Served, served
from tests.bench.stories import Words, story_of_turns

SHORT, LONG, LONG_QUICK = 100, 100_000, 10_000
ADDED_MS = 2.5
HAND_S = 0.25
"""From the last key to the key that sends."""
WARM, MOST_TRIES = 4, 4
ANSWER_S = 60.0
Took = tuple[float, bool]
"""Seconds, and whether it was quiet before and after."""


class Connection:
    """A kept connection, read as bytes: as little of the measured time as can be is the client's own."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def send(self, head: Sequence[str], body: bytes = b"") -> None:
        """A request in one piece, as a browser sends one that is small."""
        self._socket.sendall("\r\n".join([*head, "", ""]).encode() + body)

    def until(self, *wanted: bytes) -> None:
        """Reads until one of these came; what was read up to there is dropped."""
        latest = time.monotonic() + ANSWER_S
        while not (ends := [at + len(one) for one in wanted if (at := self._read.find(one)) >= 0]):
            data = self._socket.recv(262_144)
            assert data, "the server hung up"
            assert time.monotonic() < latest, f"{wanted!r} did not come"
            self._read += data
        self._read = self._read[min(ends) :]

    def close(self) -> None:
        self._socket.close()


class Asker:
    """One chat of a server with a tab open on it."""

    def __init__(self, server: Served, chat_id: str, words: Words) -> None:
        self._server, self._chat_id, self._words = server, chat_id, words
        self._chance = random.Random(chat_id)
        self._stream = Connection(server.port)
        host = f"Host: 127.0.0.1:{server.port}"
        events = f"GET /chats/{chat_id}/events HTTP/1.1"
        self._stream.send([events, host, "Accept: text/event-stream"])
        self._stream.until(b"event: snapshot")
        kind = "Content-Type: application/x-www-form-urlencoded"
        self._head = [f"POST /chats/{chat_id}/turns HTTP/1.1", host, "Accept: application/json", kind]

    def first_token(self, quiet: Quiet, *, typed: bool = True) -> Took:
        """Seconds from POST to the first token frame; returns when the reply has ended and was digested."""
        prose = f"{self._chance.choice(self._words.said).text} bench:tell:{self._chance.randrange(1000)}"
        if typed:
            self._server.save_draft(self._chat_id, prose)
            time.sleep(HAND_S)
        body = urlencode({"prose": prose}).encode()
        head = [*self._head, f"Content-Length: {len(body)}"]
        posts = Connection(self._server.port)  # the server hangs up on one that rested for five seconds
        before = quiet.wait()
        began = time.perf_counter()
        posts.send(head, body)
        self._stream.until(b"event: token")
        took = time.perf_counter() - began
        after = quiet.is_now()
        posts.until(b"reply_id")
        posts.close()
        self._stream.until(b"digest_finished")
        return took, before and after

    def close(self) -> None:
        self._stream.close()


def measure(scale: Scale) -> list[Line]:
    short, long = story_of_turns(SHORT), story_of_turns(scale.of(LONG, LONG_QUICK))
    asked = scale.of(20, 5)
    with tempfile.TemporaryDirectory(prefix="chat-bench-first-") as name, upstream() as port:
        first, second = short.copy_to(Path(name) / "short"), long.copy_to(Path(name) / "long")
        with served(first, port) as few, served(second, port) as many:
            askers = (Asker(few, first.chats[0], Words()), Asker(many, second.chats[0], Words()))
            taken = _taken(*askers, port, asked, Quiet(scale.of(100, 30)))
    own, late, floor, sudden, late_sudden = (median(counting(column)) for column in taken)
    turns = scale.of(LONG, LONG_QUICK)
    return [
        within(
            "first token, added by the program",
            f"{ms(own)}, {told(taken[0])}",
            f"{ms(floor)} direct, {told(taken[2])}",
            (own - floor) * 1000,
            ADDED_MS,
            "ms",
        ),
        at_most(
            f"first token in a chat of {turns:,} turns", ms(late), f"{ms(own)} at {SHORT}", late / own, 1.15
        ),
        within(
            "  words nobody saw typed",
            ms(late_sudden),
            f"{ms(sudden)} at {SHORT}",
            late_sudden * 1000,
            None,
            "ms",
        ),
        synced(HAND_S),
    ]


def _taken(few: Asker, many: Asker, port: int, asked: int, quiet: Quiet) -> list[list[Took]]:
    """Each of the five in turn, until that many of each were measured in quiet."""
    direct = Direct(port)

    def asked_directly() -> Took:
        """After the same pause, so that the server is at rest and nobody's caches are warmer."""
        time.sleep(HAND_S)
        before = quiet.wait()
        took = direct.first_token("bench:tell:1")
        return took, before and quiet.is_now()

    five: list[Callable[[], Took]] = [
        lambda: few.first_token(quiet),
        lambda: many.first_token(quiet),
        asked_directly,
        lambda: few.first_token(quiet, typed=False),
        lambda: many.first_token(quiet, typed=False),
    ]
    taken: list[list[Took]] = [[] for _ in five]
    for one in five * WARM:
        one()
    for _ in range(MOST_TRIES * asked):
        for one, column in zip(five, taken, strict=True):
            column.append(one())
        if all(sum(was_quiet for _, was_quiet in column) >= asked for column in taken):
            break
    for connection in (few, many, direct):
        connection.close()
    return taken
