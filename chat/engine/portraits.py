"""Portraits of bots and personas: a picture is made anew and kept by what it holds, the event names it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chat.domain import portraits
from chat.domain.events import NewEvent
from chat.errors import StoreError
from chat.interop import pictures
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine


async def change(engine: Engine, entity: str, data: bytes | None) -> str:
    """Give a bot or persona a portrait, or with None take it away. Returns the picture's id.

    Raises NotFound, PictureRefused, or StoreError when the picture cannot be written.
    """
    portraits.known(engine.store.library, entity)
    media_id = await asyncio.to_thread(_keep, engine, data) if data is not None else ""

    def changed(state: State) -> list[NewEvent]:
        return portraits.change(state.library, entity, media_id)

    await engine.store.execute(changed)
    return media_id


def of(engine: Engine, entity: str) -> str:
    """The picture's id where there is one to show; a copy brought here without its media folder has none."""
    library = engine.store.library
    who = library.bots.get(entity) or library.people.get(entity)
    return who.portrait if who and who.portrait and engine.media.has(who.portrait) else ""


def _keep(engine: Engine, data: bytes) -> str:
    try:
        return engine.media.keep(pictures.portrait(data))
    except OSError as error:
        raise StoreError(
            f"The portrait could not be written: {error.strerror}.",
            "Free some space or make the data folder writable, then choose the picture again.",
        ) from None
