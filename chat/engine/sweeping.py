"""Deletes what far jumps have left behind, a piece at a time, while nobody waits for the writer.

What is left behind is hidden from every reader already, so nothing depends on when, or whether, this is done. It waits
until an undo is unlikely: rows that still stand there need not be written again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chat.domain.events import BranchSelected
from chat.errors import StoreError
from chat.observe import get_logger
from chat.store.state import Commit

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)
AFTER_S = 60.0
"""Longer than the page offers to undo."""
PAUSE_S = 0.05


class Sweeping:
    """Begins anew after each jump. Lives on the event loop; each piece is one transaction of the writer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._work: asyncio.Task[None] | None = None
        engine.store.on_commit(self._committed)

    def start(self) -> None:
        """Go on with what an earlier life of the program has not finished."""
        if self._work:
            self._work.cancel()
        self._work = asyncio.create_task(self._sweep(), name="sweeping")

    async def stop(self) -> None:
        """The rest waits for the next start."""
        if self._work:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def idle(self) -> None:
        """Return when nothing is left."""
        if self._work:
            await asyncio.gather(self._work, return_exceptions=True)

    def _committed(self, commit: Commit) -> None:
        if any(isinstance(event.data, BranchSelected) for event in commit.events):
            self.start()

    async def _sweep(self) -> None:
        await asyncio.sleep(AFTER_S)
        await (
            self._engine.snapshots.idle()
        )  # the log cannot be emptied while one is written from an older moment
        store = self._engine.store
        try:
            is_swept = False
            while await store.sweep():
                is_swept = True
                await asyncio.sleep(PAUSE_S)
            if is_swept:
                await store.checkpoint()
        except StoreError as problem:
            log.warning("sweep_failed", code=problem.code)
