"""A turn in other words: everywhere the story is told, on its own line alone, and with every version to go back to."""

from __future__ import annotations

import threading

import pytest

from chat.domain.turns import Turn
from chat.errors import BlankText, NotFound, Refused, Stale, TurnRunning
from chat.store import views
from chat.store.verify import verify
from tests.engine.conftest import Stage, asked
from tests.engine.test_digest import WARM, digest_of, memories
from tests.engine.test_timeline import tell, texts
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply

OLD, NEW = "the ruby lies under the stair", "the ruby was sold long ago"


async def latest_user(stage: Stage, number: int = -1) -> Turn:
    return [turn for turn in await stage.turns() if turn.role == "user"][number]


async def remembered(stage: Stage) -> str:
    return "\n".join(one.text for one in await memories(stage))


async def test_other_words_are_what_everything_shows_and_undo_brings_the_old_ones_back(
    stage: Stage, peer: Peer
) -> None:
    reply_id, _ = await tell(stage, peer, ("I ask about it", f'"Well, {OLD}."'), ("I nod", "uno"))
    told = await stage.turn(reply_id)
    await stage.engine.edit_turn(stage.first, reply_id, f'"Well, {NEW}."')
    edited = await stage.turn(reply_id)
    assert (edited.text, edited.segments[0].kind) == (f'"Well, {NEW}."', "dialogue")
    assert (edited.step, edited.at, edited.present) == (told.step, told.at, told.present)
    assert NEW in await remembered(stage)
    assert OLD not in await remembered(stage)
    await tell(stage, peer, ("Where is the ruby?", "due"))
    assert NEW in asked(peer).text
    assert OLD not in asked(peer).text
    assert (await stage.engine.undo_steps(stage.first)).undo == "your last turn"
    await stage.engine.undo(stage.first)
    assert (await stage.engine.undo_steps(stage.first)).undo == "the change of a turn"
    await stage.engine.undo(stage.first)
    assert (await stage.turn(reply_id)).text == told.text
    assert OLD in await remembered(stage)
    assert NEW not in await remembered(stage)
    await tell(stage, peer, ("Where is the ruby?", "due"))
    assert OLD in asked(peer).text
    assert NEW not in asked(peer).text
    assert verify(stage.engine.settings) == []


async def test_redo_brings_the_new_words_again_and_a_rewind_before_the_change_the_old(
    stage: Stage, peer: Peer
) -> None:
    first, second = await tell(stage, peer, ("one", OLD), ("two", "due"))
    await stage.engine.edit_turn(stage.first, first, NEW)
    await tell(stage, peer, ("three", "tre"))
    await stage.engine.rewind(stage.first, second)
    assert await texts(stage) == ["one", OLD, "two", "due"]
    await stage.engine.undo(stage.first)
    assert await texts(stage) == ["one", NEW, "two", "due", "three", "tre"]
    await stage.engine.undo(stage.first)
    await stage.engine.undo(stage.first)
    assert (await texts(stage))[1] == OLD
    await stage.engine.redo(stage.first)
    assert (await texts(stage))[1] == NEW


async def test_ones_own_turn_is_heard_anew_by_the_same_rules(stage: Stage, peer: Peer) -> None:
    """Words that become a thought leave the memory, and a thought that is spoken enters it."""
    await tell(stage, peer, (f'"{OLD}"\n\n/think She is lying.', "uno"))
    mine = await latest_user(stage)
    await stage.engine.edit_turn(stage.first, mine.id, f'/think {OLD}\n\n"You are lying."')
    assert [one.kind for one in (await latest_user(stage)).segments if one.text.strip()] == [
        "thought",
        "dialogue",
    ]
    assert OLD not in await remembered(stage)
    assert "You are lying" in await remembered(stage)
    await tell(stage, peer, ("What now?", "due"))
    assert OLD not in asked(peer).text
    assert "You are lying" in asked(peer).text


async def test_a_memory_of_which_nothing_is_left_is_no_longer_told_or_found(stage: Stage, peer: Peer) -> None:
    await tell(stage, peer, (OLD, "*nods*"))
    mine, reply = (await stage.turns())[-2:]
    await stage.engine.edit_turn(stage.first, mine.id, f"(({OLD}))")
    assert await remembered(stage) == "Mira: *nods*"
    await stage.engine.edit_turn(stage.first, reply.id, "((nothing))")
    assert await memories(stage) == []
    await stage.engine.edit_turn(stage.first, reply.id, '"Again."')
    assert await remembered(stage) == 'Mira: "Again."'


async def test_a_memory_written_by_hand_stays_as_it_was_written(stage: Stage, peer: Peer) -> None:
    (reply_id,) = await tell(stage, peer, ("one", OLD))
    (memory,) = await memories(stage)
    await stage.engine.edit(stage.first, "memory", memory.id, {"text": "My own words."}, memory.revision)
    await stage.engine.edit_turn(stage.first, reply_id, NEW)
    assert await remembered(stage) == "My own words."


