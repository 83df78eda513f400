"""The store as the rest of the program knows it: open, execute, read. Everything else here serves these three."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from typing import Any, NamedTuple, Self, TypeVar

from chat.clock import Clock
from chat.domain.library import Library
from chat.errors import BackupRunning, StoreDamaged, StoreError
from chat.observe import get_logger
from chat.settings import Settings
from chat.store import connections, mend, work_folders
from chat.store.access import obstacle
from chat.store.copies import Copies, Span, erased, holding
from chat.store.erase import Wanted, erase, first_event
from chat.store.fingerprint import fingerprint
from chat.store.headfile import Head
from chat.store.journal import ReplyJournal, journals
from chat.store.live import Live
from chat.store.lock import FolderLock
from chat.store.progress import Progress, silent
from chat.store.reading import Reader, Readers
from chat.store.rebuild import rebuild
from chat.store.scrub import unfinished
from chat.store.snapshot_file import Header
from chat.store.snapshots import Moment, Snapshots
from chat.store.start import accept_loss, open_live, rebuild_live
from chat.store.state import Commit, Decide
from chat.store.traces import Elsewhere, elsewhere, naming
from chat.store.writer import Writer

T = TypeVar("T")
Listener = Callable[[Commit], None]


log = get_logger(__name__)
LOG_BYTES_WANTED = 64_000_000
"""A write-ahead log beyond this is told of: somebody reads and does not stop."""


class _Outcome(NamedTuple):
    """A commit and the library as it left it, so that the event loop never sees a later one too early."""

    commit: Commit
    library: Library


class Store:
    """One database, its writer thread and its readers. Made by `open`; used from one event loop."""

    def __init__(self, settings: Settings, lock: FolderLock | None, writer: Writer, live: Live) -> None:
        self._settings = settings
        self._lock = lock
        self._writer = writer
        self._live = live
        self._readers = Readers(settings.db_path, sealed=live.sealed)
        self._listeners: list[Listener] = []
        self._library = live.library
        self._head = live.head.id
        self._is_log_long = False
        self._stories = 0
        """How often other stories took the place of those there were; changed on the writer's thread."""
        self.warnings: list[str] = []

    @classmethod
    async def open(
        cls, settings: Settings, clock: Clock, *, read_only: bool = False, serving: bool = False
    ) -> Self:
        """Lock the folder, bring schema and mirror up to date, and compare the log with the head file.

        When events were lost, or nothing can be written at present, the store opens with `fault` set: it can be
        read, and refuses every command. `serving` opens a damaged database too, mended where its log is whole.
        """
        hindered = None if read_only else obstacle(settings)
        lock = None if read_only or hindered else _own(settings)
        writer = Writer()
        warnings: list[str] = []

        def opening() -> Live:
            warn = warnings.append
            try:
                return open_live(settings, clock, read_only=read_only, warn=warn, hindered=hindered)
            except StoreDamaged as problem:
                if not serving:
                    raise
                if lock is None:
                    return mend.stand_in(settings, clock, problem)
                return mend.open_damaged(settings, clock, problem, warn)

        try:
            store = cls(settings, lock, writer, await writer.run(opening))
        except BaseException:
            await writer.stop()
            if lock:
                lock.release()
            raise
        store.warnings = warnings
        return store

    @property
    def fault(self) -> StoreError | None:
        """Why nothing can be written, or None."""
        return self._live.fault

    @property
    def log_bytes(self) -> int:
        """The size of the write-ahead log, which is emptied after each reply unless somebody else is reading."""
        try:
            return self._settings.db_path.with_name(f"{self._settings.db_path.name}-wal").stat().st_size
        except OSError:
            return 0

    @property
    def is_log_long(self) -> bool:
        return self._is_log_long

    @property
    def library(self) -> Library:
        """The library as of the last commit this event loop was told of."""
        return self._library

    @property
    def head(self) -> int:
        """The id of the last event this event loop was told of."""
        return self._head

    async def log_head(self) -> Head:
        """The id and hash of the last event, behind everything that waits to be written."""
        return await self._writer.run(lambda: self._live.head)

    async def execute(
        self,
        decide: Decide,
        *,
        caused_by: str | None = None,
        drop_draft: str | None = None,
        as_it_commits: Callable[[], None] = lambda: None,
    ) -> Commit:
        """Run a decision on the writer's thread and commit what it returns, all of it or nothing.

        `caused_by` names the turn or operation in each event; `drop_draft` forgets a draft in the same
        transaction; `as_it_commits` is called on that thread when only the disk is waited for. A decision that returns
        no events commits nothing. Raises BackupRunning where other stories have taken the place of those asked for.
        """
        asked_of = self._stories

        def command() -> _Outcome:
            if asked_of != self._stories:
                raise BackupRunning("The stories were just exchanged for those of a backup.")
            commit = self._live.command(decide, caused_by, drop_draft, as_it_commits)
            return _Outcome(commit, self._live.library)

        with self._noticing_damage():
            return (await self._writer.run(command, self._committed)).commit

    async def accept_loss(self) -> Commit:
        """After events were lost: say so in the log and go on from what is left. Raises Refused if none were."""

        def command() -> _Outcome:
            commit = accept_loss(self._live, self._settings.head_path)
            return _Outcome(commit, self._live.library)

        return (await self._writer.run(command, self._committed)).commit

    async def rebuild(self, progress: Progress = silent) -> None:
        """Write the whole mirror anew from the log, in one transaction."""
        await self._writer.run(partial(rebuild_live, self._live, progress=progress))

    async def elsewhere(self, chat_ids: Sequence[str]) -> Elsewhere:
        """What other chats have of these. Takes time with the length of the log."""
        return await asyncio.to_thread(self._elsewhere, chat_ids)

    async def naming(self, entity: str) -> list[str]:
        """The chats in which somebody plays or played. Takes time with the length of the log."""
        return await asyncio.to_thread(self._naming, entity)

    async def copies(self, wanted: Wanted) -> Copies:
        """Backups and damaged databases that hold some of this already."""
        return await asyncio.to_thread(self._copies, wanted)

    async def erased(self) -> list[Span]:
        """What was deleted for good so far, for telling which copies still hold it."""
        return await asyncio.to_thread(self._erased)

    async def erase(self, wanted: Wanted) -> Commit:
        """Delete for good: out of the log and every table, in one transaction. Raises NotFound.

        The file is to be written anew after it; until it is, that is left for the next start.
        """

        def command() -> _Outcome:
            commit = erase(self._live, wanted, lambda conn: rebuild(conn, fingerprint()))
            return _Outcome(commit, self._live.library)

        return (await self._writer.run(command, self._committed)).commit

    async def is_scrubbed(self) -> bool:
        """True when nothing that was erased may still lie in a file, copies apart."""
        return await self._writer.run(lambda: not unfinished(self._live.conn))

    async def exchange(self, put: Callable[[], T], *, are_others: bool = False) -> T:
        """Let `put` place another database where this one is, while nobody reads or writes, and go on with that.

        `are_others`: its stories are not these, so what was asked of these and still waits is not done in them.
        Listeners hear nothing of it. When `put` fails, the store goes on with what is there.
        """

        def exchanged() -> T:
            try:
                self._live.close()
                done = put()
                self._stories += are_others
                return done
            finally:
                self._reopen()

        async with self._readers.paused():
            try:
                return await self._writer.run(exchanged)
            finally:
                self._readers.sealed = self._live.sealed
                self._library, self._head = self._live.library, self._live.head.id

    def wait_for(self, obstacle_: StoreError) -> None:
        """Refuse every command until `write_again` finds the obstacle gone."""
        self._live.fault = self._live.fault or obstacle_

    async def write_again(self) -> bool:
        """After a start that could only read: try once more to open for writing; True when that worked.

        Raises StoreError when something else is in the way now.
        """
        if obstacle(self._settings) is not None:
            return False
        if self._lock is None:
            self._lock = _own(self._settings)
        await self.exchange(lambda: None)
        return self.fault is None

    async def mend(self, put: Callable[[], str]) -> str:
        """As `exchange`, for a database that was written anew because it was damaged."""
        kept_as = await self.exchange(put)
        self.warnings.append(mend.told(kept_as))
        return kept_as

    async def save_draft(self, key: str, body: str | None, *, read_at: int | None = None) -> bool:
        """Keep unfinished text, or forget it. Raises NotFound where the chat or bot it is for went meanwhile.

        `read_at` is the head when the stories were read for it. False, and nothing is kept, when words were deleted
        for good since then: the text could repeat them.
        """
        with self._noticing_damage():  # of whichever is live then: another one, after an exchange
            return await self._writer.run(lambda: self._live.save_draft(key, body, read_at))

    async def checkpoint(self) -> bool:
        """Empty the write-ahead log while nobody waits; False when there was something better to do, or it failed.

        What is in that log is safe there, so a failure is only noted; the next reply asks again.
        """
        try:
            with self._noticing_damage():
                return await self._writer.run(lambda: not self._writer.is_wanted and self._live.checkpoint())
        except StoreError as problem:
            log.warning("checkpoint_failed", code=problem.code)
            return False
        finally:
            self._watch_log_size()

    async def sweep(self) -> bool:
        """Delete a piece of what far jumps have left behind, unless a command waits; True when more is to be done."""

        def swept() -> bool:
            return self._writer.is_wanted or self._live.sweep()

        with self._noticing_damage():
            return await self._writer.run(swept)

    async def moment(self) -> Moment:
        """The stories as they are now, to be read later; whoever asks for it closes it."""
        return await asyncio.to_thread(Moment, self._settings.db_path)

    async def keep_snapshot(
        self, chat_id: str, moment: Moment, *, before_rewind: bool = False
    ) -> Header | None:
        """Write a snapshot of a chat at a moment, which is closed. None when there is nothing of it to keep."""
        return await asyncio.to_thread(self._keep_snapshot, chat_id, moment, before_rewind)

    def on_commit(self, listener: Listener) -> None:
        """Called on the event loop after each commit, in their order, before `execute` returns."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        """A reader inside one read transaction: everything it shows is of one moment."""
        with self._noticing_damage():
            async with self._readers.reading() as reader:
                yield reader

    async def read(self, read: Callable[[Reader], Coroutine[Any, Any, T]], *, is_short: bool = False) -> T:
        """What several queries come to, all of one moment and in one go; `read` may wait for nothing else.

        For reads of many statements on the way to a reply: `reading` takes a step to another thread for each, and
        this one for all of them, or none where the read `is_short`: a millisecond, whatever the length of the story.
        """
        with self._noticing_damage():
            return await self._readers.at_once(read, is_short=is_short)

    def reply_journal(self, turn_id: str) -> ReplyJournal:
        return ReplyJournal(self._settings.running_dir, turn_id)

    def journals(self) -> list[str]:
        """The turns whose replies were being written, oldest first."""
        return journals(self._settings.running_dir)

    async def close(self) -> None:
        """Finish what waits, checkpoint, and let go of the folder."""
        await self._readers.close()
        try:
            await self._writer.run(self._live.close)
        finally:
            await self._writer.stop()
            if self._lock:
                self._lock.release()

    def _keep_snapshot(self, chat_id: str, moment: Moment, before_rewind: bool) -> Header | None:
        try:
            with connections.translated():
                snapshots = Snapshots(self._settings.snapshots_dir)
                return snapshots.take(moment.conn, chat_id, before_rewind=before_rewind)
        finally:
            moment.close()

    @contextmanager
    def _noticing_damage(self) -> Iterator[None]:
        """Once a page has turned out to be damaged nothing more is written: it might go over what is still good."""
        try:
            yield
        except StoreDamaged as problem:
            if self._live.fault is None:
                log.error("database_damaged", code=problem.code)
                self._live.fault = problem
            raise

    def _watch_log_size(self) -> None:
        """A reader that stays (of another program) keeps the write-ahead log from being emptied; say so in time."""
        size = self.log_bytes
        if size > LOG_BYTES_WANTED and not self._is_log_long:
            log.warning("write_ahead_log_grows", bytes=size)
        self._is_log_long = size > LOG_BYTES_WANTED

    def _elsewhere(self, chat_ids: Sequence[str]) -> Elsewhere:
        with closing(connections.read_only(self._settings.db_path)) as conn, connections.translated():
            return elsewhere(conn, self._library, chat_ids)

    def _naming(self, entity: str) -> list[str]:
        with closing(connections.read_only(self._settings.db_path)) as conn, connections.translated():
            return naming(conn, self._library, entity)

    def _copies(self, wanted: Wanted) -> Copies:
        with closing(connections.read_only(self._settings.db_path)) as conn, connections.translated():
            return holding(self._settings, first_event(conn, wanted))

    def _erased(self) -> list[Span]:
        with closing(connections.read_only(self._settings.db_path)) as conn, connections.translated():
            return erased(conn)

    def _reopen(self) -> None:
        """On the writer's thread. A database that cannot be opened leaves a store that refuses every command."""
        before, warnings = self._live, list[str]()
        try:
            self._live = open_live(self._settings, before.clock, read_only=False, warn=warnings.append)
            self.warnings = warnings
        except StoreError as problem:
            before.fault, before.head_file = problem, None
            raise

    def _committed(self, outcome: _Outcome) -> None:
        commit = outcome.commit
        if not commit.events:
            return
        self._library, self._head = outcome.library, commit.head
        for listener in self._listeners:
            try:
                listener(commit)
            except Exception as problem:  # noqa: BLE001 - one listener must not keep the others from hearing
                context = {"message": "A commit listener failed.", "exception": problem}
                asyncio.get_running_loop().call_exception_handler(context)


def _own(settings: Settings) -> FolderLock:
    """The folders, and the one lock on them. Raises AlreadyRunning."""
    settings.ensure_folders()
    lock = FolderLock(settings.lock_path)
    work_folders.sweep(settings, "restore")
    return lock
