"""Replies that stand in each other's place, and where each was left."""

from __future__ import annotations

from chat.domain.events import (
    AssistantTurn,
    AssistantTurnStarted,
    BranchForked,
    BranchSelected,
    NewEvent,
    library,
    story,
)
from chat.domain.segments import Segment
from chat.store import Store, views
from chat.store.views import Alternative
from tests.support import stories


def reply(branch: str, step: int, turn_id: str, answers: str | None, text: str = "Yes.") -> list[NewEvent]:
    """A reply that says which turn it answers, started and ended."""
    started = AssistantTurnStarted(
        turn_id=turn_id, speaker=stories.MIRA, reply_to=answers, endpoint="demo", model="m", seed=1,
        prompt_hash="0" * 64, manifest={},
    )  # fmt: skip
    ended = AssistantTurn(
        turn_id=turn_id, speaker=stories.MIRA, text=text, segments=(Segment("narration", text),),
        present=(stories.MIRA,), scene_id="", at="1887-03-04T18:01:00Z", reply_to=answers,
    )  # fmt: skip
    return story("a", branch, step, started, ended)


def fork(branch: str, parent: str, step: int, prior: str) -> list[NewEvent]:
    forked = BranchForked(chat_id="a", branch_id=branch, parent_id=parent, fork_step=step, reason="retry")
    return [library(forked), *select(branch, step, prior)]


def select(branch: str, step: int, prior: str) -> list[NewEvent]:
    return [library(BranchSelected(chat_id="a", branch_id=branch, step=step, prior=prior, reason="swipe"))]


async def found(store: Store, limit: int = 50) -> dict[str, list[Alternative]]:
    async with store.reading() as reader:
        window = await views.transcript(reader, store.library, "a", limit=limit)
        return await views.alternatives(reader, store.library, "a", window.turns)


async def happen(store: Store, *groups: list[NewEvent]) -> None:
    for events in groups:
        await store.execute(lambda state, events=events: events)


async def asked_twice(store: Store) -> None:
    """One question with two replies, the second shown."""
    await happen(
        store,
        [*stories.said("a", "a-1", 1, "u1", "Well?"), *reply("a-1", 2, "r1", "u1")],
        [*fork("a-2", "a-1", 1, "a-1"), *reply("a-2", 2, "r2", "u1", "No.")],
    )


async def test_a_reply_alone_has_no_alternatives(told: Store) -> None:
    assert await found(told) == {}


async def test_replies_to_one_turn_are_listed_oldest_first_with_their_branches(store: Store) -> None:
    await asked_twice(store)
    both = [Alternative("r1", "a-1"), Alternative("r2", "a-2")]
    assert await found(store) == {"r2": both}
    await happen(store, select("a-1", 2, "a-2"))
    assert await found(store) == {"r1": both}


async def test_a_reply_is_gone_back_to_where_it_was_left(store: Store) -> None:
    await asked_twice(store)
    on = [*stories.said("a", "a-1", 3, "u3", "On."), *reply("a-1", 4, "r4", "u3")]
    await happen(store, select("a-1", 2, "a-2"), on)
    await happen(store, fork("a-3", "a-1", 2, "a-1"), reply("a-3", 3, "r5", None))
    assert (await found(store))["r1"] == [Alternative("r1", "a-3"), Alternative("r2", "a-2")]
    await happen(store, select("a-2", 2, "a-3"))
    assert (await found(store))["r2"][0] == Alternative("r1", "a-3")
    await happen(store, select("a-1", 4, "a-2"), select("a-2", 2, "a-1"))
    assert (await found(store))["r2"][0] == Alternative("r1", "a-1")


async def test_replies_at_one_step_of_different_stories_are_not_each_others_alternatives(
    store: Store,
) -> None:
    await asked_twice(store)
    await happen(store, reply("a-2", 3, "r3", None), select("a-1", 2, "a-2"), reply("a-1", 3, "r4", None))
    assert set(await found(store)) == {"r1"}
    await happen(store, fork("a-4", "a-1", 2, "a-1"), reply("a-4", 3, "r6", None))
    assert [one.turn_id for one in (await found(store))["r6"]] == ["r4", "r6"]


async def test_a_reply_that_failed_without_a_word_counts_only_while_it_is_shown(store: Store) -> None:
    await asked_twice(store)
    await happen(store, [*fork("a-3", "a-1", 1, "a-2"), *reply("a-3", 2, "r3", "u1", "")])
    assert [one.turn_id for one in (await found(store))["r3"]] == ["r1", "r2", "r3"]
    await happen(store, select("a-1", 2, "a-3"))
    assert [one.turn_id for one in (await found(store))["r1"]] == ["r1", "r2"]


async def test_only_the_replies_of_the_window_are_looked_at_and_never_those_of_another_chat(
    store: Store,
) -> None:
    await asked_twice(store)
    await happen(store, stories.exchange("a", "a-2", 3), stories.exchange("b", "b-1", 1))
    assert set(await found(store)) == {"r2"}
    assert await found(store, limit=2) == {}
