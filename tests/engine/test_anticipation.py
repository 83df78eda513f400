"""What is made ready while the player types is what would be read and searched anyway, and never outlives a change."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.domain.events import AssistantTurnStarted
from chat.domain.evidence import Evidence
from chat.domain.scenes import NextPlace
from chat.domain.world import World
from chat.engine.authoring import BotFields, YouFields
from chat.engine.context import HISTORY_TURNS
from chat.errors import StoreError
from chat.settings import load_settings
from chat.store import views
from chat.store.live import Live
from chat.store.reading import Reader
from chat.store.state import Commit, Decide
from tests.engine.conftest import Stage, answer, asked, begin
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply

WORDS = (
    '"The lantern stands in the boathouse." ((remember this))',
    '"My sister Ann sold the lantern."',
    '*I whisper.* "Where does the lantern stand?"',
    '"And who sold it, Ann or Eva?"\n/think Eva did.',
)


async def typed(stage: Stage, text: str, chat_id: str | None = None) -> None:
    """As the page does while the player types."""
    await stage.engine.save_composer_draft(chat_id or stage.first, text)
    await stage.engine.anticipation.wait(chat_id or stage.first)


async def test_a_reply_to_words_that_were_seen_coming_needs_no_reading(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.say('"Good evening."')
    await stage.digested()
    await typed(stage, '"Is the lamp lit?"')

    async def read(_: object) -> None:
        raise AssertionError("The store was read.")

    with monkeypatch.context() as patch:
        patch.setattr(stage.engine.store, "read", read)
        await stage.say('"Is the lamp lit?"')
        await stage.digested()
    assert "Is the lamp lit?" in asked(peer).text
    assert (await stage.turns())[-1].stop_reason == "complete"


async def test_after_a_digest_only_the_words_are_waited_for(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """World and turns are at hand, a few turns were read for them, and nothing was recalled for nobody's words."""
    fact = {"owner": "Mira", "about": "Alex", "text": "Alex likes lamps.", "cites": [1]}
    for number in range(6):
        await stage.say(f'"The lantern number {number} is lit."')
        await stage.digested()
    await stage.engine.anticipation.wait(stage.first)
    limits: list[int] = []
    questions: list[int] = []
    transcript, evidence = views.transcript, views.evidence

    async def read(*asked: Any, limit: int = 50) -> views.Transcript:
        limits.append(limit)
        return await transcript(*asked, limit=limit)

    async def search(*asked: Any) -> Evidence:
        questions.append(len(asked))
        return await evidence(*asked)

    monkeypatch.setattr(views, "transcript", read)
    monkeypatch.setattr(views, "evidence", search)
    peer.script(Answer({"facts": [fact], "weather": "fog", "weather_cites": [1]}), on="DigestAnswer")
    await stage.say('"Which lamp do I like?"')
    await stage.digested()
    await stage.engine.anticipation.wait(stage.first)
    assert max(limits) < HISTORY_TURNS
    assert len(questions) == 1
    limits.clear()
    await typed(stage, '"Which lamp is mine?"')
    assert (limits, len(questions)) == ([], 2)
    await stage.say('"Which lamp is mine?"')
    assert len(questions) == 2
    assert "Which lamp do I like?" in asked(peer).text


async def test_words_that_were_seen_coming_are_stored_with_the_beginning_of_the_reply(stage: Stage) -> None:
    """One commit where the prompt was ready, two where it had to be made; in both chats of the bot."""
    commits: list[list[str]] = []
    stage.engine.store.on_commit(lambda commit: commits.append([event.kind for event in commit.events]))
    for chat_id in (stage.first, stage.second):
        await typed(stage, '"Is the lamp lit?"', chat_id)
        await stage.say('"Is the lamp lit?"', chat_id)
        await stage.digested(chat_id)
        await stage.engine.anticipation.wait(chat_id)
        await stage.say('"And now?"', chat_id)
        await stage.digested(chat_id)
    begun = [kinds for kinds in commits if "assistant_turn_started" in kinds]
    assert begun == [["user_turn", "assistant_turn_started"], ["assistant_turn_started"]] * 2
    turns = await stage.turns()
    assert [turn.reply_to for turn in turns if turn.role == "assistant"][1:] == [
        turn.id for turn in turns if turn.role == "user"
    ]


