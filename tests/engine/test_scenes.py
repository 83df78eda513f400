"""Scenes close at a signal or by the button: the place made, people moved, one memory for each witness."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from chat.domain.events import (
    DigestFinished,
    EntityEntered,
    ModelCallFinished,
    NewEvent,
    SceneClosed,
    story,
)
from chat.domain.scenes import NextPlace
from chat.engine.run import RunStatus
from chat.errors import TurnRunning
from chat.store import views
from chat.store.erase import Wanted
from chat.store.state import Commit, State
from chat.store.verify import verify
from tests.engine.conftest import Stage
from tests.engine.test_digest import DIGEST, digest_of, memories
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Connection, Reply, Status

SCENE = "SceneMemoryAnswer"
LEFT = {
    "scene": {
        "ended": True,
        "why": "left_place",
        "next_place": "the park",
        "next_place_type": "park",
        "moved": ["Mira", "Alex"],
        "cites": [1],
    },
    "significance": 3,
}
KEPT = {
    "memory": "Alex asked about the lamp and Mira let him hold it.",
    "significance": 2,
    "feelings": [{"target": "Alex", "summary": "She begins to trust him."}],
}


async def test_driving_to_the_park_closes_the_scene_and_opens_one_there(stage: Stage, peer: Peer) -> None:
    before = (await stage.world()).scene
    assert before
    await stage.say('"May I hold the lamp?"')
    await stage.digested()
    peer.script(Answer(KEPT), on=SCENE)
    await digest_of(stage, peer, Answer(LEFT), "We drove to the park.")
    world = await stage.world()
    assert world.scene
    assert world.scene.id != before.id
    place = world.place()
    assert place
    assert place.name == "the park"
    assert {one.container_id for one in world.activities.values()} == {place.id}
    assert set(world.state.present) == {stage.mira, stage.you}
    assert world.edge(stage.mira, stage.you).summary == "She begins to trust him."
    kept = await memories(stage)
    scene_memory = next(one for one in kept if one.level == "scene")
    assert scene_memory.text == KEPT["memory"]
    assert [one.consolidated for one in kept if one.level == "turn"] == [True, True]
    assert world.edge(stage.mira, stage.you).facts, "a pivotal moment becomes a fact of the edge"


async def test_a_scene_that_ends_is_closed_with_the_digest_that_saw_it_or_not_at_all(
    stage: Stage, peer: Peer
) -> None:
    commits: list[Commit] = []
    stage.engine.store.on_commit(commits.append)
    minutes = {**LEFT, "minutes": 90, "minutes_cites": [1]}
    before = (await stage.world()).state.clock_at
    await digest_of(stage, peer, Answer(minutes), "We drove to the park.")
    together = next(one for one in commits if any(isinstance(e.data, DigestFinished) for e in one.events))
    closed = [event.data for event in together.events if isinstance(event.data, SceneClosed)]
    assert [one.reason for one in closed] == ["left_place"]
    assert closed[0].at == (await stage.world()).state.clock_at > before, "the minutes count before the close"


async def test_a_witness_is_asked_only_about_what_it_saw(stage: Stage, peer: Peer) -> None:
    await stage.say('"Fine day."\n/think the ruby is under the stairs ((and an aside))')
    await stage.digested()
    peer.script(Answer(KEPT), on=SCENE)
    await stage.engine.close_scene(stage.first, NextPlace())
    asked = peer.bodies()[-1]
    text = "\n".join(message["content"] for message in asked["messages"])
    assert "Fine day." in text
    assert "ruby" not in text
    assert "aside" not in text


async def test_the_button_closes_the_scene_where_it_is(stage: Stage, peer: Peer) -> None:
    await stage.say('"Hello."')
    await stage.digested()
    peer.script(Answer(KEPT), on=SCENE)
    before = await stage.world()
    await stage.engine.close_scene(stage.first, NextPlace())
    world = await stage.world()
    assert world.scene
    assert before.scene
    assert world.scene.id != before.scene.id
    assert world.scene.container_id == before.scene.container_id
    assert (await stage.world(stage.second)).scene == (await stage.world(stage.second)).scene


async def test_with_nobody_named_everybody_comes_along(stage: Stage) -> None:
    await stage.engine.close_scene(stage.first, NextPlace("the cellar", "cellar", (stage.you,)))
    assert set((await stage.world()).state.present) == {stage.mira, stage.you}


async def test_going_back_to_a_place_does_not_make_it_twice(stage: Stage) -> None:
    await stage.engine.close_scene(stage.first, NextPlace("the cellar"))
    await stage.engine.close_scene(stage.first, NextPlace("The Old Quay"))
    world = await stage.world()
    place = world.place()
    assert place
    assert place.name == "the old quay"
    assert len(world.places) == 2


async def test_a_signal_without_a_reason_or_a_line_closes_nothing(stage: Stage, peer: Peer) -> None:
    before = (await stage.world()).scene
    await digest_of(stage, peer, Answer({"scene": {**LEFT["scene"], "cites": [77]}}))  # type: ignore[dict-item]
    await digest_of(stage, peer, Answer({"scene": {**LEFT["scene"], "why": "mood"}}))  # type: ignore[dict-item]
    assert (await stage.world()).scene == before


async def test_a_scene_memory_that_fails_leaves_the_turn_memories_as_they_are(
    stage: Stage, peer: Peer
) -> None:
    await stage.say('"Hello."')
    await stage.digested()
    peer.script(Status(500), Status(500), on=SCENE)
    await stage.engine.close_scene(stage.first, NextPlace())
    assert [(one.level, one.consolidated) for one in await memories(stage)] == [("turn", False)]


async def test_a_scene_is_not_closed_while_a_reply_is_written(stage: Stage, peer: Peer) -> None:
    rest = threading.Event()
    peer.script(Reply("slow slow slow", rest=rest))
    await stage.engine.take_turn(stage.first, "go")
    with pytest.raises(TurnRunning):
        await stage.engine.close_scene(stage.first, NextPlace())
    rest.set()
    await stage.settled(stage.first)


async def test_a_retried_reply_takes_its_scene_change_back(stage: Stage, peer: Peer) -> None:
    before = (await stage.world()).scene
    peer.script(Answer(KEPT), on=SCENE)
    reply_id = await digest_of(stage, peer, Answer(LEFT), "We drove to the park.")
    peer.script(Answer({}), on=DIGEST)
    await stage.engine.retry(stage.first, reply_id)
    await stage.settled(stage.first)
    await stage.digested()
    world = await stage.world()
    assert world.scene == before
    place = world.place()
    assert place
    assert place.name == "the old quay"
    assert not any(one.level == "scene" for one in await memories(stage))


async def test_a_close_costs_one_call_for_each_witness_beyond_the_two_of_its_reply(
    stage: Stage, peer: Peer
) -> None:
    def entered(state: State) -> list[NewEvent]:
        branch, step = (
            state.library.chats[stage.first].branch_id,
            state.world(stage.first).state.head_step + 1,
        )
        return story(stage.first, branch, step, EntityEntered(entity=stage.tomas, at=""))

    await stage.engine.store.execute(entered)
    before = len(peer.bodies())
    peer.script(Answer(KEPT), Answer(KEPT), on=SCENE)
    await digest_of(stage, peer, Answer(LEFT), "We drove to the park.")
    asked = [one.schema_name for one in peer.requests if one.path.endswith("/chat/completions")][before:]
    assert asked == [None, DIGEST, SCENE, SCENE]
    levels = [one.level for one in await memories(stage, stage.tomas)]
    assert "scene" in levels


async def test_when_the_scene_is_remembered_nothing_is_going_on_any_more(stage: Stage) -> None:
    await stage.say('"Hello."')
    await stage.digested()
    await stage.engine.close_scene(stage.first, NextPlace("the cellar"))
    assert stage.engine.status(stage.first) == RunStatus("idle", "")


async def test_work_that_ends_while_a_reply_is_written_is_not_told_of_after_it(
    stage: Stage, peer: Peer
) -> None:
    stage.engine.tell_if_idle(stage.first, "summarizing", "Taking note of what changed.")
    rest = threading.Event()
    peer.script(Reply("slow slow slow", rest=rest))
    reply_id = (await stage.engine.take_turn(stage.first, "go")).reply_id
    stage.engine.tell_if_idle(stage.first, "idle", "")
    await stage.engine.stop_reply(stage.first, reply_id or "")
    rest.set()
    await stage.settled(stage.first)
    await stage.digested()
    assert stage.engine.status(stage.first) == RunStatus("idle", "")


async def being_remembered(stage: Stage, peer: Peer) -> asyncio.Task[Any]:
    """A scene that was closed, while its memory is asked for; what ends once that is there."""
    await stage.say('"Hello."')
    await stage.digested()
    asked = asyncio.Event()
    peer.script(Held(KEPT, asked), on=SCENE)
    closing: asyncio.Task[Any] = asyncio.create_task(
        stage.engine.close_scene(stage.first, NextPlace("the cellar"))
    )
    await asyncio.wait_for(asked.wait(), 20)
    return closing


async def test_a_scene_is_remembered_though_its_close_was_undone_before_that_was_done(
    stage: Stage, peer: Peer
) -> None:
    closing = await being_remembered(stage, peer)
    await stage.engine.undo(stage.first)
    await closing
    assert [one.level for one in await memories(stage)] == ["turn"]
    peer.script(Answer(KEPT), on=SCENE)
    await stage.engine.redo(stage.first)
    await stage.digested()
    assert sorted(one.level for one in await memories(stage)) == ["scene", "turn"]
    await stage.engine.undo(stage.first)
    await stage.engine.redo(stage.first)
    await stage.digested()
    assert sorted(one.level for one in await memories(stage)) == ["scene", "turn"], "it is asked for once"


async def test_a_memory_that_comes_for_a_deleted_chat_is_paid_for_and_kept_nowhere(
    stage: Stage, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    closing = await being_remembered(stage, peer)
    going = stage.engine.store.library.chats[stage.first]
    await stage.engine.erasing.erase(Wanted(chat_ids=(going.id,)), going.title, back_up=False)
    await closing
    async with stage.engine.store.reading() as reader:
        calls = await views.events_of_kinds(reader, 0, (ModelCallFinished.kind,))
    purposes = [one.data.purpose for one in calls if isinstance(one.data, ModelCallFinished)]
    assert purposes.count("scene_memory") == 1
    assert "scene_memory_failed" not in caplog.text
    assert verify(stage.engine.settings) == []


class Held:
    """The answer, a while after somebody was told that it was asked for."""

    def __init__(self, value: Any, asked: asyncio.Event) -> None:
        self._value, self._asked, self._loop = value, asked, asyncio.get_running_loop()

    async def play(self, connection: Connection) -> None:
        self._loop.call_soon_threadsafe(self._asked.set)
        await asyncio.sleep(0.8)
        await Answer(self._value).play(connection)
