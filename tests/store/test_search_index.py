"""The search index: each scope in a stretch of its own, newest first and whole, for a database of any age."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from chat.clock import Clock
from chat.domain.memories import Memory, scope_token
from chat.domain.questions import questions
from chat.domain.records import Put
from chat.settings import Settings
from chat.store import Store, backup, connections, migrate, views
from chat.store.rows import Buffer, put_sql
from chat.store.search_index import stretch_of, written_at_the_end
from chat.store.verify import verify
from tests.support import stories
from tests.support.stories import MIRA, TOMAS

WHOLE = "insert into memories_fts (memories_fts, rank) values ('integrity-check', 1)"
MANY = 4_000
"""Enough for the list of a common word to need an index of its own within the index."""


def memory(number: int, owner: str, text: str, scope: str = "") -> Memory:
    return Memory(
        event_id=number,
        id=f"m{number}",
        owner=owner,
        continuity="main",
        chat_id="a",
        turn_id=f"t{number}",
        scene_id="s",
        text=text,
        scope=scope or scope_token(owner, "main"),
        at="1887-03-04T18:00:00Z",
        source="direct",
        reliability=1.0,
        significance=1,
    )


def write(conn: sqlite3.Connection, *memories: Memory) -> None:
    buffer = Buffer(conn)
    buffer.take([Put(one) for one in memories])
    buffer.flush()


async def ids_of(store: Store, owner: str, words: str) -> dict[str, tuple[int, ...]]:
    async with store.reading() as reader:
        found = await views.evidence(reader, owner, "main", questions([words], (), (), ""), ())
    return {word: hits.known() for word, hits in found.hits.items()}


async def test_a_place_is_in_the_stretch_of_its_scope_and_says_which_event_it_is(told: Store) -> None:
    placed = told._live.conn.execute("select scope, event_id, place from memories").fetchall()
    assert len({scope for scope, _, _ in placed}) >= 1
    for scope, event_id, place in placed:
        first, last = stretch_of(scope)
        assert first <= place <= last < 1 << 63
        assert last - place == event_id


@pytest.mark.parametrize("digits", ["000000", "7fffff", "800000", "ffffff", "0123456", "abcdef"])
async def test_every_digit_of_a_scope_counts(told: Store, digits: str) -> None:
    scope = f"s{digits:<24}0".replace(" ", "0")
    write(told._live.conn, memory(900, "bot-third", "A marigold.", scope))
    (placed,) = told._live.conn.execute("select rowid from memories_fts where memories_fts match 'marigold'")
    assert stretch_of(scope).last - placed[0] == 900
    assert stretch_of(scope).first <= placed[0]
    told._live.conn.execute(WHOLE)


async def test_all_that_holds_a_word_is_found_newest_first_however_many_others_hold_it(told: Store) -> None:
    """Thousands of memories of three bots, in no order and in several commits, one of them left out again."""
    chance, conn = random.Random(8), told._live.conn
    owners = (MIRA, TOMAS, "bot-third")
    words = ("heron", "gannet", "petrel")
    texts = [f"{words[number % 3]} {chance.choice(words)} {number}" for number in range(MANY)]
    made = [memory(1_000 + n, chance.choice(owners), text) for n, text in enumerate(texts)]
    chance.shuffle(made)
    conn.execute("begin")
    write(conn, *made)
    conn.execute("commit")
    gone = next(one for one in made if one.owner == MIRA)
    conn.execute("delete from memories where id = ?", (gone.id,))
    conn.execute(WHOLE)
    for owner in owners:
        own = [one for one in made if one.owner == owner and one is not gone]
        for word, found in (await ids_of(told, owner, "heron gannet petrel")).items():
            expected = sorted((one.event_id for one in own if word in one.text), reverse=True)
            assert len(expected) > 500
            assert found == tuple(expected)


async def test_two_scopes_that_share_a_stretch_see_nothing_of_each_other(told: Store) -> None:
    own = scope_token(MIRA, "main")
    write(told._live.conn, memory(900, "bot-third", "A marigold on the sill.", f"{own[:7]}{'5' * 18}0"))
    async with told.reading() as reader:
        asked = questions(["the marigold lamp"], (), (), "")
        found = await views.evidence(reader, MIRA, "main", asked, ())
        assert 900 in found.hits["marigold"].ids
        assert 900 not in found.kept
        kept = [await views.memory(reader, one.id) for one in found.kept.values()]
        assert {one.owner for one in kept if one} == {MIRA}
        assert len(kept) == len(found.kept) > 0
        assert await views.search_memories(reader, own, '"marigold"') == []


async def test_an_index_written_at_the_end_finds_what_one_written_row_by_row_does(told: Store) -> None:
    conn = told._live.conn
    made = [memory(1_000 + n, (MIRA, TOMAS)[n % 2], f"A puffin, number {n}.") for n in range(40)]
    write(conn, *made)
    before = await ids_of(told, TOMAS, "puffin")
    conn.execute("begin")
    with written_at_the_end(conn):
        conn.executemany("delete from memories where id = ?", [(one.id,) for one in made])
        conn.executemany(put_sql("memories"), [one.row() for one in reversed(made)])
    conn.execute("commit")
    assert await ids_of(told, TOMAS, "puffin") == before
    assert len(before["puffin"]) == 20
    conn.execute(WHOLE)


async def test_a_database_from_before_the_stretches_is_searched_like_a_new_one(
    settings: Settings, tmp_path: Path
) -> None:
    store = await Store.open(settings, Clock())
    await store.execute(lambda state: [*stories.cast(), *stories.chat("a")])
    await store.execute(
        lambda state: stories.remembered("a", "a-1", 1, "m1", "Ada: The astrolabe is mended.")
    )
    await store.close()
    _as_it_was(settings.db_path)
    assert backup.listing(settings) == []
    store = await Store.open(settings, Clock())
    (kept,) = backup.listing(settings)
    assert (kept.is_verified, "before-0012_index_by_owner" in kept.name) == (True, True)
    assert _schema_of(settings.backups_dir / f"{kept.name}.db") < _schema_of(settings.db_path)
    assert len((await ids_of(store, MIRA, "astrolabe"))["astrolabe"]) == 1
    await store.execute(lambda state: stories.remembered("a", "a-1", 2, "m2", "Ada: An astrolabe again."))
    assert len((await ids_of(store, MIRA, "astrolabe"))["astrolabe"]) == 2
    await store.close()
    assert verify(settings) == []


def _schema_of(path: Path) -> int:
    """How many migrations a database has run."""
    conn = sqlite3.connect(path)
    count: int = conn.execute("select count(*) from migrations").fetchone()[0]
    conn.close()
    return count


def _as_it_was(path: Path) -> None:
    """The index and its triggers as the third migration made them, and no record of the one that changed them."""
    conn = connections.scratch(path)
    now = next(one for one in migrate.shipped() if one.name == "0012_index_by_owner")
    conn.execute("begin")
    third = next(one for one in migrate.shipped() if one.version == 3)
    conn.execute("drop view memories_by_place")
    for statement in migrate.statements(third.sql):
        if "index" not in statement.split()[:3]:
            conn.execute(statement)
    conn.execute("alter table memories drop column place")
    conn.execute("delete from migrations where version = ?", (now.version,))
    conn.execute("commit")
    conn.close()
