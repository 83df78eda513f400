"""Takes snapshots of the stories now and then, and before every rewind, beside whatever else goes on.

A snapshot only makes a far jump shorter: when one cannot be written, that is logged and nothing else changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chat.errors import StoreError
from chat.observe import get_logger
from chat.store import snapshots
from chat.store.snapshots import Moment
from chat.store.state import Commit

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)
EVENTS = 100
SECONDS = 30 * 60
LOOK_EVERY_S = 60
_ROWS_AN_EVENT = 20
"""A long story is written less often, so that all its snapshots together cost a small share of the turns."""


@dataclass
class Since:
    """What has happened in a chat since its last snapshot, and how large that was."""

    events: int = 0
    rows: int = 0
    at_s: float = 0.0


class Snapshots:
    """Counts what happens in each chat. Lives on the event loop; the writing is done on threads, one at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._since: dict[str, Since] = {}
        self._one_at_a_time = asyncio.Lock()
        self._work: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        engine.store.on_commit(self._committed)

    def start(self) -> None:
        self._looking = asyncio.create_task(self._keep_looking(), name="snapshots")

    async def stop(self) -> None:
        """End the looking and finish what is being written."""
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self.idle()

    async def idle(self) -> None:
        """Return when everything that was due is written."""
        while self._work:
            await asyncio.gather(*self._work)

    async def hold(self) -> Moment | None:
        """The present moment, for `keep_rewind`; None when it cannot be held, which stops nobody."""
        try:
            return await self._engine.store.moment()
        except (StoreError, OSError) as problem:
            _tell(problem)
            return None

    def keep_rewind(self, chat_id: str, moment: Moment) -> None:
        """Write what stood before a rewind, in the background."""
        self._begin(self._keep(chat_id, moment, before_rewind=True))

    def _committed(self, commit: Commit) -> None:
        now_s = self._engine.clock.monotonic_s()
        for event in commit.events:
            if event.stream.startswith("chat:"):
                chat_id = event.stream.removeprefix("chat:")
                if chat_id not in self._since:
                    self._since[chat_id] = Since(at_s=now_s)
                    self._begin(self._count_before(chat_id, event.id))
                self._since[chat_id].events += 1
        self._take_due()

    def _take_due(self) -> None:
        now_s = self._engine.clock.monotonic_s()
        for chat_id, since in self._since.items():
            many = since.events >= _spacing(since.rows)
            if many or (since.events and now_s - since.at_s >= SECONDS):
                since.events, since.at_s = 0, now_s
                self._begin(self._take(chat_id, since))

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._engine.timekeeping.warning()
            self._take_due()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _count_before(self, chat_id: str, first_id: int) -> None:
        """Add what happened before this start, or a story that is played a little at a time never has a snapshot."""
        settings = self._engine.settings
        try:
            async with self._one_at_a_time:
                found = await asyncio.to_thread(snapshots.since, settings, chat_id, first_id, _spacing)
        except (StoreError, OSError) as problem:
            log.warning("snapshots_not_looked_at", error_type=type(problem).__name__)
            return
        since = self._since[chat_id]
        since.events, since.rows = since.events + found[0], max(since.rows, found[1])
        self._take_due()

    async def _take(self, chat_id: str, since: Since) -> None:
        async with self._one_at_a_time:
            if moment := await self.hold():
                since.rows = await self._write(chat_id, moment)

    async def _keep(self, chat_id: str, moment: Moment, *, before_rewind: bool) -> None:
        async with self._one_at_a_time:
            await self._write(chat_id, moment, before_rewind=before_rewind)

    async def _write(self, chat_id: str, moment: Moment, *, before_rewind: bool = False) -> int:
        """How many rows were written; a story whose snapshot cannot be written loses nothing by it."""
        try:
            header = await self._engine.store.keep_snapshot(chat_id, moment, before_rewind=before_rewind)
        except (StoreError, OSError) as problem:
            _tell(problem)
            return 0
        return header.rows if header else 0


def _spacing(rows: int) -> int:
    return max(EVENTS, rows // _ROWS_AN_EVENT)


def _tell(problem: Exception) -> None:
    log.warning("snapshot_not_written", error_type=type(problem).__name__)
