"""Backups as the program makes them: by hand, once a day, and the way back to one while the program runs.

One piece of this work at a time; it runs on threads beside the story and never holds a turn up, save for the moment
in which one database takes the place of another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from chat.engine import recovery, schedule
from chat.engine.backup_facts import when
from chat.errors import BackupRunning, ChatError, StoreDamaged, StoreError, TurnRunning
from chat.observe import get_logger
from chat.store import backup, copies, restore
from chat.store.backup_folder import Backup
from chat.store.restore import Preview, Restored

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)
FIRST_LOOK_S = 30
LOOK_EVERY_S = 3600
T = TypeVar("T")


class Backups:
    """`stage` says what is being done in a few words, and is empty when nothing is. Lives on the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._daily: asyncio.Task[None] | None = None
        self._work: asyncio.Task[Any] | None = None
        self.stage = ""
        self.problem: ChatError | None = None
        """Why the last backup could not be made, until one is."""

    def start(self) -> None:
        """Begin to look, soon and then every hour, whether a backup is due."""
        self._daily = asyncio.create_task(self._keep_looking(), name="daily backup")

    async def stop(self) -> None:
        """End the looking; what is being done is finished first, so that nothing is left half made."""
        if self._daily:
            self._daily.cancel()
        tasks = [task for task in (self._daily, self._work) if task]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def all(self) -> list[Backup]:
        """Every backup, the last made first."""
        return await asyncio.to_thread(backup.listing, self._engine.settings)

    async def outdated(self, found: Sequence[Backup]) -> set[str]:
        """The names of those that still hold words which were deleted for good since."""
        with suppress(StoreError):  # the way back from a database that cannot be read leads over this list
            return copies.still_holding(found, await self._engine.store.erased())
        return set()

    async def make(self, reason: str = "by-hand") -> Backup:
        """Back up everything. Raises BackupRunning, StoreError. Goes on when whoever asked does not wait."""
        return await self.alone(partial(self._make, reason))

    async def preview(self, name: str) -> Preview:
        """What going back to a backup would change. Raises NotFound, StoreDamaged."""
        return await asyncio.to_thread(restore.preview, self._engine.settings, name)

    async def restore(self, name: str) -> Restored:
        """Go back to a backup, in place. Raises NotFound, StoreDamaged, TurnRunning while a reply is written."""
        return await self.alone(partial(self._restore, name))

    async def make_if_due(self) -> bool:
        """One backup for each local day, when something has happened since the last; True when one was made."""
        engine = self._engine
        await engine.timekeeping.look()
        if engine.store.fault or not engine.store.head:
            return False
        good = [one for one in await self.all() if one.is_verified]
        made = [moment for one in good if (moment := when(one))]
        if not schedule.is_due(engine.clock.now(), made, engine.clock.local):
            return False
        if good and good[0].manifest:
            head = await engine.store.log_head()
            if (good[0].manifest.head_id, good[0].manifest.head_hash) == (head.id, head.hash.hex()):
                return False
        try:
            await self.make("daily")
        except BackupRunning:
            log.info("daily_backup_skipped", why="another one is running")
            return False
        return True

    async def _keep_looking(self) -> None:
        wait_s: float = FIRST_LOOK_S
        while True:
            await asyncio.sleep(wait_s)
            try:
                await self.make_if_due()
            except ChatError as problem:
                log.warning("daily_backup_failed", code=problem.code, why=problem.message)
            except Exception:
                log.exception("daily_backup_failed")
            clock = self._engine.clock
            wait_s = schedule.seconds_to_next(clock.now(), clock.local, LOOK_EVERY_S)

    async def alone(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do it as a task of its own that nobody's leaving cancels."""
        if self._work is not None:
            raise BackupRunning("A backup is being made or restored at this moment.")
        task = self._work = asyncio.create_task(work())
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._work, self.stage = None, ""
        if not task.cancelled():
            task.exception()  # it was told to whoever waited, and stands in the log

    def _teller(self) -> Callable[[str], None]:
        loop = asyncio.get_running_loop()

        def tell(stage: str) -> None:
            with suppress(RuntimeError):  # the loop is gone: nobody looks any more
                loop.call_soon_threadsafe(setattr, self, "stage", stage)

        return tell

    async def _make(self, reason: str) -> Backup:
        engine = self._engine
        self.stage = "beginning"
        try:
            made = await asyncio.to_thread(backup.make, engine.settings, engine.clock, reason, self._teller())
        except BackupRunning:
            raise  # the other one is told of when it ends
        except ChatError as problem:
            self.problem = problem
            log.warning("backup_failed", reason=reason, code=problem.code, why=problem.message)
            if isinstance(problem, StoreDamaged):
                engine.store.wait_for(problem)  # and the damage is looked into
            raise
        except Exception:
            self.problem = StoreError(
                "The last backup could not be made, for a reason the program did not foresee.",
                "Your stories are as they were. Back up now to try again; the log says what happened.",
            )
            raise
        self.problem = None
        log.info("backup_made", name=made.name, size=made.size)
        return made

    async def _restore(self, name: str) -> Restored:
        """Everything that takes long is done beside the story; then nothing begins until the exchange is over."""
        engine, tell = self._engine, self._teller()
        self.stage = "beginning"
        _must_be_quiet(engine)
        # What the database did not take goes into the backup of the present.
        for chat_id in list(engine.unclosed):
            with suppress(StoreError):
                await engine.close_interrupted(chat_id)
        seen = await asyncio.to_thread(restore.prepare, engine.settings, engine.clock, name, tell)
        if engine.runs.all():
            restore.give_up(engine.settings)
            _must_be_quiet(engine)
        engine.runs.closed_by = BackupRunning("The stories are just being exchanged for those of a backup.")
        try:
            await engine.digests.stop()
            exchange = partial(restore.exchange, engine.settings, engine.clock, seen, tell)
            done = await engine.store.exchange(exchange, are_others=True)
        except ChatError:
            if not engine.store.fault:
                await recovery.take_up(engine, engine.store.library.chats)
            raise
        finally:
            engine.runs.closed_by = None
        log.info("backup_restored", name=name, safety=done.safety, old_files=done.old_files)
        for kept in (engine.background, engine.history_from, engine.unstored, engine.unclosed):
            kept.clear()
        engine.anticipation.forget()
        engine.hub.restart(engine.clock.new_id().lower())
        if not engine.store.fault:
            await recovery.recover(engine)
        return done


def _must_be_quiet(engine: Engine) -> None:
    if running := next(iter(engine.runs.all()), None):
        raise TurnRunning(
            "A reply is being written, so the stories cannot be exchanged now.",
            turn_id=running.reply_id,
            next_step="Wait for the reply or stop it, then go back.",
        )
