"""Reads the end of a story as soon as its open tabs were told of a reply: they ask for it a moment later.

While the word is on its way to them this program has nothing to do. It must never answer with anything but what a read
would find: what was read counts only while nothing has been stored since, and only until the way is no longer given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chat.web.views.story import LATEST, Stored, Story, read_stored, story_of

if TYPE_CHECKING:
    from chat.engine.engine import Engine

Moment = tuple[str, int]
"""The history and its last event: a restore begins another history."""


class Ahead:
    """What was read ahead, by chat."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads: dict[str, tuple[Moment, asyncio.Task[Stored]]] = {}

    @contextmanager
    def reading(self, chat_id: str) -> Iterator[None]:
        """Within this the end of a story is at hand, for as many tabs as ask; it is read once."""
        now, known = self._now(), self._reads.get(chat_id)
        if known is None or known[0] != now:
            name = f"read ahead {chat_id}"
            known = now, asyncio.create_task(self._read(chat_id), name=name)
            known[1].add_done_callback(_found)
            self._reads[chat_id] = known
        try:
            yield
        finally:
            if self._reads.get(chat_id) is known:
                del self._reads[chat_id]

    async def latest(self, chat_id: str) -> Story:
        """The last turns of a story, without its draft. Raises NotFound."""
        stored = await self._at_hand(chat_id)
        if stored is None:
            stored = await read_stored(self._engine, chat_id, limit=LATEST)
        return story_of(self._engine, chat_id, stored.without_draft())

    async def _read(self, chat_id: str) -> Stored:
        stored = await read_stored(self._engine, chat_id, limit=LATEST)
        _ = story_of(self._engine, chat_id, stored).transcript  # its markup is kept from here on
        return stored

    async def _at_hand(self, chat_id: str) -> Stored | None:
        moment, read = self._reads.get(chat_id, (None, None))
        if read is None or moment != self._now():
            return None
        await asyncio.wait({read})
        return _found(read) if moment == self._now() else None

    def _now(self) -> Moment:
        return self._engine.hub.epoch, self._engine.store.head


def _found(read: asyncio.Task[Stored]) -> Stored | None:
    """None where it could not be read: who needs it tries again, and is told why."""
    return None if read.cancelled() or read.exception() else read.result()