async def test_what_changes_while_the_words_are_sent_is_in_the_prompt(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change comes before the words to the writer, when the prompt for them has been taken already."""
    await stage.say('"The lantern is in the boathouse."', stage.second)
    await stage.digested(stage.second)
    await stage.engine.anticipation.wait(stage.first)
    await typed(stage, '"Where is the lantern?"')
    async with stage.engine.store.reading() as reader:
        memory = (await views.memories_of(reader, stage.mira, "main"))[0]
    changed = {"text": 'You: "The lantern is in the crypt."', "significance": 2}
    execute = stage.engine.store.execute

    async def after_a_change(
        decide: Decide, *, drop_draft: str | None = None, **how: Callable[[], None] | str
    ) -> Commit:
        if drop_draft:
            await stage.engine.edit(stage.second, "memory", memory.id, changed, memory.revision)
        return await execute(decide, drop_draft=drop_draft, **how)

    monkeypatch.setattr(stage.engine.store, "execute", after_a_change)
    before = len(peer.requests)
    await stage.say('"Where is the lantern?"')
    texts = [one.text for one in peer.requests[before:] if one.method == "POST" and not one.schema_name]
    assert ["crypt" in text for text in texts] == [True]
    assert (await stage.turns())[-1].stop_reason == "complete"


async def test_words_that_cannot_be_stored_get_no_answer(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were seen coming, so the model is asked while the disk is waited for, which turns out to be full."""
    await typed(stage, '"Is the lamp lit?"')
    before, calls = await stage.turns(), len(peer.requests)

    def refuse(_: Live) -> None:
        until = time.monotonic() + 20
        while len(peer.requests) == calls and time.monotonic() < until:
            time.sleep(0.01)
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Live, "_commit", refuse)
        with pytest.raises(StoreError):
            await stage.engine.take_turn(stage.first, '"Is the lamp lit?"')
    assert len(peer.requests) == calls + 1
    assert await stage.turns() == before
    assert stage.engine.runs.get(stage.first) is None
    await stage.say('"Is the lamp lit?"')
    assert [turn.text for turn in (await stage.turns())[len(before) :]] == [
        '"Is the lamp lit?"',
        '*nods* "Mm-hm."',
    ]


@pytest.mark.parametrize("has_them", [False, True], ids=["of a moment before", "of a moment after"])
async def test_words_that_are_stored_while_the_turns_are_read_ahead_are_in_the_prompt_once(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch, has_them: bool
) -> None:
    """What is read ahead is of a moment before or after them, however late it is kept; nobody knows which."""
    engine, has_read, may_go_on = stage.engine, threading.Event(), threading.Event()
    world = views.world

    async def held(reader: Reader, chat_id: str) -> World:
        found = None if has_them else await world(reader, chat_id)
        if not has_read.is_set():
            has_read.set()
            may_go_on.wait(20)
        return found or await world(reader, chat_id)

    engine.store.on_commit(lambda commit: may_go_on.set() if commit.events[0].kind == "user_turn" else None)
    for chat_id, words in ((stage.first, '"Is the lamp lit?"'), (stage.second, '"Is the door shut?"')):
        await stage.say('"Who has the lamp?"', chat_id)
        await stage.digested(chat_id)
        await engine.anticipation.wait(chat_id)
        await engine.rename_chat(chat_id, "Another title")  # what was read before is no more than that
        has_read.clear()
        may_go_on.clear()
        with monkeypatch.context() as patch:
            patch.setattr(views, "world", held)
            engine.anticipation.expect(chat_id)
            assert await asyncio.to_thread(has_read.wait, 20)
            await stage.say(words, chat_id)
        assert asked(peer).text.count(words) == 1
        await stage.digested(chat_id)


