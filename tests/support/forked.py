"""Starts the program by forking a process that has imported it, in a fifth of the time of an interpreter of its own.

Importing is three quarters of what a start costs, and the same each time: tests that need a program of their own, a few
hundred of them, would spend a third of their time on it. What is forked is a process as any other: it has its own
memory, can be killed at any instant and reports its end. That the program starts by its command is tested elsewhere.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

import coverage

COUNTED = "COVERAGE_PROCESS_CONFIG"
"""The variable by which coverage.py is told to count in processes that are started."""
ROOT = Path(__file__).parents[2]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.preloaded"])


class Forked:
    """As much of `subprocess.Popen` as a test of the program needs."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork(
    main: Callable[[], None], arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> Forked:
    """`main` as if it had been started as a command with these arguments; what it prints is added to the log.

    `main` is found by its module and name, and nothing of this process but the environment gets there. What the program
    runs through counts for the coverage of the tests as it does for a command: where the environment says so, and the
    program is not killed.
    """
    given = (main, list(arguments), dict(environment), str(log))
    process = _FORKS.Process(target=_become, args=given, name=main.__module__, daemon=True)
    # The process that is forked is started with the first, and counts nothing itself.
    found = {name: value for name, value in os.environ.items() if name != COUNTED}
    paths = os.pathsep.join(one for one in (str(ROOT), found.get("PYTHONPATH", "")) if one)
    with mock.patch.dict(os.environ, found | {"PYTHONPATH": paths}, clear=True):
        process.start()
    return Forked(process)


def _become(main: Callable[[], None], arguments: list[str], environment: dict[str, str], log: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(written, stream)
    os.close(written)
    sys.argv = ["chat", *arguments]
    counting = coverage.process_startup() if COUNTED in environment else None
    try:
        main()
    finally:
        if counting:
            counting.stop()
            counting.save()
