"""What a kill left undone is found in the log and done at the next start, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.domain import chats, exchange
from chat.domain.events import NewEvent
from chat.domain.history import RETRY
from chat.domain.scenes import NextPlace
from chat.domain.segments import parse_segments
from chat.engine import scenes
from chat.engine.digest import Digests
from chat.engine.engine import Engine
from chat.engine.turn import unstarted
from chat.settings.schema import Settings
from chat.store import views
from chat.store.state import State
from tests.engine.conftest import Stage, begin
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply


@asynccontextmanager
async def on_stage(settings: Settings) -> AsyncIterator[Stage]:
    """The program on the same folder, with two chats of one bot the first time."""
    async with running_engine(settings, Clock()) as engine:
        library = engine.store.library
        you, bot_id = library.default_person(), next(iter(library.bots))
        assert you
        if not library.chats:
            for _ in range(2):
                await begin(engine, bot_id, you.id)
        first, second = list(engine.store.library.chats)[:2]
        yield Stage(engine, you.id, bot_id, bot_id, first, second)


async def only_say(engine: Engine, chat_id: str, text: str) -> None:
    """The player's words as they stand in the log when the program is killed right after them."""

    def said(state: State) -> list[NewEvent]:
        chat = state.library.chats[chat_id]
        moment = exchange.next_moment(state.world(chat_id), chat)
        return exchange.say(chat, moment, engine.clock.new_id(), text, parse_segments(text), "key-1")

    await engine.store.execute(said)


async def test_words_whose_reply_never_began_get_one_that_can_be_retried(
    settings: Settings, peer: Peer
) -> None:
    async with on_stage(settings) as stage:
        await only_say(stage.engine, stage.first, "Are you there?")
    async with on_stage(settings) as stage:
        said, reply = (await stage.turns())[-2:]
        assert (said.text, reply.reply_to) == ("Are you there?", said.id)
        assert (reply.error_code, reply.text, reply.truncated) == ("interrupted", "", True)
        assert not (await stage.turns(stage.second))[-1].error_code, (
            "the other chat has nothing to do with it"
        )
        again = await stage.engine.take_turn(stage.first, "Are you there?", "key-1")
        assert (again.turn_id, again.reply_id, again.repeated) == (said.id, reply.id, True)
        await stage.engine.retry(stage.first, reply.id)
        await stage.settled(stage.first)
        assert [turn.text for turn in (await stage.turns())[-2:]] == ["Are you there?", '*nods* "Mm-hm."']
    async with on_stage(settings) as stage:
        assert (await stage.turns())[-1].error_code == "", "nothing is left to do"


async def test_a_retry_whose_reply_never_began_is_closed_on_its_own_branch(settings: Settings) -> None:
    async with on_stage(settings) as stage:
        reply_id = await stage.say("Once more.")
        step = (await stage.turn(reply_id)).step

        def forked(state: State) -> list[NewEvent]:
            chat = state.library.chats[stage.first]
            return chats.fork(chat, stage.engine.clock.new_id(), chat.branch_id, step - 1, RETRY)

        await stage.engine.store.execute(forked)
    async with on_stage(settings) as stage:
        reply = (await stage.turns())[-1]
        assert (reply.error_code, reply.step) == ("interrupted", step)
        assert reply.id != reply_id
        await stage.engine.undo(stage.first)
        assert (await stage.turns())[-1].id == reply_id


async def test_asides_and_going_back_on_purpose_wait_for_no_reply(settings: Settings) -> None:
    async with on_stage(settings) as stage:
        await stage.say("First.")
        await stage.say("Second.")
        said = (await stage.turns())[-4]
        await stage.engine.rewind(stage.first, said.id)
        await only_say(stage.engine, stage.second, "((only an aside))")
    async with on_stage(settings) as stage:
        assert (await stage.turns())[-1].id == said.id
        assert (await stage.turns(stage.second))[-1].text == "((only an aside))"


async def test_every_reply_a_digest_still_reaches_is_worked_out_at_the_next_start(
    settings: Settings, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Digests, "start", lambda *args: None)
        async with on_stage(settings) as stage:
            replies = [await stage.say(f"I brought {what}.") for what in ("oil", "bread", "salt")]
            stray = await stage.engine.retry(stage.first, replies[-1])
            await stage.settled(stage.first)
    felt = {"feelings": [{"source": "Mira Vale", "target": "You", "affinity": 2, "cites": [1]}]}
    peer.script(*[Answer(felt)] * 3, on="DigestAnswer")
    async with on_stage(settings) as stage:
        await stage.digested()
        outcomes = [(await stage.turn(one)).digest_outcome for one in (*replies, stray)]
        assert outcomes == ["late", "late", "", "ok"], "an alternative that is not shown changes nothing"
        assert (await stage.world()).edge(stage.mira, stage.you).affinity == 56


