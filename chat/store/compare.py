"""Holds the stories of one log against those of another: which turns of which chat only one of them has.

Reads event rows only, so either may be a file that is not trusted.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import msgspec

from chat.errors import StoreDamaged
from chat.store.log import TOLD

_TELLING = f"""
select stream, kind, payload_json from event_log
where kind in ('chat_created', 'chat_renamed', 'user_turn', 'assistant_turn') and {TOLD} order by id
"""


class ChatChange(NamedTuple):
    """One chat and how many of its turns, of all branches, would come and go."""

    chat_id: str
    title: str
    gained: int
    lost: int


class Told(msgspec.Struct):
    """A chat as a log tells it."""

    title: str = ""
    turns: set[str] = msgspec.field(default_factory=set)


class _Payload(msgspec.Struct):
    chat_id: str = ""
    title: str = ""
    turn_id: str = ""


_payload = msgspec.json.Decoder(_Payload)


def told(conn: sqlite3.Connection) -> dict[str, Told]:
    """Every chat of a log by its id. Raises StoreDamaged."""
    chats: dict[str, Told] = {}
    for stream, kind, body in conn.execute(_TELLING):
        try:
            data = _payload.decode(body)
        except (msgspec.MsgspecError, TypeError):
            raise StoreDamaged(f"An event of kind {kind} cannot be read.") from None
        if stream == "library":
            chats.setdefault(data.chat_id, Told()).title = data.title
        else:
            chats.setdefault(stream.removeprefix("chat:"), Told()).turns.add(data.turn_id)
    return chats


def changes(now: dict[str, Told], then: dict[str, Told]) -> tuple[ChatChange, ...]:
    """The chats that differ, in the order of the log that has them."""
    found = []
    for chat_id in {**then, **now}:
        here, there = now.get(chat_id, Told()), then.get(chat_id, Told())
        change = ChatChange(
            chat_id, here.title or there.title, len(there.turns - here.turns), len(here.turns - there.turns)
        )
        if change.gained or change.lost or (chat_id in now) != (chat_id in then):
            found.append(change)
    return tuple(found)
