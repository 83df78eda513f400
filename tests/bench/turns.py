"""What a turn costs the program in processor time, with a short and with a long story behind it.

Counted is the server's process alone, from the first letter until nothing is left to do: the reply, its memory and its
commits, then the digest with a feeling and a fact, the checkpoint, and what is read ahead for the next turn. How long
the player waits is a figure of its own, `first-token`.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.bench.direct import upstream
from tests.bench.figures import ROUNDS, Line, Scale, at_most, ms, summed
from tests.bench.first_token import HAND_S
from tests.bench.served import Served, served, until_digested
from tests.bench.stories import Words, story_of_turns
from tests.support.sse import EventStream

LENGTHS, LENGTHS_QUICK = (100, 10_000, 100_000), (100, 1_000, 10_000)
"""A prompt and recall look at a bounded part of a story. The shortest has less than that, the other two have more."""
FLAT = 1.15
Rounds = list[list[tuple[float, float]]]
SETTLED_S = 0.2
"""After the digest, for the checkpoint and for what is read ahead."""


class Seat:
    """One chat of a server with a tab open on it."""

    def __init__(self, server: Served, chat_id: str) -> None:
        self._server, self._chat_id, self._said = server, chat_id, Words().said
        self._chance = random.Random(5)
        self._stream = EventStream(f"http://127.0.0.1:{server.port}/chats/{chat_id}/events", timeout_s=60)
        self._stream.until("snapshot")

    def turn(self) -> tuple[float, float]:
        """Processor seconds of a whole turn, and of what came after its reply was stored."""
        prose = f"{self._chance.choice(self._said).text} bench:note:{self._chance.randrange(1000)}"
        began = self._server.cpu_s()
        self._server.save_draft(self._chat_id, prose)
        time.sleep(HAND_S)
        self._server.post_turn(self._chat_id, prose)
        self._until_replied()
        replied = self._server.cpu_s()
        until_digested(self._stream)
        time.sleep(SETTLED_S)
        ended = self._server.cpu_s()
        return ended - began, ended - replied

    def _until_replied(self) -> None:
        while frame := self._stream.next():
            if frame.event == "event" and "assistant_turn" in frame.data["kinds"]:
                return

    def close(self) -> None:
        self._stream.close()


def measure(scale: Scale) -> list[Line]:
    lengths = LENGTHS_QUICK if scale.quick else LENGTHS
    with (
        tempfile.TemporaryDirectory(prefix="chat-bench-turns-") as name,
        upstream() as port,
        ExitStack() as stack,
    ):
        stories = [story_of_turns(length).copy_to(Path(name) / str(length)) for length in lengths]
        servers = [stack.enter_context(served(story, port)) for story in stories]
        for server in servers:
            server.wait_until_backed_up()
        seats = [Seat(server, story.chats[0]) for server, story in zip(servers, stories, strict=True)]
        rounds = _rounds(seats, scale.of(4, 3))
    return [
        line
        for part, what in ((0, "CPU of a turn"), (1, "  of it after the reply"))
        for short in (0, 1)
        for line in [_grown(rounds, what, part, lengths, short)]
    ]


def _grown(rounds: Rounds, what: str, part: int, lengths: Sequence[int], short: int) -> Line:
    """The longest story beside a shorter one."""
    late, early, ratio = summed([(one[-1][part], one[short][part]) for one in rounds])
    beside = f"{ms(early)} at {lengths[short]:,}"
    return at_most(f"{what}, {lengths[-1]:,} turns", ms(late), beside, ratio, FLAT)


def _rounds(seats: Sequence[Seat], turns: int) -> Rounds:
    """What a turn cost in each chat, both in turn, for each round: the median of so many turns."""
    for _ in range(4):
        for seat in seats:
            seat.turn()
    rounds = []
    for _ in range(ROUNDS):
        taken = [[seat.turn() for seat in seats] for _ in range(turns)]
        rounds.append(
            [
                (median(whole for whole, _ in column), median(after for _, after in column))
                for column in zip(*taken, strict=True)
            ]
        )
    for seat in seats:
        seat.close()
    return rounds
