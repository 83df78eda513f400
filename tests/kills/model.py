"""The model of these stories: every word it writes is its own, and it knows when it sent each.

A turn that asks for a quick answer gets a short one at once; every other reply is slow, and some stall in the middle.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

from tests.support.peer import Received
from tests.support.peer_acts import Act, Answer, Connection, delta, event

QUICK = "Be quick."
PACE_S = 0.015
STALL_S = 2.2
_STREAM = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]


@dataclass
class Told:
    """One reply: its words, and when each was sent."""

    words: list[str]
    pace_s: float
    stall_after: int | None = None
    sent_at: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def sent_until(self, moment: float) -> str:
        """The text that had been sent at a moment."""
        return " ".join(self.words[: sum(at <= moment for at in self.sent_at)])

    async def play(self, connection: Connection) -> None:
        await connection.head(200, _STREAM)
        await connection.chunk(event(delta(role="assistant", content="")))
        for number, word in enumerate(self.words):
            is_burst = self.stall_after is not None and number < self.stall_after
            await asyncio.sleep(0 if is_burst else self.pace_s)
            if number == self.stall_after:
                await asyncio.sleep(STALL_S)
            await connection.chunk(event(delta(word if number == 0 else f" {word}")))
            self.sent_at.append(time.monotonic())
        for last in (delta(finish="stop"), "[DONE]"):
            await connection.chunk(event(last))
        await connection.end()


class Narrator:
    """Give it to a peer as its default. `told` is by the seed of the request."""

    def __init__(self, chance: random.Random, names: tuple[str, ...]) -> None:
        self.told: dict[int, Told] = {}
        self._chance = chance
        self._names = names

    def __call__(self, received: Received) -> Act:
        if received.schema_name:
            return Answer(self._structured(received.schema_name.lower()))
        number, last = len(self.told) + 1, str(received.body["messages"][-1]["content"])
        quick = QUICK in last
        words = [f"r{number}w{at:03}" for at in range(6 if quick else self._chance.randint(40, 110))]
        stall = None if quick or self._chance.random() < 0.6 else 30
        told = Told(words, 0.0 if quick else PACE_S, stall)
        self.told[int(received.body["seed"])] = told
        return told

    def _structured(self, schema: str) -> dict[str, Any]:
        if "kickoff" in schema:
            return {"place": {"name": "the quay", "type": "place"}, "opening": "The quay smells of tar."}
        if "scene" in schema:
            feelings = [{"target": "You", "summary": f"Closer than before ({self._chance.random()})."}]
            return {"memory": "An evening at the quay.", "significance": 2, "feelings": feelings}
        return self._digest()

    def _digest(self) -> dict[str, Any]:
        felt = {"target": "You", "affinity": 1, "trust": -1, "reason": "what was said", "cites": [1]}
        learned = {"about": "You", "text": f"Said something at {self._chance.random()}.", "cites": [1]}
        place = f"the pier {self._chance.randint(1, 10**6)}"
        ended = self._chance.random() < 0.25
        return {
            "feelings": [{"source": name, **felt} for name in self._names],
            "facts": [{"owner": name, **learned} for name in self._names],
            "minutes": 3,
            "minutes_cites": [1],
            "significance": self._chance.choice((0, 1, 2, 3)),
            "scene": {"ended": ended, "why": "left_place", "next_place": place, "cites": [1]}
            if ended
            else {},
        }
