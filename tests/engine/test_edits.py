"""The player's own hand: it wins over the classifier until released, and two tabs never overwrite each other."""

from __future__ import annotations

from typing import Any

import pytest

from chat.domain.edits import current
from chat.domain.memories import Memory
from chat.errors import NotFound, Refused, Stale
from chat.store import views
from tests.engine.conftest import Stage
from tests.engine.test_digest import WARM, digest_of, memories
from tests.support.peer import Peer
from tests.support.peer_acts import Answer


async def revision(stage: Stage, what: str, target: str, memory: Memory | None = None) -> int:
    return current(await stage.world(), what, target, memory)[1]


async def edit(stage: Stage, what: str, target: str, **values: Any) -> None:
    await stage.engine.edit(stage.first, what, target, values, await revision(stage, what, target))


async def test_every_kind_of_edit_reaches_the_world(stage: Stage) -> None:
    pair = f"{stage.mira}>{stage.you}"
    place = (await stage.world()).place()
    assert place
    await edit(stage, "activity", stage.mira, action="winding the clock", holding=["key", " "])
    await edit(stage, "edge", pair, affinity="71", trust=12, summary="Wary.", facts=["He lies."])
    await edit(stage, "place", place.id, name="the new quay", is_public=True)
    await edit(stage, "clock", "", at="2026-11-21T06:30")
    await edit(stage, "weather", "", weather="fog")
    world = await stage.world()
    assert (world.activities[stage.mira].action, world.activities[stage.mira].holding) == (
        "winding the clock",
        ("key",),
    )
    edge = world.edge(stage.mira, stage.you)
    assert (edge.affinity, edge.trust, edge.summary, edge.facts) == (71, 12, "Wary.", ("He lies.",))
    assert world.places[place.id].name == "the new quay"
    assert (world.state.clock_at, world.state.weather) == ("2026-11-21T06:30:00Z", "fog")
    assert (await stage.world(stage.second)).edge(stage.mira, stage.you).affinity == 50


async def test_a_stale_edit_is_refused_with_the_newer_value(stage: Stage) -> None:
    pair = f"{stage.mira}>{stage.you}"
    seen = await revision(stage, "edge", pair)
    await stage.engine.edit(stage.first, "edge", pair, {"affinity": 60}, seen)
    head = stage.engine.store.head
    with pytest.raises(Stale) as refused:
        await stage.engine.edit(stage.first, "edge", pair, {"affinity": 40}, seen)
    assert refused.value.current["affinity"] == 60  # type: ignore[index]
    assert stage.engine.store.head == head


async def test_a_value_set_by_hand_wins_over_the_classifier_until_released(stage: Stage, peer: Peer) -> None:
    pair = f"{stage.mira}>{stage.you}"
    await edit(stage, "edge", pair, affinity=20)
    await edit(stage, "clock", "", at="2026-11-20T22:00")
    await edit(stage, "weather", "", weather="snow")
    await edit(stage, "activity", stage.mira, action="asleep")
    await digest_of(stage, peer, Answer(WARM))
    world = await stage.world()
    assert (world.edge(stage.mira, stage.you).affinity, world.edge(stage.mira, stage.you).trust) == (20, 52)
    assert (world.state.clock_at, world.state.weather) == ("2026-11-20T22:00:00Z", "snow")
    assert world.activities[stage.mira].action == "asleep"
    assert world.activities[stage.mira].posture == "standing"
    seen = await revision(stage, "edge", pair)
    await stage.engine.edit(stage.first, "edge", pair, {}, seen, releases=["affinity"])
    await digest_of(stage, peer, Answer(WARM))
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 25


async def test_a_memory_can_be_reworded_rated_and_pinned(stage: Stage, peer: Peer) -> None:
    await digest_of(stage, peer, Answer({"significance": 1}))
    memory = (await memories(stage))[0]
    await stage.engine.edit(
        stage.first, "memory", memory.id, {"text": "He brought olives.", "significance": 3}, memory.revision
    )
    await stage.engine.pin(stage.first, memory.id, pinned=True)
    after = (await memories(stage))[0]
    assert (after.text, after.significance, after.pinned, after.auto_pinned) == (
        "He brought olives.",
        3,
        True,
        False,
    )
    async with stage.engine.store.reading() as reader:
        found = await views.search_memories(reader, after.scope, '"olives"')
    assert [one.memory.id for one in found] == [memory.id]
    with pytest.raises(Stale):
        await stage.engine.edit(stage.first, "memory", memory.id, {"text": "No."}, memory.revision)
    await stage.engine.pin(stage.first, memory.id, pinned=False)
    assert not (await memories(stage))[0].pinned


async def test_a_pin_by_hand_is_never_pushed_out(stage: Stage, peer: Peer) -> None:
    await digest_of(stage, peer, Answer({"significance": 1}), '"Keep this."')
    kept = (await memories(stage))[0]
    await stage.engine.pin(stage.first, kept.id, pinned=True)
    for number in range(9):
        await digest_of(stage, peer, Answer({"significance": 3}), f'"Moment {number}."')
    pinned = [one for one in await memories(stage) if one.pinned]
    assert len(pinned) == 8
    assert kept.id in {one.id for one in pinned}


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("edge", {"affinity": "lots"}),
        ("edge", {"trust": 101}),
        ("edge", {"trust": -1}),
        ("clock", {"at": "soonish"}),
        ("weather", {"weather": "x" * 3000}),
    ],
)
async def test_a_value_that_makes_no_sense_is_refused_and_nothing_changes(
    stage: Stage, what: str, values: dict[str, Any]
) -> None:
    target = f"{stage.mira}>{stage.you}" if what == "edge" else ""
    head, seen = stage.engine.store.head, await revision(stage, what, target)
    with pytest.raises(Refused):
        await stage.engine.edit(stage.first, what, target, values, seen)
    assert stage.engine.store.head == head


async def test_things_of_another_chat_are_not_found(stage: Stage, peer: Peer) -> None:
    await digest_of(stage, peer, Answer({}))
    memory = (await memories(stage))[0]
    place = (await stage.world(stage.second)).place()
    assert place
    for what, target in (
        ("memory", memory.id),
        ("activity", stage.tomas),
        ("edge", f"{stage.tomas}>{stage.you}"),
    ):
        with pytest.raises(NotFound):
            await stage.engine.edit(stage.second, what, target, {}, 0)
    with pytest.raises(NotFound):
        await stage.engine.edit(stage.first, "place", place.id, {"name": "x"}, 0)
    with pytest.raises(NotFound):
        await stage.engine.pin(stage.second, memory.id, pinned=True)
