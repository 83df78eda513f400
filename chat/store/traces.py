"""What of a chat went over into others: feelings that were carried along, and replies given with its memories at hand.

Reading only, from the log; costs a look at every event of these kinds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from chat.domain.events import chat_stream
from chat.domain.library import Library
from chat.store.log import TOLD

_OTHERS = "stream like 'chat:%' and stream not in (select value from json_each(:streams))"
_SEEDS = f"""
select id, stream, payload_json from event_log
where kind = 'edge_seeded' and {_OTHERS} and {TOLD} and json_extract(payload_json, '$.from_chat_id') is not null
order by id
"""
_ABOUT_FEELINGS = f"""
select id, payload_json from event_log
where kind in ('edge_seeded', 'edge_summary_set', 'edge_update', 'manual_edit') and stream = ? and {TOLD}
"""
_MEMORIES = f"""
select json_extract(payload_json, '$.memory_id') from event_log
where kind = 'memory_written' and stream in (select value from json_each(:streams)) and {TOLD}
"""
_REPLIES = f"""
select stream, branch_id, step, payload_json from event_log
where kind in ('assistant_turn_started', 'continuation_started') and {_OTHERS} and {TOLD} order by id
"""
_NAMING = f"""
select distinct coalesce(json_extract(payload_json, '$.chat_id'), substr(stream, 6)) from event_log
where kind not in ('you_authored', 'portrait_changed') and stream <> 'ledger' and {TOLD} and instr(payload_json, ?)
"""
_OF_STREAM = (
    f"select id, kind, branch_id, step, payload_json from event_log where stream = ? and {TOLD} order by id"
)
_LEFT_BEHIND = {
    "assistant_turn_started", "assistant_turn", "continuation_started", "turn_continued", "memory_written",
    "memory_rewritten", "edge_update", "edge_summary_set", "digest_finished",
}  # fmt: skip
"""What a reply says and leaves behind at its own step; what was decided there about time and place stays."""
_ABOUT = ("turn_id", "memory_id", "into_memory_id", "target")


class Feeling(NamedTuple):
    """A feeling another chat began with: whose, toward whom, and in what words."""

    chat_id: str
    source: str
    target: str
    summary: str


class Elsewhere(NamedTuple):
    """`told` counts the replies by chat; the events are those that would have to be erased with them."""

    feelings: tuple[Feeling, ...]
    feeling_events: tuple[int, ...]
    told: dict[str, int]
    told_events: tuple[int, ...]


class _Seed(msgspec.Struct):
    source: str
    target: str
    from_chat_id: str
    summary: str = ""
    facts: tuple[str, ...] = ()


class _Use(msgspec.Struct):
    memory_id: str = ""
    used: bool = True


class _Manifest(msgspec.Struct):
    memories: list[_Use] = []


class _Started(msgspec.Struct):
    manifest: _Manifest


def naming(conn: sqlite3.Connection, known: Library, entity: str) -> list[str]:
    """The chats in which somebody plays or played, on whatever branch."""
    return [row[0] for row in conn.execute(_NAMING, (entity,)) if row[0] in known.chats]


def elsewhere(conn: sqlite3.Connection, library: Library, chat_ids: Sequence[str]) -> Elsewhere:
    """What other chats have of these."""
    streams = as_list([chat_stream(chat_id) for chat_id in chat_ids])
    feelings, feeling_events = _feelings(conn, chat_ids, streams)
    told, told_events = _replies(conn, library, streams)
    return Elsewhere(feelings, feeling_events, told, told_events)


def _feelings(
    conn: sqlite3.Connection, chat_ids: Sequence[str], streams: str
) -> tuple[tuple[Feeling, ...], tuple[int, ...]]:
    """The seeds, and whatever repeats a word of theirs in the chats they went on to, be it by way of another."""
    rows = conn.execute(_SEEDS, {"streams": streams}).fetchall()
    seeds = [(row[0], row[1].removeprefix("chat:"), msgspec.json.decode(row[2], type=_Seed)) for row in rows]
    carried = [one for one in seeds if one[2].from_chat_id in chat_ids]
    words = {word for _, _, seed in carried for word in (seed.summary, *seed.facts) if word}
    ids = {event_id for event_id, _, _ in carried}
    for chat_id in _reached(set(chat_ids), seeds) if words else ():
        for event_id, body in conn.execute(_ABOUT_FEELINGS, (chat_stream(chat_id),)):
            if words.intersection(_strings(msgspec.json.decode(body))):
                ids.add(event_id)
    found = [Feeling(chat_id, seed.source, seed.target, seed.summary) for _, chat_id, seed in carried]
    return tuple(found), tuple(sorted(ids))


def _reached(chat_ids: set[str], seeds: Sequence[tuple[int, str, _Seed]]) -> set[str]:
    """The chats that feelings of these went to, and from there on. A feeling is only carried to a later chat."""
    reached = set(chat_ids)
    for _, chat_id, seed in seeds:
        if seed.from_chat_id in reached:
            reached.add(chat_id)
    return reached - chat_ids


def _replies(
    conn: sqlite3.Connection, library: Library, streams: str
) -> tuple[dict[str, int], tuple[int, ...]]:
    memories = {row[0] for row in conn.execute(_MEMORIES, {"streams": streams})}
    found: dict[str, set[tuple[str, int]]] = {}
    for stream, branch_id, step, body in conn.execute(_REPLIES, {"streams": streams}) if memories else ():
        manifest = msgspec.json.decode(body, type=_Started).manifest
        if any(one.used and one.memory_id in memories for one in manifest.memories):
            found.setdefault(stream, set()).add((branch_id, step))
    ids = {one for stream, places in found.items() for one in _said_at(conn, stream, places)}
    told = {stream.removeprefix("chat:"): len(places) for stream, places in found.items()}
    return {one: count for one, count in told.items() if one in library.chats}, tuple(sorted(ids))


def _said_at(conn: sqlite3.Connection, stream: str, places: set[tuple[str, int]]) -> Iterator[int]:
    """Replies, what they left behind, and whatever was said later about them or about a memory of them."""
    gone: set[str] = set()
    for event_id, kind, branch_id, step, body in conn.execute(_OF_STREAM, (stream,)):
        about = msgspec.json.decode(body)
        if kind in _LEFT_BEHIND and (branch_id, step) in places:
            gone.update(_made(kind, about))
            yield event_id
        elif kind != "user_turn" and any(about.get(name) in gone for name in _ABOUT):
            yield event_id


def _made(kind: str, about: dict[str, Any]) -> Iterator[str]:
    """The reply or the memory that an event brought about."""
    if kind == "assistant_turn_started":
        yield about["turn_id"]
    elif kind == "memory_written":
        yield about["memory_id"]


def _strings(value: Any) -> Iterator[str]:
    """Every text in a payload, wherever it stands."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)


def as_list(ids: Collection[str | int]) -> str:
    """Ids as a statement takes them."""
    return msgspec.json.encode(list(ids)).decode()
