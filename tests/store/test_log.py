"""The log only grows, by force, and each event is bound to the one before it."""

from __future__ import annotations

import sqlite3

import pytest

from chat.domain.events import BotArchived, NewEvent, UserTurn, library, story
from chat.errors import StoreDamaged, StoreError, UnknownEvent
from chat.settings import Settings
from chat.store import Store, connections, log
from chat.store.chain import GENESIS
from chat.store.headfile import Head
from tests.support import stories

START = Head(0, GENESIS)


def other_program(settings: Settings) -> sqlite3.Connection:
    """A tool that knows nothing of our rules."""
    return sqlite3.connect(settings.db_path, isolation_level=None)


@pytest.mark.parametrize(
    "statement",
    [
        "update event_log set payload_json = '{}' where id = 2",
        "update or replace event_log set id = 1 where id = 2",
        "delete from event_log where id = (select max(id) from event_log)",
        "delete from event_log",
        "insert or replace into event_log select * from event_log where id = 2",
        "replace into event_log select * from event_log where id = 1",
        "insert into event_log select id - 1, stream, branch_id, step, kind, version, ts, caused_by, payload_json, "
        "salt, hash from event_log where id = 2",
    ],
)
async def test_no_statement_can_change_what_was_appended(
    told: Store, settings: Settings, statement: str
) -> None:
    conn = other_program(settings)
    before = conn.execute("select * from event_log").fetchall()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        conn.execute(statement)
    assert conn.execute("select * from event_log").fetchall() == before
    conn.close()


async def test_the_chain_holds_from_the_first_event_to_the_last(told: Store) -> None:
    conn = told._live.conn
    assert list(log.check_chain(conn, START)) == []
    ids = [row[0] for row in conn.execute("select id from event_log order by id")]
    assert ids == list(range(1, told.head + 1))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("payload_json", "replace(payload_json, 'lamp', 'lump')"),
        ("stream", "'chat:b'"),
        ("branch_id", "'b-1'"),
        ("step", "step + 1"),
        ("ts", "'2000-01-01T00:00:00.000Z'"),
        ("caused_by", "'somebody'"),
        ("salt", "zeroblob(16)"),
        ("hash", "zeroblob(32)"),
    ],
)
async def test_a_changed_byte_anywhere_in_a_row_is_seen(told: Store, column: str, value: str) -> None:
    conn = told._live.conn
    (event_id,) = conn.execute("select id from event_log where kind = 'user_turn' limit 1").fetchone()
    conn.execute("begin")
    conn.execute("drop trigger event_log_never_changes")
    conn.execute(f"update event_log set {column} = {value} where id = ?", (event_id,))
    problems = list(log.check_chain(conn, START))
    conn.execute("rollback")
    assert problems
    assert f"Event {event_id} (user_turn) is not as it was written." == problems[0]


async def test_an_event_taken_out_of_the_middle_is_missed(told: Store) -> None:
    conn = told._live.conn
    conn.execute("begin")
    conn.execute("drop trigger event_log_never_shrinks")
    conn.execute("delete from event_log where id = 7")
    problems = list(log.check_chain(conn, START))
    with pytest.raises(StoreDamaged, match="Events 7 to 7 are missing"):
        log.must_follow(conn, START)
    conn.execute("rollback")
    assert "Event 8" in problems[1]


async def test_equal_events_have_different_hashes_because_each_is_salted(store: Store) -> None:
    for _ in range(2):
        await store.execute(lambda state: stories.felt("a", "a-1", 1, 1))
    salts = store._live.conn.execute(
        "select salt, length(salt), hash from event_log order by id desc limit 2"
    ).fetchall()
    assert salts[0][0] != salts[1][0]
    assert salts[0][1] == 16


async def test_an_event_says_what_brought_it_about_and_when(store: Store) -> None:
    commit = await store.execute(lambda state: stories.exchange("a", "a-1", 1), caused_by="turn-9")
    assert {event.caused_by for event in commit.events} == {"turn-9"}
    assert len({event.ts for event in commit.events}) == 1
    assert [event.id for event in commit.events] == list(range(commit.head - 5, commit.head + 1))


@pytest.mark.parametrize(
    "wrong",
    [
        NewEvent(BotArchived(bot_id=stories.MIRA), "ledger"),
        NewEvent(BotArchived(bot_id=stories.MIRA), "library", "a-1", 1),
        NewEvent(stories.felt("a", "a-1", 1, 1)[0].data, "chat:a"),
        NewEvent(stories.felt("a", "a-1", 1, 1)[0].data, "library"),
        *stories.felt("a", "b-1", 1, 1),
        *stories.felt("nowhere", "a-1", 1, 1),
        *stories.felt("a", "no such branch", 1, 1),
    ],
)
async def test_an_event_without_its_place_is_refused(store: Store, wrong: NewEvent) -> None:
    before = store.head
    with pytest.raises(StoreError):
        await store.execute(lambda state: [*stories.felt("a", "a-1", 1, 1), wrong])
    assert (await store.execute(lambda state: stories.felt("a", "a-1", 1, 1))).head == before + 1


async def test_text_in_every_script_comes_back_as_it_was_written(store: Store) -> None:
    text = 'naïve 日本語 🦊 \u202eright\u202c "quoted" \\ back\u2028line'
    await store.execute(lambda state: stories.said("a", "a-1", 1, "t", text))
    row = store._live.conn.execute(f"{log.SELECT} order by id desc limit 1").fetchone()
    stored = log.event_of(row).data
    assert isinstance(stored, UserTurn)
    assert stored.text == text
    assert store._live.conn.execute("select text from turns where id = 't'").fetchone() == (text,)


async def test_a_kind_this_program_does_not_know_stops_it(told: Store, settings: Settings) -> None:
    """Appended as a newer program would have done, with a chain that holds."""
    rows = told._live.conn.execute(f"{log.SELECT} where id = 1").fetchall()
    with pytest.raises(UnknownEvent, match="'bot_married'"):
        log.event_of((*rows[0][:4], "bot_married", *rows[0][5:]))
    with pytest.raises(UnknownEvent, match="version 99"):
        log.event_of((*rows[0][:5], 99, *rows[0][6:]))


def test_a_connection_for_reading_cannot_write(settings: Settings, told: Store) -> None:
    conn = connections.read_only(settings.db_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        conn.execute("delete from drafts")
    conn.close()


def test_things_of_one_step_share_their_place() -> None:
    data = [event.data for event in stories.felt("a", "a-1", 4, 1)]
    assert [(one.stream, one.branch_id, one.step) for one in story("a", "a-1", 4, *data, *data)] == [
        ("chat:a", "a-1", 4)
    ] * 2
    assert library(BotArchived(bot_id="x")).branch_id is None
