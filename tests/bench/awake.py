"""Keeps the processors from sleeping while something is measured that waits and wakes all the time.

The host takes a virtual processor away that has nothing to do, and to get it back takes 50 to 150 us, several times on
the way of one token. This shows how much of a figure that is; what is compared is measured under the same condition.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def processors_awake() -> Iterator[bool]:
    """Inside, every processor has something to do that gives way to everything else. False where that cannot be had."""
    if not hasattr(os, "SCHED_IDLE"):
        yield False
        return
    with ExitStack() as stack:
        for processor in os.sched_getaffinity(0):
            stack.enter_context(_spinning_on(processor))
        yield True


@contextmanager
def _spinning_on(processor: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.bench.awake", str(processor)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def _spin(processor: int) -> None:
    """Ends with whoever started it."""
    os.sched_setaffinity(0, {processor})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    threading.Thread(target=lambda: os._exit(len(sys.stdin.read())), daemon=True).start()
    print("ready", flush=True)
    while True:
        pass


if __name__ == "__main__":
    _spin(int(sys.argv[1]))
