"""Deletion for good, the part that is one transaction: the log says so, what was said is blanked, and every table is
written anew from what is left. What lies outside the tables and the log is the business of `scrub`.

An erased event keeps its place, its envelope and the hash of what it said, so the chain stays whole; the salt is gone,
so nothing can be guessed from that hash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from chat.domain.events import Event, WordsErased, chat_stream, library
from chat.domain.library import Library
from chat.domain.names import apart
from chat.errors import NotFound, Refused
from chat.store import traces
from chat.store.chain import body_hash
from chat.store.live import Live
from chat.store.log import BLANK, TOLD
from chat.store.state import Commit, State

_OF_STREAM = f"select id from event_log where stream = ? and id < ? and {TOLD} order by id"
_OF_LIBRARY = f"""
select id from event_log where stream = 'library' and kind <> 'words_erased' and {TOLD} and (
    json_extract(payload_json, '$.chat_id') in (select value from json_each(:chats))
    or json_extract(payload_json, '$.bot_id') in (select value from json_each(:bots))
    or json_extract(payload_json, '$.entity') in (select value from json_each(:bots))
    or json_extract(payload_json, '$.entity') in (select value from json_each(:yous))
    or kind = 'you_authored' and json_extract(payload_json, '$.you_id') in (select value from json_each(:yous))
) order by id
"""
_PICTURES = """
select json_extract(payload_json, '$.media_id') from event_log
where kind = 'portrait_changed' and id in (select value from json_each(?))
"""
_BODY = "select cast(payload_json as blob), salt from event_log where id = ?"
_BLANK = f"update event_log set payload_json = '{BLANK}', salt = ? where id = ?"
_DROP_DRAFTS = "delete from drafts where key like '%:' || :id or instr(body, '\"' || :id || '\"')"
_DROP_CARRIED = "delete from drafts where instr(body, '\"' || :id || '\"')"
_LOSING = """
select distinct substr(stream, 6) from event_log
where stream like 'chat:%' and id in (select value from json_each(?))
"""
"""Chats that stay and lose something: a draft that was carried over from one of them may repeat it."""
_UNFINISHED = "insert into erasing (event_id, first_event_id, pictures, takes_copies) values (?, ?, ?, ?)"


class Wanted(NamedTuple):
    """What is to be deleted; a bot's chats go with it. `feelings` and `told`: also what went over into other chats.

    `you_ids` are personas that no chat has anything of. `copies`: also the backups that hold it, and damaged databases
    that were set aside.
    """

    chat_ids: tuple[str, ...] = ()
    bot_ids: tuple[str, ...] = ()
    you_ids: tuple[str, ...] = ()
    feelings: bool = False
    told: bool = False
    copies: bool = False


def with_their_chats(wanted: Wanted, known: Library) -> Wanted:
    """The same with the chats of its bots. Raises NotFound for what is not there."""
    for bot_id in wanted.bot_ids:
        if bot_id not in known.bots:
            raise NotFound("There is no such bot.")
    if any(you_id not in known.people for you_id in wanted.you_ids):
        raise NotFound("There is no such persona.")
    if any(chat_id not in known.chats for chat_id in wanted.chat_ids):
        raise NotFound("There is no such chat.")
    theirs = [chat.id for chat in known.chats.values() if set(chat.bot_ids) & set(wanted.bot_ids)]
    return wanted._replace(chat_ids=tuple(dict.fromkeys([*wanted.chat_ids, *theirs])))


def must_not_be_needed(known: Library, you_id: str, chat_ids: Sequence[str]) -> None:
    """A persona stays while these chats have words of theirs, and while it is the one to play. Raises Refused."""
    person = known.people[you_id]
    if person.is_default:
        raise Refused(
            f"{apart(person.name)} is who you play unless a chat says otherwise, and stays.",
            "Make another persona the one you play, then this one can go.",
        )
    if chat_ids:
        titles = ", ".join(f"“{apart(known.chats[one].title)}”" for one in chat_ids)
        raise Refused(
            f"{apart(person.name)} stays, because these stories have words of theirs: {titles}.",
            "Delete these chats for good first; then the persona can go.",
        )


def first_event(conn: sqlite3.Connection, wanted: Wanted) -> int:
    """The first event that would go; what was copied before it holds nothing of this."""
    return next(_of_library(conn, wanted), 0)


def erase(live: Live, wanted: Wanted, rebuild: Callable[[sqlite3.Connection], None]) -> Commit:
    """Delete for good, all of it or nothing. On the writer's thread; takes time with the length of the log."""

    def decided(state: State) -> WordsErased:
        return _decided(live.conn, with_their_chats(wanted, state.library), state.library)

    def carried_out(events: Sequence[Event]) -> None:
        for event in events:
            carry_out(live.conn, event, takes_copies=wanted.copies)

    return live.rewrite(lambda state: [library(decided(state))], carried_out, rebuild)


def carry_out(conn: sqlite3.Connection, event: Event, *, takes_copies: bool = False) -> None:
    """Blank what a `words_erased` names. The triggers allow it from the moment it is in the log."""
    said = event.data
    assert isinstance(said, WordsErased)
    of_streams = [row[0] for one in said.streams for row in conn.execute(_OF_STREAM, (one, event.id))]
    going = sorted({*of_streams, *said.events})
    pictures = [row[0] for row in conn.execute(_PICTURES, (traces.as_list(said.events),)) if row[0]]
    for event_id in going:
        body, salt = conn.execute(_BODY, (event_id,)).fetchone()
        conn.execute(_BLANK, (body_hash(salt, body), event_id))
    for one in (*said.chat_ids, *said.bot_ids):
        conn.execute(_DROP_DRAFTS, {"id": one})
    for (losing,) in conn.execute(_LOSING, (traces.as_list(said.events),)).fetchall():
        conn.execute(_DROP_CARRIED, {"id": losing})
    first = going[0] if going else event.id
    conn.execute(_UNFINISHED, (event.id, first, traces.as_list(pictures), takes_copies))


def _of_library(conn: sqlite3.Connection, wanted: Wanted) -> Iterator[int]:
    named = {
        "chats": traces.as_list(wanted.chat_ids),
        "bots": traces.as_list(wanted.bot_ids),
        "yous": traces.as_list(wanted.you_ids),
    }
    return (row[0] for row in conn.execute(_OF_LIBRARY, named))


def _decided(conn: sqlite3.Connection, wanted: Wanted, known: Library) -> WordsErased:
    for you_id in wanted.you_ids:
        must_not_be_needed(known, you_id, traces.naming(conn, known, you_id))
    found = set(_of_library(conn, wanted))
    elsewhere = traces.elsewhere(conn, known, wanted.chat_ids)
    found |= set(elsewhere.feeling_events) if wanted.feelings else set()
    found |= set(elsewhere.told_events) if wanted.told else set()
    return WordsErased(
        streams=tuple(map(chat_stream, wanted.chat_ids)),
        events=tuple(sorted(found)),
        chat_ids=wanted.chat_ids,
        bot_ids=wanted.bot_ids,
    )
