"""Tells a quiet moment of this machine from a noisy one, so that a figure in milliseconds can be measured in quiet.

A virtual processor shares its core with strangers: from one tenth of a second to the next everything takes up to twice
as long. A loop that is always the same is timed on each processor, just before and just after what is measured, and
what was measured counts when both times are near the best that was ever seen here. What was measured has no say in it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

Taken = TypeVar("Taken")
NEAR = 1.25
"""A noisy processor takes 1.4 to 1.9 times its best."""
ENOUGH = 5
_STEPS = 20_000
_LOOK_S, _REST_S, _LONGEST_S = 0.05, 0.03, 4.0
_BEST = Path(tempfile.gettempdir()) / f"chat-bench-best-{sys.version_info.major}.{sys.version_info.minor}"


class Quiet:
    """Knows the best time of its loop, also from earlier runs."""

    def __init__(self, patience_s: float) -> None:
        """It waits no longer than that in all."""
        self._best_s, self._patience_s = float("inf"), patience_s
        with suppress(OSError, ValueError):
            self._best_s = float(_BEST.read_text("ascii"))
        for _ in range(20):
            self._look()

    def is_now(self) -> bool:
        """Whether every processor is near its best."""
        return self._look() <= NEAR * self._best_s

    def wait(self) -> bool:
        """Until it is quiet, but not for ever; then rests, so that nothing is kept awake by the looking."""
        began = time.monotonic()
        until = began + min(_LONGEST_S, self._patience_s)
        while not (is_quiet := self.is_now()) and time.monotonic() < until:
            time.sleep(_LOOK_S)
        self._patience_s -= time.monotonic() - began
        time.sleep(_REST_S)
        return is_quiet

    def _look(self) -> float:
        """Seconds of the loop on the slowest processor."""
        if not hasattr(os, "sched_setaffinity"):
            return self._told(_timed())
        all_of_them, taken = os.sched_getaffinity(0), []
        try:
            for processor in all_of_them:
                os.sched_setaffinity(0, {processor})
                taken.append(self._told(_timed()))
        finally:
            os.sched_setaffinity(0, all_of_them)
        return max(taken)

    def _told(self, took_s: float) -> float:
        if took_s < self._best_s:
            self._best_s = took_s
            with suppress(OSError):
                _BEST.write_text(str(took_s), "ascii")
        return took_s


def _timed() -> float:
    """The better of two: the first one may have to wake the processor."""
    taken = []
    for _ in range(2):
        began, total = time.perf_counter(), 0
        for number in range(_STEPS):
            total += number * number
        taken.append(time.perf_counter() - began)
    return min(taken)


def counting(taken: Sequence[tuple[Taken, bool]]) -> list[Taken]:
    """What was measured in quiet; everything, where that is too little to tell anything by."""
    quiet = [one for one, was_quiet in taken if was_quiet]
    return quiet if len(quiet) >= ENOUGH else [one for one, _ in taken]


def told(taken: Sequence[tuple[Taken, bool]]) -> str:
    """How many of them count, to be printed beside a figure."""
    quiet = sum(was_quiet for _, was_quiet in taken)
    return f"{quiet} of {len(taken)} in quiet" + ("" if quiet >= ENOUGH else ", all counted")
