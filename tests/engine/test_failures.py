"""Whatever the model's server does, the player's words stay, the reply says why in a sentence, and Retry works."""

from __future__ import annotations

import asyncio
import threading

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.engine.engine import Engine
from chat.errors import NotFound, Refused, TurnRunning
from chat.settings.schema import Settings
from chat.store import views
from tests.engine.conftest import Stage, asked, begin
from tests.support.peer import Peer
from tests.support.peer_acts import Act, HangUp, Raw, Reply, Silence, Status, delta, event

FAULTS: list[tuple[str, list[Act]]] = [
    ("auth", [Status(401, {"error": {"message": "bad key sk-canary-0123456789"}})]),
    ("payment", [Status(402)]),
    ("model_not_found", [Status(404, {"error": {"message": "no such model"}})]),
    ("rate_limited", [Status(429, retry_after="900")]),
    ("unavailable", [Status(500)] * 3),
    ("model_loading", [Status(503, {"error": {"message": "Loading model", "code": 503}})] * 3),
    (
        "context_too_long",
        [Status(400, {"error": {"code": "context_length_exceeded", "message": "too long"}})],
    ),
    ("unavailable", [HangUp()] * 3),
    ("timed_out", [Silence()]),
    ("empty_reply", [Reply("")]),
    ("busy", [Status(503)] * 3),
    ("rate_limited", [Status(429)] * 3),
    ("declined", [Reply("I'm sorry, but I can't assist with that request.")]),
    ("declined", [Raw([event(delta(refusal="No.")), event(delta(finish="stop"))])]),
    ("held_back", [Reply("Once", finish="content_filter")]),
    ("thoughts_only", [Reply("", reasoning="hmm")]),
]


@pytest.mark.parametrize(("code", "acts"), FAULTS, ids=[f"{code}-{n}" for n, (code, _) in enumerate(FAULTS)])
async def test_a_failing_server_costs_no_words_and_retry_works(
    stage: Stage, peer: Peer, code: str, acts: list[Act]
) -> None:
    peer.script(*acts)
    if code == "timed_out":
        stage.limits(first_token_s=1.0)
    failed_id = await stage.say("do you hear me?")
    stage.limits(first_token_s=30.0)
    failed = (await stage.turns())[-1]
    assert (failed.id, failed.stop_reason, failed.error_code) == (failed_id, "error", code)
    assert len(failed.error_message) > 20
    assert failed.error_next_step.endswith(".")
    assert "canary" not in failed.error_message
    assert (await stage.turns())[-2].text == "do you hear me?"
    peer._scripts.clear()
    again = await stage.engine.retry(stage.first, failed_id)
    await stage.settled(stage.first)
    turns = await stage.turns()
    assert [turn.text for turn in turns][-2:] == ["do you hear me?", '*nods* "Mm-hm."']
    assert (turns[-1].id, turns[-1].error_code) == (again, "")
    assert "do you hear me?" in asked(peer).text


async def test_a_stream_cut_in_the_middle_keeps_the_partial_text(stage: Stage, peer: Peer) -> None:
    peer.script(Reply("The tide comes in and", finish=None, done=False))
    await stage.say("go on")
    reply = (await stage.turns())[-1]
    assert reply.text == "The tide comes in and"
    assert (reply.truncated, reply.error_code) == (True, "unavailable")


async def test_a_retried_reply_leaves_nothing_of_the_one_before(stage: Stage, peer: Peer) -> None:
    peer.script(Reply("I hid the key under the blue stone."), Reply("I know nothing of a key."))
    first = await stage.say("where is the key?")
    await stage.engine.retry(stage.first, first)
    await stage.settled(stage.first)
    async with stage.engine.store.reading() as reader:
        memories = await views.memories_of(reader, stage.mira, "main")
    assert not any("blue stone" in memory.text for memory in memories)
    await stage.say("the key, the stone, tell me")
    assert "blue stone" not in asked(peer).text


async def test_only_the_latest_reply_of_this_chat_can_be_retried(stage: Stage) -> None:
    first = await stage.say("one")
    last = await stage.say("two")
    with pytest.raises(Refused):
        await stage.engine.retry(stage.first, first)
    with pytest.raises(NotFound):
        await stage.engine.retry(stage.second, last)


async def test_retry_while_a_reply_runs_is_refused(stage: Stage, peer: Peer) -> None:
    first = await stage.say("one")
    rest = threading.Event()
    peer.script(Reply("slow slow slow slow", rest=rest))
    await stage.engine.take_turn(stage.first, "two")
    with pytest.raises(TurnRunning):
        await stage.engine.retry(stage.first, first)
    rest.set()
    await stage.settled(stage.first)


async def test_words_after_a_failed_reply_are_remembered_with_the_next_one(stage: Stage, peer: Peer) -> None:
    peer.script(Status(401))
    await stage.say("my name is on the ledger")
    await stage.say("are you there now?")
    async with stage.engine.store.reading() as reader:
        latest = (await views.memories_of(reader, stage.mira, "main"))[0]
    assert "my name is on the ledger" in latest.text
    assert "are you there now?" in latest.text


async def test_a_server_that_stops_while_replying_keeps_the_partial_reply(
    settings: Settings, peer: Peer
) -> None:
    peer.script(Reply(" ".join(["word"] * 400), pace_s=0.02))
    async with running_engine(settings, Clock()) as engine:
        you = engine.store.library.default_person()
        assert you
        bot_id = next(iter(engine.store.library.bots))
        chat_id = await begin(engine, bot_id, you.id)
        accepted = await engine.take_turn(chat_id, "tell me a long story")
        while not (running := engine.running_reply(chat_id)) or len(running.text) < 20:
            await asyncio.sleep(0.01)
    async with running_engine(settings, Clock()) as engine:
        reply = await _turn(engine, accepted.reply_id)
        assert reply.text.startswith("word word")
        assert (reply.error_code, reply.truncated, reply.is_running) == ("interrupted", True, False)
        await engine.retry(chat_id, reply.id)
        run = engine.runs.get(chat_id)
        assert run
        assert run.task
        await run.task


async def _turn(engine: Engine, turn_id: str | None) -> views.story.Turn:
    assert turn_id
    async with engine.store.reading() as reader:
        found = await views.turn(reader, turn_id)
    assert found
    return found
