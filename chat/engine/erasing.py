"""Deleting chats and bots for good: what would go, the long job that does it, and what it could not finish.

The words are out of the log and every table in one transaction; then the file is written anew and what lies beside it
is cleaned. Whatever is left undone by a kill or a full disk is done by the next start.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from chat.clock import Clock
from chat.domain.library import Library
from chat.engine import recovery
from chat.engine.reset import must_be_named, must_be_quiet
from chat.errors import ChatError, NotFound, Refused, StoreError
from chat.observe import get_logger
from chat.settings import Settings
from chat.store import backup, views, work_folders
from chat.store.backup import Tell
from chat.store.backup_folder import Backup
from chat.store.erase import Wanted, must_not_be_needed, with_their_chats
from chat.store.scrub import Copy
from chat.store.store import Store

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)

REWRITTEN = "writing the file anew without them"
CHECKED = "waiting for a check or a backup that is being made to end, because it works on a copy"
LOOK_AGAIN_S, LOOKS_MOST = 0.25, 2400


class ChatGone(msgspec.Struct, frozen=True):
    """A chat that would go: turns on all its branches, memories on the one that shows."""

    id: str
    title: str
    turns: int
    branches: int
    memories: int
    checkpoints: int


class FeelingKept(msgspec.Struct, frozen=True):
    """A feeling that another chat began with, by name."""

    chat: str
    source: str
    target: str
    summary: str


class ToldElsewhere(msgspec.Struct, frozen=True):
    """Another chat, and how many replies in it were written with memories of these at hand."""

    chat: str
    replies: int


class Outlook(msgspec.Struct, frozen=True):
    """What deleting for good would come to. `name` is what has to be typed; `copies` and the rest hold it still.

    `hindrance` says why it cannot be done, if so. `foreign` are files among the backups that this program did not
    make, `damaged` databases it set aside.
    """

    name: str
    chats: tuple[ChatGone, ...]
    feelings: tuple[FeelingKept, ...]
    told: tuple[ToldElsewhere, ...]
    copies: tuple[str, ...]
    foreign: tuple[str, ...]
    damaged: tuple[str, ...]
    hindrance: str = ""


class Left(msgspec.Struct, frozen=True):
    """What may still hold words that were deleted for good: how many backups, and the files that are nobody's backup.

    `damaged` are the files of databases that were set aside, `foreign` those among the backups that this program did
    not make; what is in these is not known.
    """

    backups: int = 0
    damaged: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return self.backups + len(self.damaged) + len(self.foreign)


class Erasing:
    """`stage` says what is being done in a few words, and is empty when nothing is. Lives on the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.stage = ""
        self.problem: ChatError | None = None
        """Why the last one could not be done, or not wholly."""
        self.left: Left | None = None
        """What may still hold what was erased last; None when nothing was since the start."""

    async def outlook(self, wanted: Wanted) -> Outlook:
        """What would go, and what went over into other chats. Raises NotFound."""
        return await outlook(self._engine.store, wanted)

    async def erase(self, wanted: Wanted, name: str, *, back_up: bool) -> None:
        """Delete for good. Raises NotFound, ValueRefused, TurnRunning, BackupRunning, StoreError.

        Goes on when whoever asked does not wait.
        """
        library = self._engine.store.library
        is_chat = not (wanted.bot_ids or wanted.you_ids)
        must_be_named(_name(library, wanted), name, "title" if is_chat else "name")
        for you_id in wanted.you_ids:
            must_not_be_needed(library, you_id, await self._engine.store.naming(you_id))
        for chat_id in with_their_chats(wanted, library).chat_ids:
            must_be_quiet(self._engine, chat_id)
        await self._engine.backups.alone(partial(self._erase, wanted, back_up))

    async def _erase(self, wanted: Wanted, back_up: bool) -> None:
        engine, self.problem = self._engine, None
        try:
            if back_up:
                self.stage = "backing up first"
                await back_up_first(engine.settings, engine.clock, wanted)
            left = await left_by(engine.store, engine.settings, wanted)
            self.stage = "taking the words out of the log and every table"
            await self._out_of_the_log(wanted)
            await engine.snapshots.idle()  # what is being written could still hold them
            await out_of_the_files(engine.store, engine.settings, self._tell)
            engine.anticipation.forget()
            engine.hub.restart(engine.clock.new_id().lower())
            if wanted.copies:
                self.stage = "making a new backup"
                await back_up_after(engine.settings, engine.clock)
            self.left = left
        except ChatError as problem:
            self.problem = problem
            log.warning("erasing_failed", code=problem.code)
            raise
        finally:
            self.stage = ""
        log.info("words_erased", head=engine.store.head)

    def _tell(self, stage: str) -> None:
        self.stage = stage

    async def _out_of_the_log(self, wanted: Wanted) -> None:
        """Nothing of these chats goes on, and then nothing of them is there: no reply can begin in between."""
        engine = self._engine
        chat_ids = with_their_chats(wanted, engine.store.library).chat_ids
        await engine.digests.end(chat_ids)
        try:
            for chat_id in chat_ids:
                must_be_quiet(engine, chat_id)
            await engine.store.erase(wanted)
        except ChatError:
            await recovery.take_up(engine, chat_ids)
            raise
        for chat_id in chat_ids:
            engine.background.pop(chat_id, None)
            engine.unstored.pop(chat_id, None)
            engine.unclosed.discard(chat_id)
        engine.history_from.clear()


