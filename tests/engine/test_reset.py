"""A bot that begins anew in one chat: its prompts, its memories, its feelings, and the way back."""

from __future__ import annotations

import pytest

from chat.domain.memories import Memory
from chat.errors import NotFound, Refused, TurnRunning, ValueRefused
from chat.store.verify import verify
from tests.engine import test_digest
from tests.engine.conftest import Stage, asked
from tests.engine.test_digest import WARM, digest_of
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply

SECRET = "the brass key lies under the third stair"


async def memories(stage: Stage) -> list[Memory]:
    """What Mira keeps of the first chat."""
    return [one for one in await test_digest.memories(stage) if one.chat_id == stage.first]


async def played(stage: Stage, peer: Peer) -> None:
    await digest_of(stage, peer, Answer(WARM), SECRET)
    peer.script(Reply('"I will keep that."'))
    await stage.say("And here something else.", stage.second)
    await stage.digested(stage.second)


async def test_the_next_prompt_knows_the_opening_and_nothing_of_what_came_after(
    stage: Stage, peer: Peer
) -> None:
    await played(stage, peer)
    await stage.engine.reset_bot(stage.mira, [stage.first], "mira")
    peer.script(Reply('"Have we met?"'))
    await stage.say("Hello again.")
    prompt = asked(peer).text
    assert SECRET not in prompt
    assert "The quay smells of tar and rain." in prompt
    assert "And here something else." in prompt  # what it keeps of the other chat
    await stage.digested()
    kept = await memories(stage)
    assert len(kept) == 1
    assert "Hello again." in kept[0].text


async def test_the_story_begins_again_in_a_scene_of_its_own_and_feelings_are_as_at_first(
    stage: Stage, peer: Peer
) -> None:
    before = await stage.world()
    await played(stage, peer)
    assert (await stage.world()).edge(stage.mira, stage.you).affinity != 50
    await stage.engine.reset_bot(stage.mira, [stage.first], "Mira")
    reset = await stage.world()
    assert reset.scene is None
    assert reset.edge(stage.mira, stage.you).affinity == 50
    assert await memories(stage) == []
    await stage.say("Hello again.")
    after = await stage.world()
    assert after.scene
    assert before.scene
    assert after.scene.id != before.scene.id
    assert after.scene.container_id == before.scene.container_id
    assert after.state.clock_at == before.state.clock_at
    said, reply = (await stage.turns())[-2:]
    assert said.scene_id == reply.scene_id == after.scene.id
    assert said.present == before.state.present


async def test_other_chats_keep_everything_and_undo_brings_it_back(stage: Stage, peer: Peer) -> None:
    await played(stage, peer)
    was, kept = await stage.world(), await memories(stage)
    other = await stage.world(stage.second)
    await stage.engine.reset_bot(stage.mira, [stage.first], "Mira")
    assert await stage.world(stage.second) == other
    assert (await stage.engine.undo_steps(stage.first)).undo == "the reset"
    await stage.engine.undo(stage.first)
    assert await memories(stage) == kept
    now = await stage.world()
    assert (now.edges, now.scene, now.activities, now.state.resets) == (
        was.edges,
        was.scene,
        was.activities,
        {},
    )
    await stage.engine.redo(stage.first)
    assert await memories(stage) == []
    await stage.engine.store.checkpoint()
    assert verify(stage.engine.settings) == []


async def test_the_first_words_after_a_reset_can_be_said_in_another_way(stage: Stage, peer: Peer) -> None:
    await played(stage, peer)
    await stage.engine.reset_bot(stage.mira, [stage.first], "Mira")
    reply = await stage.say("Hello again.")
    await stage.digested()
    await stage.engine.retry(stage.first, reply, "Good evening.")
    await stage.settled(stage.first)
    world = await stage.world()
    assert world.scene
    assert (await stage.turns())[-2].text == "Good evening."
    assert (await stage.turns())[-2].scene_id == world.scene.id


async def test_a_reset_in_several_chats_is_one_command_and_each_goes_back_by_itself(
    stage: Stage, peer: Peer
) -> None:
    await played(stage, peer)
    await stage.engine.reset_bot(stage.mira, [stage.first, stage.second], "Mira")
    assert [(await stage.world(one)).scene for one in (stage.first, stage.second)] == [None, None]
    await stage.engine.undo(stage.second)
    assert (await stage.world(stage.second)).scene
    assert (await stage.world(stage.first)).scene is None


async def test_it_is_refused_for_another_name_another_bot_and_while_a_reply_is_written(
    stage: Stage, peer: Peer
) -> None:
    with pytest.raises(ValueRefused, match="not the name"):
        await stage.engine.reset_bot(stage.mira, [stage.first], "Tomas")
    with pytest.raises(Refused, match="No chat is ticked"):
        await stage.engine.reset_bot(stage.mira, [], "Mira")
    with pytest.raises(NotFound):
        await stage.engine.reset_bot(stage.tomas, [stage.first], "Tomas Reed")
    peer.script(Reply("slowly " * 50, pace_s=0.05))
    await stage.engine.take_turn(stage.first, "Wait.")
    with pytest.raises(TurnRunning, match="A story"):
        await stage.engine.reset_bot(stage.mira, [stage.second, stage.first], "Mira")
    assert (await stage.world(stage.second)).state.resets == {}
