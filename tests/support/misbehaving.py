"""A model's server as bad as they come: most replies are good, the rest fail in every way known, by a seed.

`MIX` is the default mix: of a hundred requests so many do this. Structured questions are answered badly as often.
"""

from __future__ import annotations

import random
from collections import Counter

from tests.support.peer import Received
from tests.support.peer_acts import Act, Answer, Endless, HangUp, Raw, Reply, Silence, Status, delta, event

GOOD = "good"


def _error(status: int, message: str = "", **more: object) -> Status:
    return Status(status, {"error": {"message": message, **more}})


MIX: dict[str, tuple[int, tuple[Act, ...]]] = {
    "too many requests": (
        4,
        (Status(429, retry_after="0"), _error(429, "slow down"), Status(429, retry_after="99")),
    ),
    "server fails": (
        6,
        (_error(500, "oops"), Status(502, "<html>Bad gateway</html>"), Status(504), Status(500)),
    ),
    "no room": (3, (Status(503), _error(503, "Loading model"), Status(529))),
    "hangs up at once": (3, (HangUp(), HangUp(reset=False))),
    "says no": (3, (Status(401), Status(402), Status(403), _error(404, "no such model"), _error(422, "no"))),
    "too long": (1, (_error(400, "x", code="context_length_exceeded"),)),
    "cut in the middle": (
        4,
        (
            Reply("The tide comes in and", finish=None, done=False),
            Raw([event(delta("The tide")), b'data: {"choi'], end="cut"),
            Raw([event(delta("The tide"))], end="reset", pause_s=0.01),
            Raw([event(delta("The tide")), event({"error": {"message": "GPU fell off"}})]),
        ),
    ),
    "falls silent": (1, (Silence(), Silence(headers=True), Reply("The tide comes in", stall_after=2))),
    "no reply in it": (
        4,
        (
            Reply(""),
            Reply(" \n "),
            Reply("", reasoning="Hmm."),
            Reply("", finish="content_filter"),
            Reply("I'm sorry, but I can't help with that request."),
            Reply(pieces=['{"a": 1}'], tool=True, finish="tool_calls"),
        ),
    ),
    "not a stream": (
        2,
        (Raw([b"<html>Sign in</html>"], "text/html"), Raw([b"xx"], headers=[("Content-Encoding", "gzip")])),
    ),
    "endless": (1, (Endless("and on " * 50), Endless(line=True))),
    "odd but whole": (
        6,
        (
            Reply("The tide comes in.", crlf=True, keep_alive=3),
            Reply("The tide comes in.", one_byte=True),
            Reply("The tide comes in.", stream=False),
            Reply("The tide comes in.", usage=None, done=False, reasoning="Well."),
            Raw(
                [b"data: {broken\n\n", event(delta("The tide.", "stop")), b"data: [DONE]\n\ndata: [DONE]\n\n"]
            ),
        ),
    ),
}
_UNREADABLE: tuple[Act, ...] = (
    Reply("I would rather tell a story."),
    Answer('{"significance": 3,'),
    Answer({"feelings": "none", "significance": 10**9, "minutes": -5}),
    Answer({"feelings": [{"source": "nobody", "target": "everybody", "affinity": 99}]}),
    Status(500),
    HangUp(),
)


class Misbehaving:
    """Give it to a Peer as its default. `seen` counts what it did."""

    def __init__(self, seed: int = 7) -> None:
        self._chance = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.requests = 0

    def __call__(self, received: Received) -> Act:
        self.requests += 1
        if received.schema_name or received.body.get("tools") or received.body.get("response_format"):
            return (
                self._chance.choice(_UNREADABLE)
                if self._chance.random() < 0.3
                else Answer({"significance": 1})
            )
        draw = self._chance.randrange(100)
        for name, (share, acts) in MIX.items():
            draw -= share
            if draw < 0:
                self.seen[name] += 1
                return self._chance.choice(acts)
        self.seen[GOOD] += 1
        return Reply(f'*looks up* "The tide comes in, {self.requests} times a year."')
