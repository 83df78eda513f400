"""Deleting for good, from the command line, the chats that were put away long ago. Never while the program runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from chat.clock import Clock
from chat.engine.erasing import Left, back_up_after, back_up_first, left_by, out_of_the_files
from chat.settings import Settings
from chat.store import views
from chat.store.erase import Wanted
from chat.store.store import Store

Tell = Callable[[str], None]
_DAY_S = 86_400


class Due(NamedTuple):
    """A chat that was put away, and how many whole days ago."""

    chat_id: str
    title: str
    turns: int
    days: int


def due(settings: Settings, clock: Clock, days: int) -> list[Due]:
    """The chats that were put away at least so many days ago, the longest first. Reading only."""
    return asyncio.run(found(settings, clock, days)) if settings.db_path.exists() else []


def purge(
    settings: Settings, clock: Clock, chat_ids: Sequence[str], tell: Tell, *, traces: bool, copies: bool
) -> Left:
    """Delete chats for good; what may still hold them. `traces`: also what of them went over into others.

    Raises AlreadyRunning, StoreError.
    """
    wanted = Wanted(chat_ids=tuple(chat_ids), feelings=traces, told=traces, copies=copies)
    return asyncio.run(_purge(settings, clock, wanted, tell))


async def found(settings: Settings, clock: Clock, days: int) -> list[Due]:
    """As `due`, inside an event loop."""
    store = await Store.open(settings, clock, read_only=True)
    try:
        away = [chat for chat in store.library.chats.values() if chat.archived]
        async with store.reading() as reader:
            since = await views.put_away_at(reader)
            sizes = await views.sizes_of_chats(reader, [chat.id for chat in away])
    finally:
        await store.close()
    ages = {chat.id: _days(since[chat.id], clock.now()) for chat in away}
    old = [
        Due(chat.id, chat.title, sizes[chat.id][0], ages[chat.id]) for chat in away if ages[chat.id] >= days
    ]
    return sorted(old, key=lambda one: -one.days)


def _days(since: str, now: datetime) -> int:
    return int((now - datetime.fromisoformat(since)).total_seconds() // _DAY_S)


async def _purge(settings: Settings, clock: Clock, wanted: Wanted, tell: Tell) -> Left:
    store = await Store.open(settings, clock)
    try:
        tell("backing up first")
        await back_up_first(settings, clock, wanted)
        left = await left_by(store, settings, wanted)
        tell("taking the words out of the log and every table")
        await store.erase(wanted)
        await out_of_the_files(store, settings, tell)
        if wanted.copies:
            tell("making a new backup")
            await back_up_after(settings, clock)
        return left
    finally:
        await store.close()
