"""What is on record beside the story: events, model calls and unfinished text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chat.domain.events import Event, chat_stream
from chat.domain.ledger import ModelCall
from chat.store import log
from chat.store.reading import Reader

_EVENTS = f"{log.SELECT} where id > ? order by id limit ?"
_EVENTS_OF_STREAM = f"{log.SELECT} where stream = ? and id > ? order by id limit ?"
_EVENTS_OF_KINDS = f"{log.SELECT} where id > ? and kind in (select value from json_each(?)) order by id"
_LAST_TS = "select ts from event_log order by id desc limit 1"
_EVENT = f"{log.SELECT} where id = ?"
_EVENT_AT = f"{log.SELECT} where branch_id = ? and step = ? and kind = ? order by id limit 1"
_DRAFT = "select body from drafts where key = ?"


async def events(reader: Reader, after: int = 0, limit: int = 100, stream: str | None = None) -> list[Event]:
    """Events with an id above `after`, oldest first, of one stream or all."""
    if stream is None:
        return list(log.events_of(await reader.all(_EVENTS, (after, limit))))
    return list(log.events_of(await reader.all(_EVENTS_OF_STREAM, (stream, after, limit))))


async def events_of_chat(reader: Reader, chat_id: str, after: int) -> list[Event]:
    """Every event of a chat, of any branch, with an id above `after`; for the end of a story, not for all of it."""
    return list(log.events_of(await reader.all(_EVENTS_OF_STREAM, (chat_stream(chat_id), after, -1))))


async def events_of_kinds(reader: Reader, after: int, kinds: Sequence[str]) -> list[Event]:
    """Events of some kinds with an id above `after`, oldest first; for the end of the log, not for all of it."""
    wanted = msgspec.json.encode(list(kinds)).decode()
    return list(log.events_of(await reader.all(_EVENTS_OF_KINDS, (after, wanted))))


async def last_ts(reader: Reader) -> str:
    """When the last event was written, as the log stores it; empty where nothing has happened yet."""
    found = await reader.one(_LAST_TS)
    return str(found[0]) if found else ""


async def event(reader: Reader, event_id: int) -> Event | None:
    """One event, for instance the one a turn row names; it may hold a prompt's manifest."""
    found = await reader.one(_EVENT, (event_id,))
    return next(log.events_of([found]), None) if found else None


async def event_at(reader: Reader, branch_id: str, step: int, kind: str) -> Event | None:
    """The first event of a kind at one step of a branch."""
    found = await reader.one(_EVENT_AT, (branch_id, step, kind))
    return next(log.events_of([found]), None) if found else None


async def calls(
    reader: Reader, *, chat_id: str | None = None, turn_id: str | None = None, limit: int = 50
) -> list[ModelCall]:
    """Model calls, newest first: of a turn, of a chat, or all."""
    newest = "order by rowid desc limit ?"
    if turn_id is not None:
        return await reader.records(ModelCall, f"where turn_id = ? {newest}", (turn_id, limit))
    if chat_id is not None:
        return await reader.records(ModelCall, f"where chat_id = ? {newest}", (chat_id, limit))
    return await reader.records(ModelCall, newest, (limit,))


async def draft(reader: Reader, key: str) -> str | None:
    """Unfinished text the player left under a key."""
    found = await reader.one(_DRAFT, (key,))
    return found[0] if found else None
