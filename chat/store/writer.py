"""The one thread that writes. Jobs run one after another, whole; an awaiting task that is cancelled changes nothing.

A job is a plain function: nothing awaits inside it, so no transaction is ever open while something else runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Job = Callable[[], None]


class Writer:
    """Start it with `start`, end it with `stop`; `run` may be called from any event loop."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def is_wanted(self) -> bool:
        """True when something waits behind the job that runs now."""
        return not self._jobs.empty()

    async def run(self, job: Callable[[], T], then: Callable[[T], None] | None = None) -> T:
        """The job's result. `then` runs on the event loop before the caller goes on, also if it was cancelled."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                outcome, problem = job(), None
            except BaseException as raised:  # noqa: BLE001 - it is raised again where the job was asked for
                outcome, problem = None, raised
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
                loop.call_soon_threadsafe(_settle, future, outcome, problem, then)

        self._jobs.put(work)
        return await future

    async def stop(self) -> None:
        """Finish what waits, then end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _settle(
    future: asyncio.Future[Any],
    outcome: Any,
    problem: BaseException | None,
    then: Callable[[Any], None] | None,
) -> None:
    if problem is None and then is not None:
        then(outcome)
    if future.done():
        return
    if problem is not None:
        future.set_exception(problem)
    else:
        future.set_result(outcome)
