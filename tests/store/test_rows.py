"""The last word on a row wins, and what is written is one statement's worth of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from chat.domain.chats import Branch, Chat
from chat.domain.memories import Memory, scope_token
from chat.domain.records import Change, Drop, Put, Row, Set
from chat.store import connections, migrate
from chat.store.rows import Buffer, select


@pytest.fixture
def conn(tmp_path: object) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.executescript(connections._EVERY_CONNECTION)
    migrate.create(opened)
    yield opened
    opened.close()


def chat(title: str, chat_id: str = "c") -> Chat:
    return Chat(
        id=chat_id,
        title=title,
        bot_ids=("b",),
        you_id="y",
        continuity="m",
        branch_id="b",
        archived=False,
        created_at="",
    )


def titled(title: str) -> Set:
    return Set("chats", ("c",), {"title": title})


GONE = Drop("chats", ("c",))


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ([Put(chat("one"))], "one"),
        ([Put(chat("one")), Put(chat("two"))], "two"),
        ([Put(chat("one")), titled("two")], "two"),
        ([titled("lost")], None),
        ([titled("lost"), Put(chat("one"))], "one"),
        ([Put(chat("one")), GONE], None),
        ([Put(chat("one")), GONE, titled("lost")], None),
        ([Put(chat("one")), GONE, Put(chat("two"))], "two"),
        ([Put(chat("one")), titled("two"), Put(chat("three")), titled("four")], "four"),
    ],
)
@pytest.mark.parametrize("flush_between", [False, True])
def test_changes_of_one_row_come_to_the_same_whether_written_at_once_or_one_by_one(
    conn: sqlite3.Connection, changes: list[Change], title: str | None, flush_between: bool
) -> None:
    buffer = Buffer(conn)
    for change in changes:
        buffer.take([change])
        if flush_between:
            buffer.flush()
    buffer.flush()
    assert conn.execute("select title from chats").fetchone() == ((title,) if title else None)


def test_parents_are_written_before_children_and_dropped_after_them(conn: sqlite3.Connection) -> None:
    branch = Branch(id="b", chat_id="c", parent_id=None, fork_step=0, reason="", created_at="")
    buffer = Buffer(conn)
    buffer.take([Put(branch), Put(chat("one"))])
    buffer.flush()
    buffer.take([GONE, Drop("branches", ("b",))])
    buffer.flush()
    assert conn.execute(
        "select (select count(*) from chats), (select count(*) from branches)"
    ).fetchone() == (0, 0)


def test_a_row_comes_back_as_the_record_it_was(conn: sqlite3.Connection) -> None:
    kept = chat('Quotes " and 日本')
    buffer = Buffer(conn)
    buffer.take([Put(kept)])
    buffer.flush()
    row: Row = conn.execute(select("chats")).fetchone()
    assert Chat.from_row(row) == kept


def test_a_row_keeps_its_place_when_it_is_written_again(conn: sqlite3.Connection) -> None:
    buffer = Buffer(conn)
    for name in ("one", "two", "three"):
        buffer.take([Put(chat(name, chat_id=name))])
        buffer.flush()
    buffer.take([Put(chat("first again", chat_id="one"))])
    buffer.flush()
    assert [row[0] for row in conn.execute("select title from chats order by rowid")] == [
        "first again",
        "two",
        "three",
    ]


def memory(number: int) -> Memory:
    return Memory(
        event_id=number,
        id=f"m{number * 7 % 101:03}",
        owner="b",
        continuity="main",
        chat_id="c",
        turn_id="",
        scene_id="",
        text=f"The lamp was lit {number} times.",
        scope=scope_token("b", "main"),
        at="",
        source="direct",
        reliability=1.0,
        significance=1,
    )


def pieces_of_the_index(conn: sqlite3.Connection) -> int:
    return int(conn.execute("select count(distinct segid) from memories_fts_idx").fetchone()[0])


def found(conn: sqlite3.Connection, word: str) -> int:
    conn.execute("insert into memories_fts (memories_fts, rank) values ('integrity-check', 1)")
    return int(
        conn.execute("select count(*) from memories_fts where memories_fts match ?", (word,)).fetchone()[0]
    )


def test_memories_are_written_and_dropped_many_at_once_and_found_as_one_by_one(
    conn: sqlite3.Connection,
) -> None:
    many = [memory(number) for number in range(1, 101)]
    buffer = Buffer(conn)
    buffer.take([Put(chat("one")), *map(Put, many)])
    conn.execute("begin")
    buffer.flush()
    conn.execute("commit")
    assert [Memory.from_row(row) for row in conn.execute(f"{select('memories')} order by event_id")] == many
    assert (found(conn, "lamp"), found(conn, "50"), pieces_of_the_index(conn) < 10) == (100, 1, True)

    before = pieces_of_the_index(conn)
    buffer.take([Drop("memories", (one.id,)) for one in many[80:19:-1]])
    conn.execute("begin")
    buffer.flush()
    conn.execute("commit")
    assert (found(conn, "lamp"), found(conn, "50"), pieces_of_the_index(conn) - before) == (39, 0, 1)
