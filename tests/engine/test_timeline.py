"""Rewind, undo, redo, rewriting and alternatives: with all their consequences, in one chat and no other."""

from __future__ import annotations

import threading

import pytest

from chat.domain.world import World
from chat.errors import NotFound, Refused, TurnRunning
from chat.store import views
from tests.engine.conftest import Stage, asked
from tests.engine.test_digest import WARM, digest_of, memories
from tests.engine.test_edits import edit
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply


async def texts(stage: Stage, chat_id: str | None = None) -> list[str]:
    return [turn.text for turn in await stage.turns(chat_id)][1:]


async def tell(stage: Stage, peer: Peer, *pairs: tuple[str, str]) -> list[str]:
    """Turns with their replies; returns the replies' ids."""
    ids = []
    for mine, reply in pairs:
        peer.script(Reply(reply))
        ids.append(await stage.say(mine))
        await stage.digested()
    return ids


async def seen(stage: Stage) -> tuple[World, list[str], list[str]]:
    return await stage.world(), await texts(stage), [one.text for one in await memories(stage)]


async def test_rewind_takes_everything_after_a_turn_and_undo_brings_it_all_back(
    stage: Stage, peer: Peer
) -> None:
    first = (await tell(stage, peer, ("one", "uno")))[0]
    await digest_of(stage, peer, Answer(WARM), "two")
    before = await seen(stage)
    moved = await stage.engine.rewind(stage.first, first)
    assert moved.what == "the rewind"
    world, said, kept = await seen(stage)
    assert said == ["one", "uno"]
    assert world.edge(stage.mira, stage.you).affinity == 50
    assert world.state.weather == ""
    assert len(kept) == 1
    await stage.engine.undo(stage.first)
    assert await seen(stage) == before
    await stage.engine.redo(stage.first)
    assert await texts(stage) == ["one", "uno"]


async def test_the_other_chat_never_notices(stage: Stage, peer: Peer) -> None:
    await stage.say("elsewhere", stage.second)
    await stage.digested(stage.second)
    before = await texts(stage, stage.second)
    first, _ = await tell(stage, peer, ("one", "uno"), ("two", "due"))
    await stage.engine.rewind(stage.first, first)
    await stage.engine.undo(stage.first)
    await stage.engine.undo(stage.first)
    assert await texts(stage, stage.second) == before


async def test_undo_takes_back_one_turn_with_its_reply_and_gives_the_words_back(
    stage: Stage, peer: Peer
) -> None:
    await tell(stage, peer, ("one", "uno"), ("two", "due"))
    assert (await stage.engine.undo_steps(stage.first)).undo == "your last turn"
    moved = await stage.engine.undo(stage.first)
    assert (moved.what, moved.words) == ("your last turn", "two")
    assert await texts(stage) == ["one", "uno"]
    async with stage.engine.store.reading() as reader:
        assert await views.draft(reader, f"composer:{stage.first}") == "two"
    await stage.engine.undo(stage.first)
    assert await texts(stage) == []
    with pytest.raises(Refused):
        await stage.engine.undo(stage.first)
    await stage.engine.redo(stage.first)
    await stage.engine.redo(stage.first)
    assert await texts(stage) == ["one", "uno", "two", "due"]
    with pytest.raises(Refused):
        await stage.engine.redo(stage.first)


async def test_a_draft_is_not_overwritten_by_an_undo(stage: Stage, peer: Peer) -> None:
    await tell(stage, peer, ("one", "uno"))
    await stage.engine.save_composer_draft(stage.first, "half a sentence")
    await stage.engine.undo(stage.first)
    async with stage.engine.store.reading() as reader:
        assert await views.draft(reader, f"composer:{stage.first}") == "half a sentence"


async def test_words_that_came_back_leave_the_composer_when_their_turn_is_redone(
    stage: Stage, peer: Peer
) -> None:
    await tell(stage, peer, ("one", "uno"))
    await stage.engine.undo(stage.first)
    await stage.engine.redo(stage.first)
    async with stage.engine.store.reading() as reader:
        assert await views.draft(reader, f"composer:{stage.first}") is None
    await stage.engine.undo(stage.first)
    await stage.engine.save_composer_draft(stage.first, "one, and more")
    await stage.engine.redo(stage.first)
    async with stage.engine.store.reading() as reader:
        assert await views.draft(reader, f"composer:{stage.first}") == "one, and more"


async def test_an_edit_by_hand_is_an_action_of_its_own(stage: Stage, peer: Peer) -> None:
    await tell(stage, peer, ("one", "uno"))
    await edit(stage, "weather", "", weather="hail")
    assert (await stage.engine.undo_steps(stage.first)).undo == "the last change by hand"
    await stage.engine.undo(stage.first)
    assert (await stage.world()).state.weather == ""
    assert await texts(stage) == ["one", "uno"]
    await stage.engine.redo(stage.first)
    assert (await stage.world()).state.weather == "hail"