async def test_nothing_is_asked_before_the_words_are_written(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking takes the time of the thread that writes: one's own words come first, the answer while they are synced."""
    await stage.say('"Who has the lamp?"')  # what the first call has to load is there
    await stage.digested()
    await typed(stage, '"Is the lamp lit?"')
    calls, asked_when_written, happen = len(peer.requests), list[int](), Live._happen

    def slowly(live: Live, *given: Any) -> Any:
        happened = happen(live, *given)
        time.sleep(0.3)  # for a request that was sent too early to arrive
        asked_when_written.append(len(peer.requests) - calls)
        return happened

    with monkeypatch.context() as patch:
        patch.setattr(Live, "_happen", slowly)
        await stage.say('"Is the lamp lit?"')
    assert asked_when_written[0] == 0
    assert (await stage.turns())[-1].text == '*nods* "Mm-hm."'


async def test_stop_while_the_words_are_stored_drops_the_request_and_notes_the_call(
    stage: Stage, peer: Peer
) -> None:
    engine, stops, kinds = stage.engine, list[asyncio.Task[bool]](), list[str]()

    def stop(commit: Commit) -> None:
        kinds.extend(event.kind for event in commit.events)
        if kinds == ["user_turn", "assistant_turn_started"]:
            run = engine.runs.get(stage.first)
            assert run
            stops.append(asyncio.create_task(engine.stop_reply(stage.first, run.reply_id)))

    await typed(stage, '"Is the lamp lit?"')
    engine.store.on_commit(stop)
    await stage.say('"Is the lamp lit?"')
    assert await asyncio.gather(*stops) == [True]
    turn = (await stage.turns())[-1]
    assert (turn.stop_reason, turn.text) == ("user_stop", "")
    assert kinds.count("model_call_finished") == 1, "it was made all the same, and may cost"
    assert engine.runs.get(stage.first) is None


async def test_other_words_than_the_draft_ask_their_own_question(stage: Stage, peer: Peer) -> None:
    await stage.say('"The lantern is in the boathouse."', stage.second)
    await stage.digested(stage.second)
    await typed(stage, '"Shall we dance?"')
    await stage.say('"Where is the lantern?"')
    assert "boathouse" in asked(peer).text
    assert "dance" not in asked(peer).text


async def test_a_memory_that_changes_after_the_draft_is_told_as_it_is_now(stage: Stage, peer: Peer) -> None:
    await stage.say('"The lantern is in the boathouse."', stage.second)
    await stage.digested(stage.second)
    await typed(stage, '"Where is the lantern?"')
    async with stage.engine.store.reading() as reader:
        memory = (await views.memories_of(reader, stage.mira, "main"))[0]
    changed = {"text": 'You: "The lantern is in the crypt."', "significance": 2}
    await stage.engine.edit(stage.second, "memory", memory.id, changed, memory.revision)
    await stage.say('"Where is the lantern?"')
    assert "crypt" in asked(peer).text
    assert "boathouse" not in asked(peer).text


async def test_what_was_rewound_after_the_draft_is_not_in_the_prompt(stage: Stage, peer: Peer) -> None:
    first = await stage.say('"The password is heron."')
    await stage.digested()
    await stage.say('"Forget it at once."')
    await stage.digested()
    await typed(stage, '"What did I say?"')
    turns = await stage.turns()
    assert first == turns[2].id
    await stage.engine.rewind(stage.first, turns[0].id)
    await stage.say('"What did I say?"')
    assert "heron" not in asked(peer).text


SHORT = {"narrative_soft_tokens": 700, "narrative_hard_tokens": 1400}
"""A budget from which older turns have to go every few turns."""


class Begun:
    """Of each reply that began with the words it answers: whether its prompt had to let go of more turns."""

    def __init__(self) -> None:
        self.ready: list[bool] = []
        self._left_out: dict[str, int] = {}

    def note(self, commit: Commit) -> None:
        for one in commit.events:
            if isinstance(one.data, AssistantTurnStarted):
                gone = len(one.data.manifest["turns_left_out"])
                if commit.events[0].kind == "user_turn":
                    self.ready.append(gone > self._left_out.get(one.stream, 0))
                self._left_out[one.stream] = gone


@pytest.mark.parametrize("budget", [{}, SHORT], ids=["roomy", "short"])
async def test_a_story_typed_and_a_story_posted_ask_the_model_for_the_same(
    tmp_path: Path, budget: dict[str, int]
) -> None:
    """The same turns in two programs, two chats of one bot in each; only in one of them are drafts kept."""
    begun = Begun()

    async def told(folder: Path, *, is_typed: bool) -> list[str]:
        with Peer(default=answer) as peer:
            connection = {"base_url": peer.base_url, "narrative_model": "peer-model"}
            settings = load_settings(data_dir=folder, connection=connection, budget=budget)
            async with running_engine(settings, Clock()) as engine:
                engine.store.on_commit(begun.note)
                you = await engine.author_you(None, YouFields(name="Alex"))
                mira = await engine.author_bot(None, BotFields(name="Mira", persona="keeps the lighthouse"))
                chats = [await begin(engine, mira, you), await begin(engine, mira, you)]
                stage = Stage(engine, you, mira, mira, *chats)
                for number, text in enumerate(WORDS * 3):
                    chat_id = chats[number % 3 % 2]
                    peer.script(Reply(f'*nods* "So it is, {number}." {"Rain falls on the roof. " * 12}'))
                    if is_typed:
                        await typed(stage, text[: len(text) // 2], chat_id)
                        await typed(stage, text, chat_id)
                    await stage.say(text, chat_id)
                    await stage.digested(chat_id)
                    if number % 4 == 3:
                        memory = {"memory": f"The lamp went out {number} times.", "significance": 1}
                        peer.script(Answer(memory), on="SceneMemoryAnswer")
                        await engine.close_scene(chat_id, NextPlace())
                    await engine.anticipation.wait(chat_id)
                return [one.text for one in peer.requests if one.method == "POST" and not one.schema_name]

    posted = await told(tmp_path / "posted", is_typed=False)
    assert not begun.ready
    assert await told(tmp_path / "typed", is_typed=True) == posted
    assert len(posted) == 3 * len(WORDS)
    assert ("lived through earlier" in posted[-1]) == bool(budget)
    assert set(begun.ready) == ({False, True} if budget else {False})
