"""Loads what a fold needs to go on from the mirrored rows: O(what is open), never from the log.

The queries and the building are apart, so that the writer's connection and the readers share both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from chat.domain.activities import Activity
from chat.domain.bots import Bot
from chat.domain.chats import Branch, Chat
from chat.domain.checkpoints import Checkpoint
from chat.domain.edges import Edge
from chat.domain.ledger import Ledger
from chat.domain.library import Library
from chat.domain.people import Person
from chat.domain.pins import Pin
from chat.domain.places import Place
from chat.domain.records import Row
from chat.domain.scenes import Scene
from chat.domain.world import ChatState, World
from chat.store.rows import select

LIBRARY_QUERIES = tuple(
    f"{select(record.table)} order by rowid" for record in (Person, Bot, Chat, Branch, Checkpoint)
)
LEDGER_QUERY = select(Ledger.table)
_OPEN_SCENE = "where id = (select scene_id from chat_state where chat_id = ?)"
WORLD_QUERIES = (
    f"{select(ChatState.table)} where chat_id = ?",
    f"{select(Scene.table)} {_OPEN_SCENE}",
    f"{select(Place.table)} where chat_id = ? order by rowid",
    f"{select(Activity.table)} where chat_id = ?",
    f"{select(Edge.table)} where chat_id = ?",
    "select id, owner, not auto_pinned from visible_memories where chat_id = ? and pinned = 1 order by pin_event_id",
)
"""Each takes the chat's id."""


def library(conn: sqlite3.Connection) -> Library:
    return library_of([conn.execute(query).fetchall() for query in LIBRARY_QUERIES])


def ledger(conn: sqlite3.Connection) -> Ledger:
    found = conn.execute(LEDGER_QUERY).fetchone()
    return Ledger.from_row(found) if found else Ledger()


def world(conn: sqlite3.Connection, chat_id: str) -> World:
    """The world of a chat; an empty one when nothing has happened on its line."""
    return world_of(chat_id, [conn.execute(query, (chat_id,)).fetchall() for query in WORLD_QUERIES])


def library_of(found: Sequence[Sequence[Row]]) -> Library:
    people, bots, chats, branches, checkpoints = found
    return Library(
        people={person.id: person for person in map(Person.from_row, people)},
        bots={bot.id: bot for bot in map(Bot.from_row, bots)},
        chats={chat.id: chat for chat in map(Chat.from_row, chats)},
        branches={branch.id: branch for branch in map(Branch.from_row, branches)},
        checkpoints={one.id: one for one in map(Checkpoint.from_row, checkpoints)},
    )


def world_of(chat_id: str, found: Sequence[Sequence[Row]]) -> World:
    """A world from the answers to `WORLD_QUERIES`, in their order."""
    state, scene, places, activities, edges, pins = found
    return World(
        state=ChatState.from_row(state[0]) if state else ChatState(chat_id=chat_id),
        scene=Scene.from_row(scene[0]) if scene else None,
        places={place.id: place for place in map(Place.from_row, places)},
        activities={activity.entity: activity for activity in map(Activity.from_row, activities)},
        edges={(edge.source, edge.target): edge for edge in map(Edge.from_row, edges)},
        pins=tuple(Pin(memory_id, owner, bool(by_hand)) for memory_id, owner, by_hand in pins),
    )
