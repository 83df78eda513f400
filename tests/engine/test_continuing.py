"""A reply written on: one text, one memory, a step of its own, and nothing lost whatever the server does."""

from __future__ import annotations

import asyncio

import pytest

from chat.domain.events import ContinuationStarted, story
from chat.domain.turns import Turn
from chat.errors import NotFound, Refused, TurnRunning
from chat.settings.schema import Settings
from chat.store import views
from chat.store.verify import verify
from tests.engine.conftest import Stage, asked
from tests.engine.test_digest import DIGEST, WARM, memories
from tests.engine.test_recovery import on_stage
from tests.engine.test_timeline import tell, texts
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply, Status

PART, REST = "*turns to the", " window* The rain has stopped."


async def cut_off(stage: Stage, peer: Peer, text: str = PART) -> Turn:
    """A reply that its length cut off, with its digest done."""
    peer.script(Reply(text, finish="length"))
    reply_id = await stage.say('"What is it?"')
    await stage.digested()
    return await stage.turn(reply_id)


async def write_on(stage: Stage, reply_id: str) -> Turn:
    await stage.engine.continue_reply(stage.first, reply_id)
    await stage.settled(stage.first)
    await stage.digested()
    return await stage.turn(reply_id)


def roles(peer: Peer) -> list[str]:
    return [one["role"] for one in asked(peer).body["messages"]]


async def test_a_reply_that_was_cut_goes_on_as_one_text_with_one_memory(stage: Stage, peer: Peer) -> None:
    reply = await cut_off(stage, peer)
    first = asked(peer).body["messages"]
    peer.script(Reply(REST))
    whole = await write_on(stage, reply.id)
    assert (whole.text, whole.truncated, whole.stop_reason) == (PART + REST, False, "complete")
    assert (whole.step, whole.id) == (reply.step, reply.id)
    assert next(one.kind for one in whole.segments if one.text.strip()) == "action"
    last = asked(peer).body["messages"]
    assert last[-1] == {"role": "assistant", "content": PART}
    assert last[0] == first[0]
    assert [one.text for one in await memories(stage)] == [f'Alex: "What is it?"\nMira: {PART}{REST}']
    await stage.engine.undo(stage.first)
    assert (await texts(stage))[-1] == PART
    assert (await memories(stage))[0].text.endswith(PART)
    await stage.engine.redo(stage.first)
    assert (await texts(stage))[-1] == PART + REST
    await tell(stage, peer, ("And then?", "uno"))
    assert PART + REST in asked(peer).text
    assert verify(stage.engine.settings) == []


async def test_only_what_was_added_is_worked_out_and_counts_once(stage: Stage, peer: Peer) -> None:
    peer.script(Answer(WARM), on=DIGEST)
    reply = await cut_off(stage, peer)
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 55
    peer.script(Reply(REST))
    peer.script(
        Answer({**WARM, "facts": [], "feelings": [{**WARM["feelings"][0], "affinity": 3}]}), on=DIGEST
    )
    await write_on(stage, reply.id)
    question = [one for one in peer.requests if one.schema_name == DIGEST][-1].body["messages"][-1]["content"]
    assert "The rain has stopped." in question
    assert "What is it?" not in question.split("<lines>")[1]
    assert "turns to the" not in question.split("<lines>")[1]
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 58
    assert (await memories(stage))[0].keys
    await stage.engine.undo(stage.first)
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 55
    assert (await stage.turn(reply.id)).digest_outcome == "ok"


async def test_a_stopped_reply_goes_on_and_can_be_stopped_again(stage: Stage, peer: Peer) -> None:
    peer.script(Reply(pieces=["One. ", "Two. ", *["More. "] * 200], pace_s=0.02))
    accepted = await stage.engine.take_turn(stage.first, "go")
    reply_id = accepted.reply_id or ""
    while not (now := stage.engine.running_reply(stage.first)) or not now.text:
        await asyncio.sleep(0.01)
    await stage.engine.stop_reply(stage.first, reply_id)
    await stage.digested()
    before = (await stage.turn(reply_id)).text
    peer.script(Reply(pieces=[" And", *[" on"] * 200], pace_s=0.02))
    await stage.engine.continue_reply(stage.first, reply_id)
    while (now := stage.engine.running_reply(stage.first)) and "on" not in now.text[len(before) :]:
        await asyncio.sleep(0.01)
    with pytest.raises(TurnRunning):
        await stage.engine.edit_turn(stage.first, reply_id, "meanwhile")
    await stage.engine.stop_reply(stage.first, reply_id)
    await stage.digested()
    after = await stage.turn(reply_id)
    assert after.text.startswith(f"{before} And on")
    assert (after.stop_reason, after.truncated) == ("user_stop", True)