async def test_a_turn_after_an_undo_forgets_what_lay_ahead_and_keeps_its_branch(
    stage: Stage, peer: Peer
) -> None:
    await tell(stage, peer, ("one", "uno"), ("two", "due"))
    left = stage.engine.store.library.chats[stage.first].branch_id
    await stage.engine.undo(stage.first)
    await tell(stage, peer, ("three", "tre"))
    with pytest.raises(Refused):
        await stage.engine.redo(stage.first)
    await stage.engine.select_branch(stage.first, left)
    assert await texts(stage) == ["one", "uno", "two", "due"]
    await stage.engine.undo(stage.first)
    assert await texts(stage) == ["one", "uno", "three", "tre"]


async def test_a_rewritten_turn_replaces_both_halves_and_can_be_undone(stage: Stage, peer: Peer) -> None:
    reply_id = (await tell(stage, peer, ("I hide the ruby under the stair", "uno")))[0]
    peer.script(Reply("due"))
    again = await stage.engine.retry(stage.first, reply_id, "I keep the ruby")
    await stage.settled(stage.first)
    await stage.digested()
    assert await texts(stage) == ["I keep the ruby", "due"]
    assert "under the stair" not in asked(peer).text
    assert not any("under the stair" in one.text for one in await memories(stage))
    assert (await stage.turn(again)).step == 3
    await stage.engine.undo(stage.first)
    assert await texts(stage) == ["I hide the ruby under the stair", "uno"]


async def test_each_alternative_has_its_own_memories_and_feelings(stage: Stage, peer: Peer) -> None:
    reply_id = await digest_of(stage, peer, Answer(WARM), "one")
    first = stage.engine.store.library.chats[stage.first].branch_id
    await stage.engine.retry(stage.first, reply_id)
    await stage.settled(stage.first)
    await stage.digested()
    second = stage.engine.store.library.chats[stage.first].branch_id
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 50
    await stage.engine.select_branch(stage.first, first)
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 55
    await stage.engine.select_branch(stage.first, second)
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 50
    with pytest.raises(NotFound):
        await stage.engine.select_branch(stage.second, first)


async def test_going_back_is_refused_while_a_reply_is_written(stage: Stage, peer: Peer) -> None:
    reply_id = (await tell(stage, peer, ("one", "uno")))[0]
    rest = threading.Event()
    peer.script(Reply("slow slow slow slow", rest=rest))
    await stage.engine.take_turn(stage.first, "two")
    for going in (stage.engine.undo(stage.first), stage.engine.rewind(stage.first, reply_id)):
        with pytest.raises(TurnRunning):
            await going
    rest.set()
    await stage.settled(stage.first)


async def test_a_turn_that_is_not_on_the_line_cannot_be_gone_back_to(stage: Stage, peer: Peer) -> None:
    first, last = await tell(stage, peer, ("one", "uno"), ("two", "due"))
    with pytest.raises(Refused):
        await stage.engine.rewind(stage.first, last)
    with pytest.raises(NotFound):
        await stage.engine.rewind(stage.second, first)
    await stage.engine.rewind(stage.first, first)
    with pytest.raises(NotFound):
        await stage.engine.rewind(stage.first, last)


async def test_undoing_and_redoing_again_and_again_makes_no_heap_of_branches(
    stage: Stage, peer: Peer
) -> None:
    await tell(stage, peer, ("one", "uno"), ("two", "due"))
    for _ in range(6):
        await stage.engine.undo(stage.first)
        await stage.engine.redo(stage.first)
    assert await texts(stage) == ["one", "uno", "two", "due"]
    mine = [one for one in stage.engine.store.library.branches.values() if one.chat_id == stage.first]
    assert len(mine) <= 3


async def test_another_reply_of_long_ago_comes_with_what_followed_it_and_nothing_else(
    stage: Stage, peer: Peer
) -> None:
    (first,) = await tell(stage, peer, ("one", "*whispers* The heron flies at dawn."))
    peer.script(Reply("The otter sleeps."))
    second = await stage.engine.retry(stage.first, first)
    await stage.settled(stage.first)
    await stage.digested()
    await digest_of(stage, peer, Answer(WARM), '"The badger digs."')
    here = await seen(stage)
    async with stage.engine.store.reading() as reader:
        turns = await stage.turns()
        among = await views.alternatives(reader, stage.engine.store.library, stage.first, turns)
    heron, otter = among[second]
    assert (heron.turn_id, otter.turn_id) == (first, second)

    await stage.engine.select_branch(stage.first, heron.branch_id)
    world, said, kept = await seen(stage)
    assert said == ["one", "*whispers* The heron flies at dawn."]
    assert not any(word in text for text in kept for word in ("otter", "badger"))
    assert (world.edge(stage.mira, stage.you).affinity, world.state.weather) == (50, "")
    assert world.state.clock_at != here[0].state.clock_at
    await tell(stage, peer, ("Who flies, who sleeps, who digs?", "uno"))
    assert "heron" in asked(peer).text
    assert not any(word in asked(peer).text for word in ("otter", "badger"))

    await stage.engine.select_branch(stage.first, otter.branch_id)
    assert await seen(stage) == here
    await tell(stage, peer, ("Who flies, who sleeps, who digs?", "due"))
    assert "heron" not in asked(peer).text
    assert "otter" in asked(peer).text
    assert "badger" in asked(peer).text