async def test_a_scene_that_was_closed_is_put_into_memory_at_the_next_start_once(
    settings: Settings, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*args: object) -> None:
        return None

    with monkeypatch.context() as patch:
        patch.setattr(scenes, "remember", killed)
        async with on_stage(settings) as stage:
            await stage.say('"Hello."')
            await stage.digested()
            await stage.engine.close_scene(stage.first, NextPlace())
    peer.script(Answer({"memory": "They said hello.", "significance": 1}), on="SceneMemoryAnswer")
    for _ in range(2):
        async with on_stage(settings) as stage:
            await stage.digested()
            async with stage.engine.store.reading() as reader:
                kept = await views.memories_of(reader, stage.mira, "main")
            assert sorted((one.level, one.consolidated) for one in kept) == [("scene", False), ("turn", True)]
    assert sum(one.schema_name == "SceneMemoryAnswer" for one in peer.requests) == 1


async def test_a_scene_memory_that_was_kept_meanwhile_is_not_kept_twice(stage: Stage, peer: Peer) -> None:
    await stage.say('"Hello."')
    await stage.digested()
    answers = [Answer({"memory": f"Hello, number {n}.", "significance": 1}) for n in range(2)]
    peer.script(*answers, on="SceneMemoryAnswer")
    world = await stage.world()
    assert world.scene
    branch_id = stage.engine.store.library.chats[stage.first].branch_id
    at = (stage.engine, stage.first, world.scene.id, branch_id, world.state.head_step)
    await asyncio.gather(scenes.remember(*at), scenes.remember(*at))
    async with stage.engine.store.reading() as reader:
        kept = await views.memories_of(reader, stage.mira, "main")
    assert [one.level for one in kept].count("scene") == 1


async def test_text_is_in_the_journal_soon_after_it_came_although_no_more_follows(
    stage: Stage, peer: Peer, settings: Settings
) -> None:
    words = [f"word{number} " for number in range(30)]
    peer.script(Reply(pieces=words, stall_after=30))
    accepted = await stage.engine.take_turn(stage.first, "Say it all at once.")
    journal: Path = settings.running_dir / f"{accepted.reply_id}.txt"
    for _ in range(1000):
        await asyncio.sleep(0.02)
        if journal.exists() and journal.read_text("utf-8") == "".join(words):
            break
    assert journal.read_text("utf-8") == "".join(words)
    assert (await stage.turns())[-1].is_running
    await stage.engine.stop_reply(stage.first, accepted.reply_id or "")
    assert not journal.exists()


async def begun_and_left(stage: Stage) -> str:
    """A reply that the log says began, and no more, as a kill leaves it; returns its turn id."""
    engine, chat_id = stage.engine, stage.first
    reply_id = engine.clock.new_id()
    await only_say(engine, chat_id, "Are you there?")

    def begun(state: State) -> list[NewEvent]:
        chat = state.library.chats[chat_id]
        moment = exchange.next_moment(state.world(chat_id), chat)
        return unstarted(chat_id, moment, reply_id, chat.bot_ids[0], None)

    await engine.store.execute(begun, caused_by=reply_id)
    return reply_id


async def test_a_text_that_cannot_be_read_now_comes_when_it_can(settings: Settings) -> None:
    """A failed read never leads to a write: the reply is closed without it, and the file stays where it is."""
    async with on_stage(settings) as stage:
        reply_id = await begun_and_left(stage)
    unreadable = settings.running_dir / f"{reply_id}.txt"
    unreadable.mkdir()
    async with on_stage(settings) as stage:
        reply = await stage.turn(reply_id)
        assert (reply.error_code, reply.text) == ("interrupted", "")
    assert unreadable.exists()
    unreadable.rmdir()
    unreadable.write_text('*nods* "I am he', "utf-8")
    for _ in range(2):
        async with on_stage(settings) as stage:
            reply = await stage.turn(reply_id)
            assert reply.text == '*nods* "I am he'
            assert not unreadable.exists()
            told = await stage.turns()
    assert [turn.text for turn in told].count('*nods* "I am he') == 1


async def test_the_file_of_a_reply_that_was_put_into_other_words_stays(settings: Settings) -> None:
    """Whoever wrote something there meant it; and the words nobody has seen are not thrown away for it."""
    async with on_stage(settings) as stage:
        reply_id = await begun_and_left(stage)
    left = settings.running_dir / f"{reply_id}.txt"
    left.mkdir()
    async with on_stage(settings) as stage:
        await stage.engine.edit_turn(stage.first, reply_id, "She says nothing.")
    left.rmdir()
    left.write_text("Something else", "utf-8")
    async with on_stage(settings) as stage:
        assert (await stage.turn(reply_id)).text == "She says nothing."
        assert left.read_text("utf-8") == "Something else"


async def test_an_aside_that_was_made_into_words_waits_for_no_reply_and_a_start_adds_none(
    settings: Settings,
) -> None:
    async with on_stage(settings) as stage:
        await stage.engine.take_turn(stage.first, "((back in a minute))")
        aside = (await stage.turns())[-1]
        await stage.engine.edit_turn(stage.first, aside.id, "I am back.")
        told, steps = await stage.turns(), await stage.engine.undo_steps(stage.first)
    async with on_stage(settings) as stage:
        assert await stage.turns() == told
        assert await stage.engine.undo_steps(stage.first) == steps
        await stage.engine.retry(stage.first, aside.id)
        await stage.settled(stage.first)
        assert [turn.text for turn in (await stage.turns())[-2:]] == ["I am back.", '*nods* "Mm-hm."']
