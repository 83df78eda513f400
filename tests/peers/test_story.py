"""Whole turns with their notes against llama.cpp's own server: the model babbles, the story stays whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.domain.ledger import ModelCall
from chat.domain.scenes import NextPlace
from chat.engine.authoring import BotFields, YouFields
from chat.engine.engine import Engine
from chat.settings import load_settings
from chat.settings.schema import Settings
from chat.store import quarantine, views
from chat.store.verify import verify
from tests.engine.conftest import Stage, begin
from tests.support.llama_server import llama_server

pytestmark = pytest.mark.peers
LONG = 4_000


FINISHES, BABBLES = 0.2, 0.0005
"""How likely the model ends a string: one answers every question in shape, the other is cut in the middle."""


@pytest.fixture(params=[FINISHES, BABBLES], ids=["finishes its notes", "babbles"])
def quote(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture
def origin(tmp_path: Path, quote: float) -> Iterator[str]:
    with llama_server(tmp_path, context=16_384, reads_prompts=True, quote=quote) as origin:
        yield origin


@pytest.fixture
def settings(tmp_path: Path, origin: str) -> Settings:
    connection = {"base_url": f"{origin}/v1", "narrative_model": "tiny", "temperature": 1.0}
    timeouts = {"first_token_s": 60, "between_tokens_s": 60, "classifier_s": 60, "digest_wait_s": 60}
    return load_settings(data_dir=tmp_path / "data", connection=connection, timeouts=timeouts)


async def staged(engine: Engine) -> Stage:
    you = await engine.author_you(None, YouFields(name="Alex", persona="secretly a spy"))
    mira = await engine.author_bot(None, BotFields(name="Mira", persona="keeps the lighthouse"))
    tomas = await engine.author_bot(None, BotFields(name="Tomas", persona="drives the ferry"))
    return Stage(engine, you, mira, tomas, await begin(engine, mira, you), await begin(engine, tomas, you))


async def calls_of(engine: Engine, turn_id: str) -> list[ModelCall]:
    async with engine.store.reading() as reader:
        return await views.calls(reader, turn_id=turn_id)


async def test_ten_turns_with_their_notes_a_stop_a_retry_and_a_restart_leave_a_sound_story(
    settings: Settings, quote: float
) -> None:
    async with running_engine(settings, Clock()) as engine:
        stage = await staged(engine)
        replies = []
        for number in range(10):
            chat_id = stage.second if number == 4 else stage.first
            replies.append(await stage.say(f'*lifts the lantern* "The river is cold, {number}."', chat_id))
            await stage.digested(chat_id)
        told = [await stage.turn(one) for one in replies]
        replies = [one.id for one in told if one.text]  # a random model may end before its first word
        assert len(replies) > 5
        outcomes = {one.digest_outcome for one in told if one.text}
        assert outcomes <= ({"ok"} if quote == FINISHES else {"partial", "failed"})
        for reply_id in replies:
            narrated, *noted = sorted(
                await calls_of(engine, reply_id), key=lambda one: one.purpose, reverse=True
            )
            assert (narrated.purpose, narrated.status) == ("narrate", "ok")
            assert narrated.first_token_ms is not None
            assert narrated.first_token_ms < narrated.duration_ms
            assert {one.purpose for one in noted} == {"digest"}
        kept = {case.turn_id for case in quarantine.cases(settings.quarantine_dir)}
        assert kept == (set() if quote == FINISHES else set(replies))

        await stage.engine.close_scene(stage.first, NextPlace("the tower", "tower"))
        place = (await stage.world()).place()
        assert place
        assert place.name == "the tower"

        stopped = await stop_in_the_middle(stage)
        await written_on(stage, stopped)
        retried = await engine.retry(stage.first, stopped)
        await stage.settled(stage.first)
        await stage.digested()
        turns = [turn.id for turn in await stage.turns()]
        assert turns[-1] == retried
        assert stopped not in turns
        before = [(turn.id, turn.text) for turn in await stage.turns()], await stage.world()

    assert verify(settings) == []
    async with running_engine(settings, Clock()) as engine:
        again = Stage(engine, stage.you, stage.mira, stage.tomas, stage.first, stage.second)
        assert ([(turn.id, turn.text) for turn in await again.turns()], await again.world()) == before
        await again.say('"Are you still there?"')
        await again.digested()
    assert verify(settings) == []


async def written_on(stage: Stage, reply_id: str) -> None:
    """The server takes the reply as it is and goes on with it, or says at once that it is whole."""
    before = (await stage.turn(reply_id)).text
    await stage.engine.continue_reply(stage.first, reply_id)
    await stage.settled(stage.first)
    await stage.digested()
    grown = await stage.turn(reply_id)
    assert grown.text.startswith(before)
    assert len(grown.text) > len(before) or grown.error_code == "empty_reply"
    assert not stage.engine.instructed
    assert [one.status for one in await calls_of(stage.engine, reply_id) if one.purpose == "narrate"][1:]


async def stop_in_the_middle(stage: Stage) -> str:
    """A long reply, stopped once some of it has arrived; returns its turn."""
    engine = stage.engine
    usual, endless = (
        engine.settings,
        engine.settings.connection.model_copy(update={"reply_tokens": LONG, "temperature": 2.0}),
    )
    engine.settings = usual.model_copy(update={"connection": endless})
    for _ in range(60):
        accepted = await engine.take_turn(stage.first, '"Tell me everything."')
        assert accepted.reply_id
        while (running := engine.running_reply(stage.first)) is not None and not running.text:
            await asyncio.sleep(0.001)
        await engine.stop_reply(stage.first, accepted.reply_id)
        await stage.settled(stage.first)
        await stage.digested()
        if (await stage.turn(accepted.reply_id)).stop_reason == "user_stop":
            break  # else it ended by itself at that very moment
    engine.settings = usual
    reply = await stage.turn(accepted.reply_id)
    assert (reply.stop_reason, reply.truncated) == ("user_stop", True)
    assert reply.text
    return accepted.reply_id
