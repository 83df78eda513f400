"""What a far jump leaves behind is gone for every reader at once, and from the file a little later; nothing waits."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

import chat.engine
from chat.clock import Clock
from chat.domain.edges import EdgeChange
from chat.domain.memories import Memory, Witness, scope_token
from chat.settings import Settings
from chat.store import Store, abandoned, jump, views
from chat.store.jump import Jump
from chat.store.snapshots import Snapshots
from chat.store.verify import verify
from tests.store.test_recall import recalled
from tests.support import stories
from tests.support.stories import MIRA

HIDDEN = (Memory.table, EdgeChange.table, Witness.table)


@pytest.fixture(autouse=True)
def every_jump_is_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jump, "_NEAR_EVENTS", -1)
    monkeypatch.setattr(jump, "_MANY_STEPS", 1)
    monkeypatch.setattr(abandoned, "EVENTS_IN_A_PIECE", 3)


async def tell(store: Store) -> None:
    """Chat a: the lamp, then four exchanges about the rope. Chat b, told between them: the net."""
    await store.execute(lambda state: stories.exchange("a", "a-1", 1, "The lamp is lit."))
    places = ("quay", "boathouse", "lighthouse", "garden")
    for step, place in zip((3, 5, 7, 9), places, strict=True):
        await store.execute(
            lambda state, step=step, place=place: [
                *stories.exchange("a", "a-1", step, f"At the {place} the rope is frayed."),
                *stories.exchange("b", "b-1", step - 2, f"Behind the {place} hangs a net."),
            ]
        )


@pytest.fixture
async def long(store: Store) -> Store:
    await tell(store)
    return store


async def go_back(store: Store, branch: str = "a-2", step: int = 2) -> None:
    await store.execute(lambda state: stories.forked("a", branch, "a-1", step))


def standing(conn: sqlite3.Connection) -> list[int]:
    """How many rows there are, whether they are hidden or not."""
    return [conn.execute(f"select count(*) from {table}").fetchone()[0] for table in HIDDEN]


def seen(conn: sqlite3.Connection) -> list[int]:
    return [conn.execute(f"select count(*) from visible_{table}").fetchone()[0] for table in HIDDEN]


async def sweep(store: Store) -> int:
    pieces = 1
    while await store.sweep():
        pieces += 1
    return pieces


async def found(store: Store, word: str) -> tuple[int, int, int]:
    """Memories that recall, the search and the list of the newest show for a word."""
    async with store.reading() as reader:
        listed = await views.memories_of(reader, MIRA, "main")
        searched = await views.search_memories(reader, scope_token(MIRA, "main"), f'"{word}"')
    recall = await recalled(store, word)
    return (
        sum(word in one.text for one in recall.chosen),
        len(searched),
        sum(word in one.text for one in listed),
    )


async def test_rows_left_behind_are_hidden_at_once_and_swept_in_pieces(
    long: Store, settings: Settings
) -> None:
    conn = long._live.conn
    before = standing(conn)
    assert await found(long, "rope") == (4, 4, 4)
    await go_back(long)
    assert standing(conn) == before
    assert seen(conn) == [5, 5, 10]
    for word, count in (("lamp", 1), ("rope", 0), ("net", 4)):
        assert await found(long, word) == (count, count, count), word
    async with long.reading() as reader:
        assert await views.memories_by_chat(reader, MIRA) == {"a": 1, "b": 4}
    assert verify(settings) == []

    assert await sweep(long) > 3
    assert standing(conn) == seen(conn) == [5, 5, 10]
    assert conn.execute("select count(*) from abandoned").fetchone() == (0,)
    assert verify(settings) == []


@pytest.mark.parametrize("pieces", [0, 2, 100])
async def test_an_undo_brings_everything_back_however_much_is_swept(
    long: Store, settings: Settings, pieces: int
) -> None:
    conn = long._live.conn
    before = seen(conn)
    await go_back(long)
    for _ in range(pieces):
        await long.sweep()
    await long.execute(lambda state: stories.exchange("a", "a-2", 3, "The rope is new."))
    assert await found(long, "frayed") == (0, 0, 0)
    await long.execute(lambda state: stories.selected("a", "a-1", 10, "a-2"))
    assert seen(conn) == before
    assert await found(long, "frayed") == (4, 4, 4)
    await sweep(long)
    assert seen(conn) == standing(conn) == before
    assert verify(settings) == []


async def test_going_on_and_back_again_and_a_restart_change_nothing(settings: Settings, clock: Clock) -> None:
    long = await Store.open(settings, clock)
    await long.execute(lambda state: [*stories.cast(), *stories.chat("a"), *stories.chat("b")])
    await tell(long)
    await go_back(long, step=4)
    await long.sweep()
    await long.execute(lambda state: stories.exchange("a", "a-2", 5, "The rope is new."))
    await long.execute(lambda state: stories.forked("a", "a-3", "a-2", 4))
    await go_back(long, "a-4", 2)
    assert verify(settings) == []
    await long.close()
    again = await Store.open(settings, clock)
    try:
        assert await found(again, "lamp") == (1, 1, 1)
        assert await found(again, "rope") == (0, 0, 0)
        assert standing(again._live.conn) != seen(again._live.conn)
        await sweep(again)
        assert standing(again._live.conn) == seen(again._live.conn)
        assert verify(settings) == []
    finally:
        await again.close()


async def test_what_stays_and_came_late_stays(long: Store, settings: Settings) -> None:
    """A memory of the first exchange that was written after the others were told."""
    late = stories.remembered("a", "a-1", 2, "late", "The lamp was cold.")
    await long.execute(lambda state: late)
    await go_back(long)
    assert await found(long, "cold") == (1, 1, 1)
    assert seen(long._live.conn)[0] < standing(long._live.conn)[0]
    assert verify(settings) == []


async def test_a_snapshot_is_gone_on_from_and_a_damaged_one_is_not(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    add = jump.snapshots.add
    monkeypatch.setattr(jump.snapshots, "add", lambda *given: taken.append("added") or add(*given))
    anew = Jump.anew
    monkeypatch.setattr(Jump, "anew", lambda self: taken.append("anew") or anew(self))
    await store.execute(lambda state: stories.exchange("a", "a-1", 1))
    await store.keep_snapshot("a", await store.moment())
    for step in range(3, 15, 2):
        await store.execute(lambda state, step=step: stories.exchange("a", "a-1", step))
    await go_back(store, "a-2", 4)
    assert (taken, seen(store._live.conn)) == (["added"], [2, 2, 4])
    assert verify(settings) == []

    await store.execute(lambda state: stories.selected("a", "a-1", 14, "a-2"))
    taken.clear()
    for path in settings.snapshots_dir.glob("*.snapshot"):
        path.write_bytes(path.read_bytes()[:-40])
    await go_back(store, "a-3", 4)
    assert (taken, seen(store._live.conn)) == (["added", "anew"], [2, 2, 4])
    assert list(Snapshots(settings.snapshots_dir)._of("a")) == []
    assert verify(settings) == []


async def test_nothing_is_swept_while_a_command_waits(long: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await go_back(long)
    before = standing(long._live.conn)
    monkeypatch.setattr(type(long._writer), "is_wanted", True)
    assert await long.sweep()
    assert standing(long._live.conn) == before


async def test_a_rebuild_forgets_what_was_left_behind(long: Store, settings: Settings) -> None:
    await go_back(long)
    await long.rebuild()
    assert standing(long._live.conn) == seen(long._live.conn) == [5, 5, 10]
    assert not await long.sweep()


async def test_where_less_goes_than_stays_nothing_is_hidden(long: Store) -> None:
    await go_back(long, step=8)
    assert standing(long._live.conn) == seen(long._live.conn)


def test_no_statement_of_the_views_or_the_engine_reads_past_the_views() -> None:
    """Every reader goes through the views: only what writes, compares or counts rows to be written names the tables."""
    named = re.compile(rf"(from|join) (?:{'|'.join(HIDDEN)})\b")
    for package in (views, chat.engine):
        for file in Path(package.__path__[0]).rglob("*.py"):
            lines = [line for line in file.read_text("utf-8").splitlines() if named.search(line)]
            assert [
                line for line in lines if "a.chat_id = (select chat_id from memories" not in line
            ] == [], file