async def test_what_was_felt_and_learned_stays_and_only_what_the_memory_is_found_by_goes(
    stage: Stage, peer: Peer
) -> None:
    reply_id = await digest_of(stage, peer, Answer(WARM))
    before = await stage.world()
    assert (await memories(stage))[0].keys
    await stage.engine.edit_turn(stage.first, reply_id, "something else")
    after = await stage.world()
    assert (after.edges, after.activities, after.pins) == (before.edges, before.activities, before.pins)
    assert not (await memories(stage))[0].keys


async def test_a_retry_takes_the_new_words_along(stage: Stage, peer: Peer) -> None:
    first, second = await tell(stage, peer, ("one", OLD), ("two", "due"))
    mine = await latest_user(stage)
    await stage.engine.edit_turn(stage.first, first, NEW)
    await stage.engine.edit_turn(stage.first, mine.id, "two, but kinder")
    peer.script(Reply("tre"))
    third = await stage.engine.retry(stage.first, second)
    await stage.settled(stage.first)
    await stage.digested()
    assert await texts(stage) == ["one", NEW, "two, but kinder", "tre"]
    assert OLD not in asked(peer).text
    assert OLD not in await remembered(stage)
    async with stage.engine.store.reading() as reader:
        turns = await stage.turns()
        found = await views.alternatives(reader, stage.engine.store.library, stage.first, turns)
    assert [one.turn_id for one in found[third]] == [second, third]
    await stage.engine.undo(stage.first)
    assert await texts(stage) == ["one", NEW, "two, but kinder", "due"]
    assert verify(stage.engine.settings) == []


async def test_another_line_keeps_its_own_words(stage: Stage, peer: Peer) -> None:
    first, second = await tell(stage, peer, ("one", OLD), ("two", "due"))
    await stage.engine.rewind(stage.first, first)
    left = stage.engine.store.library.chats[stage.first].branch_id
    await stage.engine.edit_turn(stage.first, first, NEW)
    assert (await texts(stage)) == ["one", NEW]
    branch = (await stage.turn(second)).branch_id
    await stage.engine.select_branch(stage.first, branch)
    assert (await texts(stage))[1] == OLD
    assert OLD in await remembered(stage)
    await stage.engine.select_branch(stage.first, left)
    assert (await texts(stage)) == ["one", NEW]
    assert OLD not in await remembered(stage)


async def test_an_earlier_turn_of_ones_own_leads_on_from_there(stage: Stage, peer: Peer) -> None:
    await tell(stage, peer, (OLD, "uno"), ("two", "due"), ("three", "tre"))
    before = await texts(stage)
    mine = await latest_user(stage, 0)
    peer.script(Reply("quattro"))
    await stage.engine.go_on_from(stage.first, mine.id, NEW)
    await stage.settled(stage.first)
    await stage.digested()
    assert await texts(stage) == [NEW, "quattro"]
    assert OLD not in asked(peer).text
    assert "due" not in asked(peer).text
    assert OLD not in await remembered(stage)
    await stage.engine.undo(stage.first)
    assert await texts(stage) == before
    bot = (await stage.turns())[-1]
    with pytest.raises(Refused):
        await stage.engine.go_on_from(stage.first, bot.id, "Not mine.")


async def test_words_that_others_changed_meanwhile_are_not_overwritten(stage: Stage, peer: Peer) -> None:
    (reply_id,) = await tell(stage, peer, ("one", "uno"))
    await stage.engine.edit_turn(stage.first, reply_id, "due", seen=0)
    with pytest.raises(Stale) as caught:
        await stage.engine.edit_turn(stage.first, reply_id, "tre", seen=0)
    assert caught.value.current == "due"
    async with stage.engine.store.reading() as reader:
        (version,) = (await views.versions(reader, [reply_id]))[reply_id]
    head = stage.engine.store.head
    assert await stage.engine.edit_turn(stage.first, reply_id, "due", seen=version.event_id) == head
    with pytest.raises(BlankText):
        await stage.engine.edit_turn(stage.first, reply_id, "  ")


async def test_only_a_turn_of_this_line_that_has_ended_can_be_changed(stage: Stage, peer: Peer) -> None:
    first, last = await tell(stage, peer, ("one", "uno"), ("two", "due"))
    with pytest.raises(NotFound):
        await stage.engine.edit_turn(stage.second, first, "elsewhere")
    await stage.engine.rewind(stage.first, first)
    with pytest.raises(NotFound):
        await stage.engine.edit_turn(stage.first, last, "gone")
    rest = threading.Event()
    peer.script(Reply("slow slow slow slow", rest=rest))
    await stage.engine.take_turn(stage.first, "three")
    with pytest.raises(TurnRunning):
        await stage.engine.edit_turn(stage.first, first, "now")
    rest.set()
    await stage.settled(stage.first)
