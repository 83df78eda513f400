"""A command happens whole or not at all, one after another, and what is in memory is what is on disk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from chat.domain.events import BotAuthored, BranchForked, NewEvent, library
from chat.domain.world import World
from chat.errors import NotFound, Refused
from chat.store import Commit, State, Store, loading, views
from tests.support import stories


def world_of(store: Store, chat_id: str) -> World:
    return store._live.worlds[chat_id]


def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    conn = store._live.conn
    tables = conn.execute(
        "select name from pragma_table_list where schema = 'main' and type = 'table'"
    ).fetchall()
    return {name: conn.execute(f"select * from {name}").fetchall() for (name,) in tables if "fts" not in name}


async def test_a_commit_tells_its_events_and_the_new_head(store: Store) -> None:
    commit = await store.execute(lambda state: stories.exchange("a", "a-1", 1))
    assert [event.kind for event in commit.events] == [
        "user_turn", "assistant_turn_started", "model_call_finished", "assistant_turn", "memory_written", "edge_update",
    ]  # fmt: skip
    assert commit.head == store.head == commit.events[-1].id


async def test_a_decision_without_events_commits_nothing(told: Store) -> None:
    before, heard = everything(told), []
    told.on_commit(heard.append)
    assert await told.execute(lambda state: []) == Commit((), told.head)
    assert everything(told) == before
    assert heard == []


async def test_a_decision_that_fails_changes_nothing(told: Store) -> None:
    before, head, library_before = everything(told), told.head, told.library

    def refuse(state: State) -> Sequence[NewEvent]:
        raise Refused("Not today.")

    with pytest.raises(Refused, match="Not today"):
        await told.execute(refuse)
    assert everything(told) == before
    assert (told.head, told.library) == (head, library_before)


async def test_a_fold_that_fails_in_the_middle_takes_back_what_came_before_it(told: Store) -> None:
    before, world = everything(told), world_of(told, "a")
    broken = library(BranchForked(chat_id="a", branch_id="x", parent_id="a-1", fork_step=1, reason=""))
    stray = stories.selected("a", "no such branch", 1, "a-1")
    with pytest.raises(KeyError):
        await told.execute(lambda state: [*stories.exchange("a", "a-1", 7), broken, *stray])
    assert everything(told) == before
    assert world_of(told, "a") is world
    assert "x" not in told.library.branches
    assert (await told.execute(lambda state: stories.exchange("a", "a-1", 7))).head == told.head


async def test_the_world_in_memory_is_what_the_rows_say(told: Store) -> None:
    for chat_id in ("a", "b"):
        assert loading.world(told._live.conn, chat_id) == world_of(told, chat_id)
    assert loading.library(told._live.conn) == told.library
    assert loading.ledger(told._live.conn) == told._live.ledger
    assert world_of(told, "a").edge(stories.MIRA, stories.YOU).affinity == 59
    assert world_of(told, "b").edge(stories.MIRA, stories.YOU).affinity == 53


async def test_a_decision_sees_the_chat_as_it_stands(told: Store) -> None:
    seen: dict[str, object] = {}

    def look(state: State) -> Sequence[NewEvent]:
        seen["step"] = state.world("a").state.head_step
        seen["recent"] = [turn.id for turn in state.recent_turns("a", 3)]
        seen["by key"] = state.turn_by_key("a", "a-1-3")
        seen["blank key"] = state.turn_by_key("a", "")
        seen["other chat's key"] = state.turn_by_key("b", "a-1-3")
        seen["turn"] = state.turn("a-1-4")
        seen["nothing"] = state.turn("a-1-99")
        seen["calls"] = state.ledger.calls
        with pytest.raises(NotFound):
            state.world("z")
        return []

    await told.execute(look)
    assert seen["step"] == 6
    assert seen["recent"] == ["a-1-4", "a-1-5", "a-1-6"]
    assert seen["by key"] is not None
    assert seen["turn"] is not None
    assert (seen["blank key"], seen["other chat's key"], seen["nothing"]) == (None, None, None)
    assert seen["calls"] == 4


async def test_two_commands_at_once_happen_one_after_the_other(store: Store) -> None:
    """Each counts what it sees and adds one; interleaved they would see the same."""
    inside, most = 0, 0
    lock = threading.Lock()

    def add(state: State) -> Sequence[NewEvent]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        number = len(state.library.bots)
        with lock:
            inside -= 1
        return [library(BotAuthored(bot_id=f"bot-{number}", name="One more", persona=""))]

    before = len(store.library.bots)
    await asyncio.gather(*(store.execute(add) for _ in range(30)))
    assert most == 1
    assert len(store.library.bots) == before + 30


async def test_listeners_hear_every_commit_once_in_order_and_before_the_command_returns(store: Store) -> None:
    heard: list[int] = []
    store.on_commit(lambda commit: heard.append(commit.head))
    commits = [
        store.execute(lambda state, step=step: stories.felt("a", "a-1", step, 1)) for step in range(1, 11)
    ]
    first = await commits[0]
    assert heard == [first.head]
    rest = await asyncio.gather(*commits[1:])
    assert heard == sorted(heard) == [first.head, *(commit.head for commit in rest)]


async def test_a_listener_that_fails_keeps_nobody_else_from_hearing(store: Store) -> None:
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: problems.append(context["exception"])
    )
    heard: list[int] = []

    def fail(commit: Commit) -> None:
        raise ValueError("deaf")

    store.on_commit(fail)
    store.on_commit(lambda commit: heard.append(commit.head))
    commit = await store.execute(lambda state: stories.felt("a", "a-1", 1, 1))
    assert heard == [commit.head]
    assert isinstance(problems[0], ValueError)


async def test_a_cancelled_command_happens_whole_and_is_heard_of(store: Store) -> None:
    may_go, heard = threading.Event(), []
    store.on_commit(lambda commit: heard.append(commit.head))

    def slow(state: State) -> Sequence[NewEvent]:
        may_go.wait(10)
        return stories.exchange("a", "a-1", 1)

    running = asyncio.create_task(store.execute(slow))
    waiting = asyncio.create_task(store.execute(lambda state: stories.exchange("a", "a-1", 3)))
    await asyncio.sleep(0.05)
    running.cancel()
    waiting.cancel()
    may_go.set()
    for task in (running, waiting):
        with pytest.raises(asyncio.CancelledError):
            await task
    last = await store.execute(lambda state: stories.exchange("a", "a-1", 5))
    assert len(heard) == 3
    assert heard[-1] == last.head == store.head
    assert store._live.conn.in_transaction is False
    async with store.reading() as reader:
        assert len((await views.transcript(reader, store.library, "a")).turns) == 6


async def test_a_draft_goes_with_the_command_that_used_it_or_stays_with_the_one_that_failed(
    store: Store,
) -> None:
    await store.save_draft("composer:a", "half a thought")
    await store.save_draft("composer:b", "another")

    def refuse(state: State) -> Sequence[NewEvent]:
        raise Refused("No.")

    with pytest.raises(Refused):
        await store.execute(refuse, drop_draft="composer:a")
    async with store.reading() as reader:
        assert await views.draft(reader, "composer:a") == "half a thought"
    await store.execute(lambda state: stories.exchange("a", "a-1", 1), drop_draft="composer:a")
    await store.save_draft("composer:b", "another, longer")
    await store.rebuild()
    async with store.reading() as reader:
        assert await views.draft(reader, "composer:a") is None
        assert await views.draft(reader, "composer:b") == "another, longer"
    await store.save_draft("composer:b", None)
    async with store.reading() as reader:
        assert await views.draft(reader, "composer:b") is None


async def test_more_chats_than_are_kept_in_memory_are_loaded_again(store: Store) -> None:
    for number in range(40):
        await store.execute(
            lambda state, n=number: [*stories.chat(f"c{n}"), *stories.exchange(f"c{n}", f"c{n}-1", 1)]
        )
    assert len(store._live.worlds) == 32
    await store.execute(lambda state: stories.felt("c0", "c0-1", 3, 1))
    assert world_of(store, "c0").edge(stories.MIRA, stories.YOU).affinity == 54


async def test_a_checkpoint_waits_for_nobody_and_gives_way_to_a_turn(told: Store) -> None:
    assert await told.checkpoint() is True
    held = threading.Event()

    def slow(state: State) -> Sequence[NewEvent]:
        held.wait(10)
        return []

    first = asyncio.create_task(told.execute(slow))
    asked = asyncio.create_task(told.checkpoint())
    await asyncio.sleep(0.02)
    turn = asyncio.create_task(told.execute(lambda state: stories.exchange("a", "a-1", 7)))
    await asyncio.sleep(0.02)
    held.set()
    await first
    assert await asked is False
    await turn
    async with told.reading() as reader:
        await views.chat_list(reader)
        await told.execute(lambda state: stories.exchange("a", "a-1", 9))
        assert await told.checkpoint() is False
    assert await told.checkpoint() is True
