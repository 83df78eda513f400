"""Tells a story from its beginning to its end, a window at a time, for a file to keep.

The line is chosen at the start and stays: whatever is rewound or written meanwhile, the file is of one story.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from chat.domain import chats
from chat.domain.chats import Chat
from chat.domain.kickoff import NARRATOR
from chat.domain.library import Library
from chat.domain.lineage import Lineage
from chat.domain.turns import Turn
from chat.domain.witness import readable
from chat.engine.prepare import story_time
from chat.interop.transcripts import About, Entry, Format
from chat.store import views

if TYPE_CHECKING:
    from chat.engine.engine import Engine

WINDOW = 200


def told(engine: Engine, chat_id: str, how: Format) -> AsyncIterator[str]:
    """The pieces of a file, from the first word to the last. Raises NotFound before the first."""
    library = engine.store.library
    chat = chats.known(library.chats.get(chat_id))
    return _pieces(engine, library, chat, library.lineage(chat_id), how)


async def _pieces(
    engine: Engine, library: Library, chat: Chat, line: Lineage, how: Format
) -> AsyncIterator[str]:
    names = tuple(library.name_of(bot_id) for bot_id in chat.bot_ids)
    yield how.head(About(chat.title, library.name_of(chat.you_id), names))
    places: dict[str, str] = {}
    before: Entry | None = None
    at = (0, 0)
    while True:
        async with engine.store.reading() as reader:
            turns = await views.turns_after(reader, line, chat.id, at, WINDOW)
            scenes = {turn.scene_id for turn in turns} - places.keys() - {""}
            places |= await views.place_names(reader, scenes)
        piece = []
        for turn in turns:
            if not turn.is_running and turn.text.strip():
                entry = _entry(turn, library, places)
                piece.append(how.entry(entry, before))
                before = entry
        yield "".join(piece)
        if len(turns) < WINDOW:
            break
        at = (turns[-1].step, turns[-1].event_id)
    yield how.tail()


def _entry(turn: Turn, library: Library, places: dict[str, str]) -> Entry:
    role = "narrator" if turn.speaker == NARRATOR else "you" if turn.role == "user" else "bot"
    return Entry(
        name=library.name_of(turn.speaker),
        role=role,
        text=turn.text,
        shown="".join(readable(segment) for segment in turn.segments) or turn.text,
        at=turn.at,
        when=story_time(turn.at),
        written_at=turn.ts,
        scene=turn.scene_id,
        place=places.get(turn.scene_id, ""),
        is_whole=not turn.truncated,
    )