async def outlook(store: Store, wanted: Wanted) -> Outlook:
    """What would go, what went over into other chats, and which copies hold it. Raises NotFound."""
    library = store.library
    whole = with_their_chats(wanted, library)
    async with store.reading() as reader:
        counts = await views.sizes_of_chats(reader, whole.chat_ids)
    elsewhere, copies = await store.elsewhere(whole.chat_ids), await store.copies(whole)
    name_of = library.name_of
    return Outlook(
        name=_name(library, wanted),
        chats=tuple(_going(library, one, *counts[one]) for one in whole.chat_ids),
        feelings=tuple(
            FeelingKept(_title(library, one.chat_id), name_of(one.source), name_of(one.target), one.summary)
            for one in elsewhere.feelings
        ),
        told=tuple(ToldElsewhere(_title(library, one), count) for one, count in elsewhere.told.items()),
        copies=tuple(one.name for one in copies.ours),
        foreign=tuple(one.name for one in copies.others),
        damaged=tuple(path.name for path in copies.damaged),
        hindrance=await _hindrance(store, wanted),
    )


async def _hindrance(store: Store, wanted: Wanted) -> str:
    try:
        for you_id in wanted.you_ids:
            must_not_be_needed(store.library, you_id, await store.naming(you_id))
    except Refused as refused:
        return f"{refused.message} {refused.next_step}"
    return ""


async def left_by(store: Store, settings: Settings, wanted: Wanted) -> Left:
    """What a deletion leaves alone and may hold it still. To be asked before it is done, after its backup is made."""
    kept = await store.copies(with_their_chats(wanted, store.library))
    foreign = tuple(one.name for one in kept.others)
    if wanted.copies:
        return Left(foreign=foreign)
    here = settings.db_path.parent
    damaged = tuple(str(path.relative_to(here)) for path in kept.damaged)
    return Left(len(kept.ours), damaged, foreign)


async def back_up_first(settings: Settings, clock: Clock, wanted: Wanted) -> Backup | None:
    """A backup that could bring it all back; none where the copies are to go too."""
    if wanted.copies:
        return None
    return await asyncio.to_thread(backup.make, settings, clock, "before-delete")


async def out_of_the_files(store: Store, settings: Settings, tell: Tell) -> None:
    """Write the database anew without what was erased, and clean what lies beside it. Raises StoreError.

    A check or a backup that somebody else makes at this moment holds a copy: its end is waited for.
    """
    tell(REWRITTEN)
    await store.checkpoint()
    copy = await asyncio.to_thread(Copy.begin, settings)
    await store.exchange(copy.put_in_place)
    if not await store.is_scrubbed() and await asyncio.to_thread(work_folders.in_use, settings):
        tell(CHECKED)
        await _until_nobody_works(settings)
        await store.exchange(lambda: None)
    if not await store.is_scrubbed():
        raise StoreError(
            "The words are out of the log and every table, and could not be taken out of all files yet.",
            "The next start of the program tries again. See that the disk has room.",
        )


async def _until_nobody_works(settings: Settings) -> None:
    """Or for as long as it is worth waiting."""
    for _ in range(LOOKS_MOST):
        if not await asyncio.to_thread(work_folders.in_use, settings):
            return
        await asyncio.sleep(LOOK_AGAIN_S)


async def back_up_after(settings: Settings, clock: Clock) -> None:
    """Something to go back to again, after the copies went."""
    await asyncio.to_thread(backup.make, settings, clock, "after-delete")


def _going(library: Library, chat_id: str, turns: int, memories: int) -> ChatGone:
    return ChatGone(
        id=chat_id,
        title=library.chats[chat_id].title,
        turns=turns,
        branches=sum(one.chat_id == chat_id for one in library.branches.values()),
        memories=memories,
        checkpoints=sum(one.chat_id == chat_id for one in library.checkpoints.values()),
    )


def _name(library: Library, wanted: Wanted) -> str:
    """The name of the bot or the persona, or the title of the chat."""
    if wanted.you_ids:
        person = library.people.get(wanted.you_ids[0])
        if person is None:
            raise NotFound("There is no such persona.")
        return person.name
    if wanted.bot_ids:
        bot = library.bots.get(wanted.bot_ids[0])
        if bot is None:
            raise NotFound("There is no such bot.")
        return bot.name
    chat = library.chats.get(wanted.chat_ids[0])
    if chat is None:
        raise NotFound("There is no such chat.")
    return chat.title


def _title(library: Library, chat_id: str) -> str:
    return library.chats[chat_id].title if chat_id in library.chats else "another chat"
