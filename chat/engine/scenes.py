"""Closing a scene: at a signal in the story or by the player's button; then each witness keeps one memory of it.

The close itself is one command and moves the story at once. The memories are asked for afterwards, one call for each
witness over what that witness saw, and take the step of the close, whenever they come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from chat.domain import chats, scenes
from chat.domain.digest import lines_of, witnessed_by
from chat.domain.edits import check_length
from chat.domain.events import (
    EdgeSummarySet,
    EdgeUpdate,
    MemoriesConsolidated,
    MemoryWritten,
    NewEvent,
    SceneClosed,
    StoryPayload,
    ledger,
    story,
)
from chat.domain.lineage import is_visible
from chat.domain.memories import SIGNIFICANCE_MAX, Memory
from chat.domain.people import is_you
from chat.domain.pins import pins_after
from chat.domain.scenes import NextPlace, Scene
from chat.domain.turns import Turn
from chat.domain.world import World
from chat.engine.budgets import scene_tokens
from chat.engine.calls import call_finished
from chat.engine.hearing import count
from chat.engine.quarantine import quarantined
from chat.errors import ChatError, TurnRunning
from chat.llm.calls import ClassifyRequest
from chat.llm.structured import CallLog
from chat.observe import get_logger
from chat.prompts.answers import SceneAnswer, SceneMemoryAnswer
from chat.prompts.scene import scene_messages
from chat.store import views
from chat.store.state import Commit, State

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)
ANSWER_TOKENS = 600
FACT_CHARS = 240


class Closed(NamedTuple):
    """A scene, and where on which branch it closed."""

    scene_id: str
    branch_id: str
    step: int


def by_signal(
    world: World,
    exchange: Sequence[Turn],
    signal: SceneAnswer,
    ids: dict[str, str],
    new_id: Callable[[], str],
) -> list[StoryPayload]:
    """The close of the scene when the digest saw it end, nothing otherwise.

    What it cites must have been witnessed by everybody there, as all of them see where the story goes on.
    """
    reply = exchange[-1]
    is_told = signal.ended and signal.why and witnessed_by(reply.present, lines_of(exchange), signal.cites)
    is_here = world.scene is not None and world.scene.id == reply.scene_id
    if not is_told or not is_here or "place" in world.state.fixed:
        return []
    moved = tuple(ids[name.casefold()] for name in signal.moved if name.casefold() in ids)
    place = NextPlace(signal.next_place, signal.next_place_type, moved)
    return scenes.close(world, place, signal.why, 1, new_id)


async def close_by_hand(engine: Engine, chat_id: str, place: NextPlace) -> None:
    """The player's button; an action of its own, so a step of its own.

    Raises TurnRunning while a reply runs, and ValueRefused for a name that is too long.
    """
    check_length("name", place.name, scenes.NAME_CHARS)
    check_length("place_type", place.place_type, scenes.NAME_CHARS)
    chats.known(engine.store.library.chats.get(chat_id))
    if run := engine.runs.get(chat_id):
        raise TurnRunning("A reply is being written in this scene.", turn_id=run.reply_id)

    def closed(state: State) -> list[NewEvent]:
        chat, world = state.chat(chat_id), state.world(chat_id)
        events = scenes.close(world, place, "closed by hand", 1, engine.clock.new_id)
        return story(chat_id, chat.branch_id, world.state.head_step + 1, *events)

    commit = await engine.store.execute(closed)
    try:
        await remember_closed(engine, chat_id, commit)
    finally:
        if not engine.digests.is_running(chat_id):  # that one still tells what it does, and ends by itself
            engine.tell_if_idle(chat_id, "idle", "")


async def remember_closed(engine: Engine, chat_id: str, commit: Commit) -> None:
    """Put every scene that a commit closed into memory."""
    for event in commit.events:
        if isinstance(event.data, SceneClosed):
            await remember(engine, chat_id, event.data.scene_id, event.branch_id or "", event.step or 0)


async def remember(engine: Engine, chat_id: str, scene_id: str, branch_id: str, step: int) -> None:
    """Ask each witness whose memories of a closed scene lie apart yet; it closed at this branch and step."""
    async with engine.store.reading() as reader:
        scene = await views.scene(reader, scene_id)
        world = await views.world(reader, chat_id)
        found = await views.memories_of_scene(reader, scene_id)
    witnesses = sorted({memory.owner for memory in found})
    engine.tell_if_idle(chat_id, "summarizing", "Putting the scene into memory.")
    asked = [
        _scene_memory(engine, scene, world, [one for one in found if one.owner == owner], branch_id, step)
        for owner in witnesses
    ]
    for result in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(result, BaseException):
            log.error("scene_memory_failed", error_type=type(result).__name__)


async def _scene_memory(
    engine: Engine, scene: Scene, world: World, seen: Sequence[Memory], branch_id: str, step: int
) -> None:
    """One call over what one witness saw; when it fails the turn memories simply stay as they are."""
    owner, chat_id, name_of = seen[0].owner, scene.chat_id, engine.store.library.name_of
    calls, left = CallLog(), set[Closed]()
    answer = await _ask(engine, _question(engine, scene, world, seen), calls)
    quarantined(engine, calls.failures, "scene_memory", chat_id, seen[-1].turn_id)
    ids = {name_of(one).casefold(): one for one in scene.participants if one != owner}

    def kept(state: State) -> list[NewEvent]:
        spent = [ledger(call_finished(one, engine.clock.new_id(), chat_id)) for one in calls.records]
        if chat_id not in state.library.chats:  # deleted meanwhile; the call is paid for all the same
            return [*spent]
        here = state.world(chat_id)
        latest = state.memory(seen[-1].id)
        is_done = latest is None or latest.consolidated
        if not is_visible(state.library.lineage(chat_id), branch_id, step):
            left.add(Closed(scene.id, branch_id, step))
            return [*spent]
        if answer is None or is_done:
            return [*spent]
        events = [
            *_written(here, scene, seen, answer, engine.clock.new_id()),
            *_summaries(here, owner, answer, ids),
            *_pivotal(here, scene, owner, seen),
        ]
        return [*story(chat_id, branch_id, step, *events), *spent]

    await engine.store.execute(kept, caused_by=scene.id)
    if left:
        engine.digests.left.setdefault(chat_id, set()).update(left)


async def _ask(
    engine: Engine, question: ClassifyRequest[SceneMemoryAnswer], calls: CallLog
) -> SceneMemoryAnswer | None:
    """The answer, None when there was none that could be used."""
    try:
        classified = await engine.gateway.classify(engine.endpoint(), question, calls)
    except ChatError as problem:
        log.warning("scene_memory_failed", code=problem.code)
        return None
    return None if classified.defaulted else classified.answer


def _question(
    engine: Engine, scene: Scene, world: World, seen: Sequence[Memory]
) -> ClassifyRequest[SceneMemoryAnswer]:
    """What one witness is asked, over nothing but its own memories of the scene."""
    owner, name_of = seen[0].owner, engine.store.library.name_of
    others = [one for one in scene.participants if one != owner]
    place = world.places.get(scene.container_id)
    edges = [world.edge(owner, one) for one in others]
    timeouts = engine.settings.timeouts
    return ClassifyRequest(
        purpose="scene_memory",
        model=engine.classifier_model(),
        messages=scene_messages(
            owner=name_of(owner),
            others=[name_of(one) for one in others],
            place=place.name if place else "",
            feelings=[
                f"{name_of(owner)} about {name_of(e.target)} before: {e.summary}" for e in edges if e.summary
            ],
            seen=[memory.text for memory in seen],
            hard_tokens=scene_tokens(engine, ANSWER_TOKENS),
            count=count,
        ),
        answer=SceneMemoryAnswer,
        default=SceneMemoryAnswer(),
        max_tokens=ANSWER_TOKENS,
        first_token_s=timeouts.first_token_s,
        between_tokens_s=timeouts.classifier_s,
    )


def _written(
    world: World, scene: Scene, seen: Sequence[Memory], answer: SceneMemoryAnswer, memory_id: str
) -> list[StoryPayload]:
    """The scene memory and the turn memories it stands for."""
    if not answer.memory.strip():
        return []
    owner, last = seen[0].owner, seen[-1]
    written = MemoryWritten(
        memory_id=memory_id,
        owner=owner,
        continuity=last.continuity,
        turn_id=last.turn_id,
        scene_id=scene.id,
        text=answer.memory.strip(),
        witnesses=scene.participants,
        at=last.at,
        significance=max(0, min(SIGNIFICANCE_MAX, answer.significance)),
        level="scene",
    )
    ids = tuple(one.id for one in seen)
    merged = MemoriesConsolidated(scene_id=scene.id, owner=owner, into_memory_id=memory_id, memory_ids=ids)
    pinned = pins_after(world, owner, memory_id) if written.significance == SIGNIFICANCE_MAX else []
    return [written, merged, *pinned]


def _summaries(
    world: World, owner: str, answer: SceneMemoryAnswer, ids: dict[str, str]
) -> list[StoryPayload]:
    """The owner's feelings toward those who were there, summed up; not where the player wrote the summary."""
    told: dict[str, StoryPayload] = {}
    for feeling in answer.feelings:
        target = ids.get(feeling.target.strip().casefold())
        if target is None or f"edge:{owner}>{target}:summary" in world.state.fixed:
            continue
        prior = world.edge(owner, target).summary
        if feeling.summary and feeling.summary != prior:
            told[target] = EdgeSummarySet(source=owner, target=target, summary=feeling.summary, prior=prior)
    return list(told.values())


def _pivotal(world: World, scene: Scene, owner: str, seen: Sequence[Memory]) -> list[StoryPayload]:
    """A pivotal moment becomes a fact of the owner's edge to the player, pointing to its turn."""
    you = next((one for one in scene.participants if is_you(one)), None)
    if you is None:
        return []
    facts = [
        (memory, (memory.keys or (memory.text,))[0][:FACT_CHARS])
        for memory in seen
        if memory.significance == 3
    ]
    known = world.edge(owner, you).facts
    return [
        EdgeUpdate(
            source=owner,
            target=you,
            affinity_delta=0,
            trust_delta=0,
            reason="a pivotal moment",
            turn_id=memory.turn_id,
            facts=(fact,),
        )
        for memory, fact in facts
        if fact not in known
    ]
