"""One chat: its transcript in windows, its turns, and the world as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from chat.domain.events import Event, chat_stream
from chat.domain.library import Library
from chat.domain.lineage import Lineage
from chat.domain.scenes import Scene
from chat.domain.turns import Turn
from chat.domain.versions import TurnVersion
from chat.domain.world import World
from chat.errors import NotFound
from chat.store import loading, log, told
from chat.store.line import END, LinePages
from chat.store.reading import Reader

_LATEST = """
select chat_id from chat_state where chat_id in (select value from json_each(?))
order by last_ts desc, chat_id desc limit 1
"""
_AFTER = f"""
{told.SELECT}
where t.chat_id = ? and t.branch_id = ? and t.step between ? and ? and (t.step > ? or t.event_id > ?)
order by t.step, t.event_id limit ?
"""
_PLACE_NAMES = """
select scenes.id, containers.name from scenes join containers on containers.id = scenes.container_id
where scenes.id in (select value from json_each(?))
"""
_CONTINUING = """
select s.chat_id, t.id from chat_state s join turns t on t.id = s.running_turn_id
where t.is_running = 0 and (? is null or s.chat_id = ?)
"""
_BEGUN = f"""
{log.SELECT} where stream = ? and kind = 'continuation_started' and json_extract(payload_json, '$.turn_id') = ?
order by id desc limit 1
"""
_UNDIGESTED_PARTS = """
where id in (select turn_id from turn_versions where made = 'continued' and digest_outcome = '')
order by event_id desc limit ?
"""
_CHAT_EXISTS = "select 1 from chats where id = ?"


class Transcript(NamedTuple):
    """A window of the visible line, oldest first, and the turn before it (None where there is none)."""

    turns: list[Turn]
    prior: Turn | None

    @property
    def has_more(self) -> bool:
        return self.prior is not None


async def transcript(
    reader: Reader, library: Library, chat_id: str, before_step: int | None = None, limit: int = 50
) -> Transcript:
    """The last turns before a step (exclusive; None: the tip), whatever the length of the chat."""
    if chat_id not in library.chats:
        raise NotFound("There is no such chat.")
    pages = LinePages(
        library.lineage(chat_id), chat_id, END if before_step is None else before_step, limit + 1
    )
    while query := pages.next_query():
        pages.answer(await reader.all(*query))
    turns = pages.turns
    return Transcript(turns[-limit:], turns[-limit - 1] if len(turns) > limit else None)


async def turns_after(
    reader: Reader, line: Lineage, chat_id: str, after: tuple[int, int], limit: int
) -> list[Turn]:
    """The next turns of a line behind a step and event, oldest first; for telling a story from its beginning."""
    found: list[Turn] = []
    step, event_id = after
    for branch, cut in reversed(line):
        if cut >= step and len(found) < limit:
            values = (chat_id, branch, step, cut, step, event_id, limit - len(found))
            found += map(Turn.from_row, await reader.all(_AFTER, values))
    return found


async def place_names(reader: Reader, scene_ids: Iterable[str]) -> dict[str, str]:
    """Where each of these scenes takes place."""
    wanted = msgspec.json.encode(list(scene_ids)).decode()
    return {row[0]: row[1] for row in await reader.all(_PLACE_NAMES, (wanted,))}


async def turn(reader: Reader, turn_id: str) -> Turn | None:
    """A turn of any branch, as the visible line tells it."""
    found = await reader.one(told.BY_ID, (turn_id,))
    return Turn.from_row(found) if found else None


async def versions(reader: Reader, turn_ids: Sequence[str]) -> dict[str, list[TurnVersion]]:
    """What turns of the visible line came to read later, oldest first; nothing for one with its first words."""
    wanted = msgspec.json.encode(list(turn_ids)).decode()
    found: dict[str, list[TurnVersion]] = {}
    for version in map(TurnVersion.from_row, await reader.all(told.VERSIONS, (wanted,))):
        found.setdefault(version.turn_id, []).append(version)
    return found


async def first_words(reader: Reader, turn_id: str) -> Turn | None:
    """A turn of any branch as it was written, whatever became of its words."""
    return next(iter(await reader.records(Turn, "where id = ?", (turn_id,))), None)


async def latest_chat(reader: Reader, chat_ids: Sequence[str]) -> str | None:
    """The one of these chats in which something happened last."""
    wanted = msgspec.json.encode(list(chat_ids)).decode()
    found = await reader.one(_LATEST, (wanted,))
    return found[0] if found else None


async def scene(reader: Reader, scene_id: str) -> Scene:
    """A scene of the visible line, open or closed."""
    found = await reader.records(Scene, "where id = ?", (scene_id,))
    if not found:
        raise NotFound("There is no such scene on this line of the story.")
    return found[0]


async def undigested_turns(reader: Reader, limit: int = 20) -> list[Turn]:
    """The latest replies, of any chat, that ended or were written on with words and whose digest was not done."""
    waiting = (
        "where role = 'assistant' and digest_outcome = '' and is_running = 0 and origin = 'reply' and text <> '' "
        "order by event_id desc limit ?"
    )
    parts = await reader.records(Turn, _UNDIGESTED_PARTS, (limit,))
    return [*await reader.records(Turn, waiting, (limit,)), *parts]


async def open_continuations(reader: Reader, chat_id: str | None = None) -> list[Event]:
    """The beginnings of continuations that have not ended, on the visible lines of one chat or of all."""
    found: list[Event] = []
    for chat, turn_id in await reader.all(_CONTINUING, (chat_id, chat_id)):
        begun = await reader.one(_BEGUN, (chat_stream(chat), turn_id))
        found += log.events_of([begun] if begun else [])
    return found


async def running_turns(reader: Reader, chat_id: str | None = None) -> list[Turn]:
    """Replies that began and have not ended, in one chat or everywhere, on any branch."""
    if chat_id is None:
        return await reader.records(Turn, "where is_running = 1 order by event_id")
    return await reader.records(Turn, "where is_running = 1 and chat_id = ? order by event_id", (chat_id,))


async def world(reader: Reader, chat_id: str) -> World:
    """The chat on its visible line. Raises NotFound."""
    if await reader.one(_CHAT_EXISTS, (chat_id,)) is None:
        raise NotFound("There is no such chat.")
    return loading.world_of(chat_id, [await reader.all(query, (chat_id,)) for query in loading.WORLD_QUERIES])
