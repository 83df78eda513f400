"""What is done about stories that cannot be written: a full or locked disk is waited for, a damaged file is mended.

Nothing is written while the store has a fault, so no reply begins meanwhile; afterwards everything goes on without a
restart. A file is mended once in the life of a program: damage that comes back is for a person to look at.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from chat.engine import authoring, recovery
from chat.errors import ChatError, EventsLost, StoreBusy, StoreDamaged, StoreError, StoreFull, StoreReadOnly
from chat.observe import get_logger
from chat.store import mend
from chat.store.start import advise

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)
LOOK_EVERY_S = 2.0
_OPENING = "The stories are just being opened again."


class Faults:
    """Looks every two seconds whether the store has a fault that something can be done about."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looking: asyncio.Task[None] | None = None
        self._looked_into: StoreError | None = None

    def start(self) -> None:
        if fault := self._engine.store.fault:
            log.error("stories_cannot_be_written", code=fault.code)
        self._looking = asyncio.create_task(self._keep_looking(), name="faults of the store")

    async def stop(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            fault = self._engine.store.fault
            try:
                if isinstance(fault, StoreReadOnly | StoreFull):
                    await self._try_to_write()
                elif isinstance(fault, StoreDamaged) and not isinstance(fault, EventsLost):
                    await self._look_into(fault)
            except ChatError as problem:
                log.warning("stories_cannot_be_written", code=problem.code)
            except Exception:
                log.exception("looking_into_a_fault_failed")

    async def _try_to_write(self) -> None:
        engine = self._engine
        engine.runs.closed_by = StoreBusy(_OPENING)
        try:
            if await engine.store.write_again():
                log.info("stories_can_be_written_again")
                await self._go_on()
        finally:
            engine.runs.closed_by = None

    async def _look_into(self, fault: StoreDamaged) -> None:
        """Write the database anew from its log; where that is not whole, name the backup to go back to."""
        engine = self._engine
        if self._looked_into is not None:
            if fault is not self._looked_into:
                await asyncio.to_thread(advise, engine.settings, fault)
                self._looked_into = fault
            return
        self._looked_into = fault
        for run in engine.runs.all():
            await run.finished.wait()  # its text lies in the journal, and nothing of it can be stored now
        try:
            head = await asyncio.to_thread(mend.prepare, engine.settings, engine.clock)
        except StoreDamaged as problem:
            log.error("event_log_damaged", code=problem.code)
            fault.message = f"{fault.message} Its log is not whole either: {problem.message}"
            await asyncio.to_thread(advise, engine.settings, fault)
            return
        await engine.digests.stop()
        kept_as = await engine.store.mend(partial(mend.decide, engine.settings, engine.clock, head))
        log.warning("database_mended", old_file=kept_as)
        await self._go_on()

    async def _go_on(self) -> None:
        """As after a start: what was left undone is finished, and every tab loads anew."""
        engine = self._engine
        engine.background.clear()
        engine.history_from.clear()
        engine.hub.restart(engine.clock.new_id().lower())
        if not engine.store.fault:
            await recovery.recover(engine)
            await authoring.ensure_example(engine)
