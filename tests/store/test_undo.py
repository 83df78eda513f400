"""Going back undoes the rows of recent commits; what cannot be undone is folded anew, to the same end."""

from __future__ import annotations

import sqlite3

import pytest

from chat.domain.records import Drop, Put, Set
from chat.domain.scenes import Scene
from chat.domain.tables import PER_CHAT, TABLES
from chat.store import Store, undo
from chat.store.jump import Jump
from chat.store.rows import Buffer, select
from chat.store.verify import verify
from tests.support import stories


def rows(conn: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: conn.execute(f"{select(table)} order by {', '.join(TABLES[table].key)}").fetchall()
        for table in PER_CHAT
    }


@pytest.fixture
def folded_anew(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The chats that were folded from their first event."""
    chats: list[str] = []
    anew = Jump.anew
    monkeypatch.setattr(Jump, "anew", lambda self: chats.append(self._chat_id) or anew(self))
    return chats


async def there_and_back(told: Store, chat: str = "a") -> None:
    await told.execute(lambda state: stories.forked(chat, f"{chat}-2", f"{chat}-1", 2))
    await told.execute(lambda state: stories.exchange(chat, f"{chat}-2", 3, "Another way."))
    await told.execute(lambda state: stories.selected(chat, f"{chat}-1", 6, f"{chat}-2"))


async def test_a_near_jump_folds_nothing_anew_and_leaves_other_chats_alone(
    told: Store, folded_anew: list[str]
) -> None:
    before = rows(told._live.conn)
    await there_and_back(told)
    assert folded_anew == []
    assert rows(told._live.conn) == before


async def test_a_fresh_mirror_can_go_back_too(told: Store, folded_anew: list[str]) -> None:
    await told.rebuild()
    before = rows(told._live.conn)
    await there_and_back(told)
    assert folded_anew == []
    assert rows(told._live.conn) == before


async def test_without_what_stood_there_the_chat_is_folded_anew(told: Store, folded_anew: list[str]) -> None:
    before = rows(told._live.conn)
    undo.forget(told._live.conn, "a")
    await there_and_back(told)
    assert folded_anew == ["a"]
    assert rows(told._live.conn) == before
    await there_and_back(told, "b")
    assert folded_anew == ["a"]


@pytest.mark.parametrize(
    "damage",
    [
        "update undo_rows set images = zeroblob(length(images))",
        "update undo_rows set images = substr(images, 1, length(images) - 1)",
        "update undo_rows set images = x''",
    ],
)
async def test_damage_to_what_stood_there_is_noticed_and_the_state_is_right(
    told: Store, folded_anew: list[str], damage: str
) -> None:
    before = rows(told._live.conn)
    told._live.conn.execute(damage)
    await there_and_back(told)
    assert folded_anew == ["a"]
    assert rows(told._live.conn) == before


async def test_the_past_that_can_be_undone_is_bounded(told: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "KEPT_STEPS", 4)
    monkeypatch.setattr(undo, "_PRUNE_EVERY", 2)
    for step in range(7, 47, 2):
        await told.execute(lambda state, at=step: stories.exchange("a", "a-1", at))
    kept = told._live.conn.execute("select count(*) from undo_rows where chat_id = 'a'").fetchone()[0]
    assert 4 <= kept <= 7


async def test_a_dropped_row_comes_back_with_all_that_belonged_to_it(told: Store) -> None:
    conn = told._live.conn
    before = rows(conn)
    buffer = Buffer(conn)
    for table, record in TABLES.items():
        if table not in PER_CHAT or table == "witnesses":
            continue
        key = ", ".join(record.key)
        of_a = conn.execute(f"select {key} from {table} where chat_id = 'a'").fetchall()
        buffer.take([Drop(table, one) for one in of_a])
    conn.execute("begin")
    undo.keep(conn, buffer, {"a": 1_000})
    buffer.flush()
    assert rows(conn)["witnesses"] != before["witnesses"]
    assert not any("a" in row for table in rows(conn).values() for row in table)
    undo.back_to(conn, "a", 1_000)
    assert rows(conn) == before
    conn.execute("rollback")


async def test_a_row_that_would_come_back_in_another_place_ends_what_can_be_undone(told: Store) -> None:
    conn = told._live.conn
    scene = Scene(id="scene", chat_id="a", container_id="", participants=(), opened_at="")
    conn.execute("begin")
    buffer = Buffer(conn)
    buffer.take([Put(scene)])
    buffer.flush()
    buffer.take([Drop("scenes", ("scene",))])
    undo.keep(conn, buffer, {"a": 1_000})
    assert undo.oldest(conn, "a") is None
    assert undo.oldest(conn, "b") is not None
    conn.execute("rollback")


async def test_a_change_by_another_chats_event_ends_what_can_be_undone(told: Store) -> None:
    conn = told._live.conn
    conn.execute("begin")
    buffer = Buffer(conn)
    buffer.take([Set("memories", ("memory-b-1-2",), {"significance": 3})])
    undo.keep(conn, buffer, {"a": 1_000})
    assert undo.oldest(conn, "b") is None
    assert undo.oldest(conn, "a") is not None
    conn.execute("rollback")


async def test_a_refused_command_leaves_what_can_be_undone_as_it_was(told: Store) -> None:
    conn = told._live.conn
    every = "select chat_id, first_event_id, images from undo_rows order by id"
    before = conn.execute(every).fetchall()
    with pytest.raises(Exception):  # noqa: B017 - whatever it is
        await told.execute(
            lambda state: [*stories.exchange("a", "a-1", 7), *stories.felt("a", "no such branch", 1, 1)]
        )
    assert conn.execute(every).fetchall() == before
    assert verify(told._settings) == []


@pytest.mark.parametrize(
    "damage",
    [
        "update undo_rows set images = zeroblob(length(images)) where chat_id = 'a'",
        "delete from undo_rows where chat_id = 'a' and id = (select min(id) + 2 from undo_rows where chat_id = 'a')",
        "update undo_rows set chat_id = 'c' where chat_id = 'b'",
    ],
)
async def test_the_check_finds_what_would_lead_elsewhere_and_a_rebuild_makes_it_right(
    told: Store, damage: str
) -> None:
    assert verify(told._settings) == []
    told._live.conn.execute(damage)
    (found,) = verify(told._settings)
    assert "going back" in found
    await told.rebuild()
    assert verify(told._settings) == []
