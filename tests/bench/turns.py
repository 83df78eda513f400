"""What a turn costs the program in processor time, with a short and with a long story behind it.

Counted is the server's process alone, from the first letter until nothing is left to do: the reply, its memory and its
commits, then the digest with a feeling and a fact, the checkpoint, and what is read ahead for the next turn. How long
the player waits is a figure of its own, `first-token`.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench.direct import upstream
from tests.bench.figures import ROUNDS, Line, Scale, at_most, ms, summed
from tests.bench.first_token import HAND_S, until_digested
from tests.bench.served import Served, served
from tests.bench.stories import Words, story_of_turns
from tests.support.sse import EventStream

SHORT, LONG, LONG_QUICK = 100, 100_000, 10_000
FLAT = 1.15
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
    turns = scale.of(LONG, LONG_QUICK)
    short, long = story_of_turns(SHORT), story_of_turns(turns)
    with tempfile.TemporaryDirectory(prefix="chat-bench-turns-") as name, upstream() as port:
        first, second = short.copy_to(Path(name) / "short"), long.copy_to(Path(name) / "long")
        with served(first, port) as few, served(second, port) as many:
            seats = Seat(few, first.chats[0]), Seat(many, second.chats[0])
            rounds = _rounds(seats, scale.of(6, 3))
    whole = summed([(many, few) for (few, _), (many, _) in rounds])
    after = summed([(many, few) for (_, few), (_, many) in rounds])
    return [
        at_most(
            f"CPU of a turn, {turns:,} turns", ms(whole[0]), f"{ms(whole[1])} at {SHORT}", whole[2], FLAT
        ),
        at_most("  of it after the reply", ms(after[0]), f"{ms(after[1])} at {SHORT}", after[2], FLAT),
    ]


def _rounds(seats: tuple[Seat, Seat], turns: int) -> list[list[tuple[float, float]]]:
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
