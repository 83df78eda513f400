"""Turns against a misbehaving server: every one has to end with its reply or with a stated reason.

Failures are of every kind the program knows (tests/support/misbehaving.py), a third of all requests; afterwards the
log has to be whole, and every word the player said has to stand in the story exactly once.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from chat.settings import load_settings
from chat.store.verify import verify
from tests.bench.figures import Line, Scale, at_least, holds
from tests.support.delivery import REASON, REPLY, deliver

TURNS, TURNS_QUICK = 1_000, 60
TARGET = 0.999


def measure(scale: Scale) -> list[Line]:
    turns = scale.of(TURNS, TURNS_QUICK)
    with tempfile.TemporaryDirectory(prefix="chat-bench-delivery-") as name:
        folder = Path(name) / "data"
        told = asyncio.run(deliver(folder, turns))
        findings = [*told.findings, *verify(load_settings(data_dir=folder))]
    for line in (*told.lost, *findings):
        print(f"    {line}")
    failed = sum(told.did.values()) - told.did["good"] - told.did["odd but whole"]
    good = f"{told.ended[REPLY] + told.ended[REASON]} of {told.turns} turns"
    mix = f"{failed} of {told.did.total()} requests failed"
    return [
        at_least("end with a reply or a stated reason", good, mix, told.share, TARGET),
        holds("end with a reply", f"{told.ended[REPLY]} of {told.turns}", told.ended[REPLY] > told.turns / 2),
        holds("words kept, log whole", "; ".join(findings) or "every one", not findings),
    ]
