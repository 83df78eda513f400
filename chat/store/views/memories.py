"""What a bot remembers within a continuity, by time or by words."""

from __future__ import annotations

from typing import NamedTuple

from chat.domain.memories import Memory
from chat.store.reading import Reader
from chat.store.search_index import stretch_of

_COLUMNS = ", ".join(f"m.{name}" for name in Memory.__struct_fields__)
# The scope is a stretch of the index and compared once more, so no wording of a query can leave it.
_SEARCH = f"""
select {_COLUMNS}, bm25(memories_fts) as rank
from memories_fts join visible_memories m on m.event_id = :last - memories_fts.rowid
where memories_fts match :words and memories_fts.rowid between :first and :last and m.scope = :scope
order by rank, m.event_id desc
limit :limit
"""
_BY_CHAT = "select chat_id, count(*) from visible_memories where owner = ? group by chat_id"
_WITNESSES = "select entity from visible_witnesses where memory_id = ? order by entity"


class Found(NamedTuple):
    """A memory and its bm25 rank: the lower, the better it matches."""

    memory: Memory
    rank: float


async def memories_of(reader: Reader, owner: str, continuity: str, limit: int = 50) -> list[Memory]:
    """A bot's memories within a continuity, newest first."""
    newest = "where owner = ? and continuity = ? and text <> '' order by event_id desc limit ?"
    return await reader.records(Memory, newest, (owner, continuity, limit))


async def memories_of_turn(reader: Reader, turn_id: str) -> list[Memory]:
    """The memories written with one reply, one for each witness."""
    return await reader.records(Memory, "where turn_id = ? and level = 'turn' order by event_id", (turn_id,))


async def memories_of_scene(reader: Reader, scene_id: str) -> list[Memory]:
    """The turn memories of one scene that no scene memory stands for yet, oldest first."""
    waiting = "where scene_id = ? and level = 'turn' and consolidated = 0 and text <> '' order by event_id"
    return await reader.records(Memory, waiting, (scene_id,))


async def scene_memories(
    reader: Reader, chat_id: str, owner: str, before_turn_id: str, limit: int
) -> list[Memory]:
    """What a bot kept of the last `limit` scenes of a chat whose end lies before a turn, oldest first."""
    ended = "where chat_id = ? and owner = ? and level = 'scene' and turn_id < ? and text <> ''"
    newest = f"{ended} order by turn_id desc limit ?"
    return (await reader.records(Memory, newest, (chat_id, owner, before_turn_id, limit)))[::-1]


async def memories_by_chat(reader: Reader, owner: str) -> dict[str, int]:
    """How many memories a bot has of each chat, on its visible line."""
    return dict(await reader.all(_BY_CHAT, (owner,)))


async def memory(reader: Reader, memory_id: str) -> Memory | None:
    """A memory of the visible line of its chat."""
    return next(iter(await reader.records(Memory, "where id = ?", (memory_id,))), None)


async def search_memories(reader: Reader, scope: str, match_query: str, limit: int = 20) -> list[Found]:
    """Memories of one scope whose text matches a query of quoted words, best first."""
    asked = {"words": match_query, "scope": scope, "limit": limit, **stretch_of(scope)._asdict()}
    rows = await reader.all(_SEARCH, asked)
    return [Found(Memory.from_row(row[:-1]), row[-1]) for row in rows]


async def witnesses(reader: Reader, memory_id: str) -> list[str]:
    """Who was there for what a memory holds."""
    return [row[0] for row in await reader.all(_WITNESSES, (memory_id,))]
