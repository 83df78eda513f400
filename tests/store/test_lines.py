"""What is visible follows the selected branch, and going back restores it exactly."""

from __future__ import annotations

import pytest

from chat.domain.tables import PER_CHAT
from chat.store import Store, loading, views
from chat.store.fold import Fold
from tests.support import stories


def rows(store: Store, chat_id: str) -> dict[str, list[tuple[object, ...]]]:
    conn = store._live.conn
    return {
        table: sorted(conn.execute(f"select * from {table} where chat_id = ?", (chat_id,)))
        for table in PER_CHAT
    }


async def found(store: Store, words: str) -> list[str]:
    from chat.domain.memories import scope_token

    async with store.reading() as reader:
        hits = await views.search_memories(reader, scope_token(stories.MIRA, "main"), words)
    return sorted(hit.memory.id for hit in hits)


async def test_a_fork_leaves_the_other_line_without_a_trace_and_going_back_restores_it(told: Store) -> None:
    await told.execute(lambda state: stories.exchange("a", "a-1", 7, "A secret under the floor."))
    before, other_chat = rows(told, "a"), rows(told, "b")
    assert await found(told, '"secret"') == ["memory-a-1-8"]

    await told.execute(lambda state: stories.forked("a", "a-2", "a-1", 4))
    assert await found(told, '"secret"') == []
    assert [memory[1] for memory in rows(told, "a")["memories"]] == ["memory-a-1-2", "memory-a-1-4"]
    assert told._live.worlds["a"].edge(stories.MIRA, stories.YOU).affinity == 56
    await told.execute(lambda state: stories.exchange("a", "a-2", 5, "The other way."))

    await told.execute(lambda state: stories.selected("a", "a-1", 8, "a-2"))
    assert rows(told, "a") == before
    assert rows(told, "b") == other_chat
    assert await found(told, '"secret"') == ["memory-a-1-8"]
    assert await found(told, '"other"') == []


async def test_a_late_result_is_seen_by_exactly_the_lines_that_hold_its_turn(told: Store) -> None:
    await told.execute(lambda state: stories.forked("a", "a-2", "a-1", 4))
    await told.execute(lambda state: stories.felt("a", "a-1", 2, 20))
    assert told._live.worlds["a"].edge(stories.MIRA, stories.YOU).affinity == 76
    await told.execute(lambda state: stories.felt("a", "a-1", 6, 20))
    assert told._live.worlds["a"].edge(stories.MIRA, stories.YOU).affinity == 76
    await told.execute(lambda state: stories.selected("a", "a-1", 6, "a-2"))
    assert told._live.worlds["a"].edge(stories.MIRA, stories.YOU).affinity == 99


async def test_turns_are_read_along_the_line_whatever_its_branches(told: Store) -> None:
    """Ten forks of forks: every window is the same as the whole line cut to it."""
    step, parent = 6, "a-1"
    for number in range(2, 12):
        branch = f"a-{number}"
        await told.execute(lambda state, b=branch, p=parent, s=step: stories.forked("a", b, p, s))
        await told.execute(lambda state, b=branch, s=step: stories.exchange("a", b, s + 1))
        step, parent = step + 1, branch
    async with told.reading() as reader:
        whole = await views.transcript(reader, told.library, "a", limit=1000)
        assert [turn.step for turn in whole.turns] == list(range(1, step + 2))
        assert not whole.has_more
        for limit in (1, 2, 5, 16):
            for before in (None, 3, 9, step):
                wanted = [turn for turn in whole.turns if before is None or turn.step < before]
                window = await views.transcript(reader, told.library, "a", before, limit)
                assert window.turns == wanted[-limit:]
                assert window.has_more == (len(wanted) > limit)
    recent: list[str] = []
    await told.execute(lambda state: recent.extend(turn.id for turn in state.recent_turns("a", 4)) or [])
    assert recent == [turn.id for turn in whole.turns[-4:]]


async def test_an_idempotency_key_counts_on_the_visible_line_only(told: Store) -> None:
    seen: list[bool] = []

    def look(key: str) -> None:
        told_store = told
        return told_store.execute(lambda state: seen.append(state.turn_by_key("a", key) is not None) or [])

    await look("a-1-5")
    await told.execute(lambda state: stories.forked("a", "a-2", "a-1", 4))
    await look("a-1-5")
    await look("a-1-3")
    assert seen == [True, False, True]


async def test_a_fork_from_the_tip_costs_no_refold(told: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    refolded: list[str] = []
    jump = Fold._jump
    monkeypatch.setattr(
        Fold, "_jump", lambda self, chat, *rest: refolded.append(chat) or jump(self, chat, *rest)
    )
    before = rows(told, "a")
    await told.execute(lambda state: stories.forked("a", "a-2", "a-1", 6))
    assert refolded == []
    assert rows(told, "a") == before
    await told.execute(
        lambda state: [*stories.exchange("a", "a-2", 7), *stories.forked("a", "a-3", "a-2", 8)]
    )
    assert refolded == []
    # The branch of a step below the tip, and a branch on which something happened, do change what is seen.
    await told.execute(lambda state: stories.forked("a", "a-4", "a-3", 7))
    await told.execute(lambda state: stories.selected("a", "a-3", 8, "a-4"))
    assert refolded == ["a", "a"]
    assert loading.world(told._live.conn, "a") == told._live.worlds["a"]


async def test_one_command_may_fork_tell_and_go_back(told: Store) -> None:
    before = rows(told, "a")
    await told.execute(
        lambda state: [
            *stories.forked("a", "a-2", "a-1", 2),
            *stories.exchange("a", "a-2", 3, "Elsewhere."),
            *stories.selected("a", "a-1", 6, "a-2"),
        ]
    )
    assert rows(told, "a") == before
    await told.execute(lambda state: stories.selected("a", "a-2", 4, "a-1"))
    assert told._live.worlds["a"].state.head_step == 4


async def test_a_branch_from_the_tip_on_which_something_happened_is_not_what_it_was_forked_from(
    told: Store,
) -> None:
    await told.execute(lambda state: stories.forked("a", "a-2", "a-1", 6))
    await told.execute(lambda state: stories.exchange("a", "a-2", 7, "Further on."))
    there = rows(told, "a")
    await told.execute(lambda state: stories.selected("a", "a-1", 6, "a-2"))
    assert told._live.worlds["a"].state.head_step == 6
    await told.execute(lambda state: stories.selected("a", "a-2", 8, "a-1"))
    assert told._live.worlds["a"].state.head_step == 8
    assert rows(told, "a") == there


async def test_a_fork_of_an_ancestor_beyond_its_cut_shows_the_ancestor_not_the_tip(told: Store) -> None:
    await told.execute(lambda state: stories.forked("a", "a-2", "a-1", 4))
    await told.execute(lambda state: stories.felt("a", "a-2", 5, 20))
    await told.execute(lambda state: stories.forked("a", "a-3", "a-1", 99))
    assert told._live.worlds["a"].edge(stories.MIRA, stories.YOU).affinity == 59
    assert told._live.worlds["a"].state.head_step == 6