async def test_a_server_that_refuses_a_text_to_complete_is_told_in_words_from_then_on(
    stage: Stage, peer: Peer
) -> None:
    reply = await cut_off(stage, peer)
    refusal = {"error": {"message": "Expected the last role to be user, but got assistant."}}
    peer.script(Status(400, refusal), Reply("window* The rain has stopped."))
    whole = await write_on(stage, reply.id)
    assert whole.text == PART + REST
    assert roles(peer)[-2:] == ["assistant", "user"]
    async with stage.engine.store.reading() as reader:
        calls = await views.calls(reader, turn_id=reply.id)
    assert [one.status for one in calls if one.purpose == "narrate"] == ["ok", "failed", "ok"]
    count = len(peer.requests)
    peer.script(Reply("It is quiet."))
    whole = await write_on(stage, reply.id)
    assert whole.text == f"{PART}{REST}\n\nIt is quiet."
    assert len([one for one in peer.requests[count:] if not one.schema_name]) == 1


async def test_words_that_stand_there_already_are_not_told_twice(stage: Stage, peer: Peer) -> None:
    reply = await cut_off(stage, peer)
    peer.script(Reply(pieces=["*turns", " to", " the", " window* The rain", " has stopped."]))
    assert (await write_on(stage, reply.id)).text == PART + REST


async def test_a_continuation_that_fails_leaves_the_text_and_says_so(stage: Stage, peer: Peer) -> None:
    reply = await cut_off(stage, peer)
    peer.script(Status(401, {"error": {"message": "Incorrect API key provided."}}))
    failed = await write_on(stage, reply.id)
    assert (failed.text, failed.stop_reason, failed.truncated) == (PART, "error", True)
    assert failed.error_message
    peer.script(Reply(PART))
    silent = await write_on(stage, reply.id)
    assert (silent.text, silent.error_message) == (PART, "Mira had nothing to add.")
    peer.script(Reply(REST))
    assert (await write_on(stage, reply.id)).text == PART + REST


async def test_only_the_latest_reply_with_words_can_be_written_on(stage: Stage, peer: Peer) -> None:
    first, last = await tell(stage, peer, ("one", "uno"), ("two", "due"))
    opening, mine = (await stage.turns())[0], (await stage.turns())[1]
    for turn_id in (first, mine.id, opening.id):
        with pytest.raises(Refused):
            await stage.engine.continue_reply(stage.first, turn_id)
    with pytest.raises(NotFound):
        await stage.engine.continue_reply(stage.second, last)
    assert stage.engine.runs.get(stage.first) is None


async def test_a_killed_continuation_keeps_what_had_come(settings: Settings, peer: Peer) -> None:
    async with on_stage(settings) as stage:
        reply = await cut_off(stage, peer)
        how = {"endpoint": "peer", "model": "peer-model", "seed": 1, "prompt_hash": "", "manifest": {}}
        branch = stage.engine.store.library.chats[stage.first].branch_id
        begun = story(stage.first, branch, reply.step + 1, ContinuationStarted(turn_id=reply.id, **how))
        await stage.engine.store.execute(lambda state: begun)
        stage.engine.store.reply_journal(reply.id).append(f"{PART} window")
    async with on_stage(settings) as stage:
        kept = await stage.turn(reply.id)
        assert (kept.text, kept.error_code, kept.truncated) == (f"{PART} window", "interrupted", True)
        assert (await memories(stage))[0].text.endswith(f"{PART} window")
        await stage.digested()
        peer.script(Reply("* Rain."))
        assert (await write_on(stage, reply.id)).text == f"{PART} window* Rain."
    assert verify(settings) == []
