"""What is said before going somewhere is what then happens: counted beside the story as it is before and after."""

from __future__ import annotations

from datetime import datetime

from chat.domain.scenes import NextPlace
from chat.engine.impact import Impact
from tests.engine.conftest import Stage
from tests.engine.test_digest import WARM, digest_of, memories
from tests.engine.test_edits import edit, revision
from tests.engine.test_timeline import tell
from tests.support.peer import Peer
from tests.support.peer_acts import Answer

Seen = tuple[dict[tuple[str, str], tuple[int, int]], datetime, int, int]


async def seen(stage: Stage) -> Seen:
    """Feelings, clock, memories and turns as they are now."""
    world = await stage.world()
    feelings = {pair: (edge.affinity, edge.trust) for pair, edge in world.edges.items()}
    clock = datetime.fromisoformat(world.state.clock_at)
    return feelings, clock, len(await memories(stage)), len(await stage.turns())


async def let_go(stage: Stage, pair: str) -> None:
    """Feelings move by themselves again, so that a good word runs into the end of the scale."""
    now = await revision(stage, "edge", pair)
    await stage.engine.edit(stage.first, "edge", pair, {}, now, ("affinity", "trust"))


async def truth(stage: Stage, before: Seen, said: Impact) -> None:
    """Holds the promise against what the story has become."""
    felt, clock, kept, turns = await seen(stage)
    names = {stage.mira: "Mira", stage.you: "Alex"}
    lost = {(one.source, one.target): (one.affinity, one.trust) for one in said.feelings}
    for pair in {*before[0], *felt}:
        was, now = before[0].get(pair, (50, 50)), felt.get(pair, (50, 50))
        told = lost.pop((names.get(pair[0], ""), names.get(pair[1], "")), (0, 0))
        assert told == (was[0] - now[0], was[1] - now[1]), pair
    assert not lost
    assert said.minutes == (before[1] - clock).total_seconds() // 60
    assert before[3] - turns == said.turns - said.returning
    assert said.returning or before[2] - kept == said.memories


async def test_everything_a_rewind_would_take_is_told_before_and_is_what_it_takes(
    stage: Stage, peer: Peer
) -> None:
    first = (await tell(stage, peer, ("one", "uno")))[0]
    pair = f"{stage.mira}>{stage.you}"
    await edit(stage, "edge", pair, affinity=98, trust=3)
    await let_go(stage, pair)
    await digest_of(stage, peer, Answer(WARM), "two")
    await edit(stage, "clock", "", at="2026-11-21T06:30")
    await edit(stage, "edge", pair, trust=60)
    memory = (await memories(stage))[0]
    await stage.engine.pin(stage.first, memory.id, pinned=True)
    await stage.engine.close_scene(stage.first, NextPlace())
    await stage.digested()
    before, said = await seen(stage), await stage.engine.impact(stage.first, first)
    assert (said.turns, said.scenes, said.pins, said.edits) == (2, 1, 1, 4)
    assert said.memories > 0
    assert said.minutes > 60
    await stage.engine.rewind(stage.first, first)
    await truth(stage, before, said)


async def test_what_going_to_another_branch_would_change_is_what_it_changes(stage: Stage, peer: Peer) -> None:
    first = (await tell(stage, peer, ("one", "uno")))[0]
    pair = f"{stage.mira}>{stage.you}"
    await edit(stage, "edge", pair, affinity=98)
    await let_go(stage, pair)
    await digest_of(stage, peer, Answer(WARM), "two")
    left = stage.engine.store.library.chats[stage.first].branch_id
    await stage.engine.rewind(stage.first, first)
    await edit(stage, "edge", pair, affinity=10, trust=20)
    await edit(stage, "clock", "", at="2026-11-20T20:15")
    await tell(stage, peer, ("three", "tre"))
    before, said = await seen(stage), await stage.engine.impact_at(stage.first, left, 10**9)
    assert (said.turns, said.returning) == (2, 2)
    await stage.engine.select_branch(stage.first, left)
    await truth(stage, before, said)
    nothing = await stage.engine.impact_at(stage.first, left, 10**9)
    assert nothing == Impact()


async def test_what_a_bot_felt_before_it_began_anew_comes_back_as_it_is_told(
    stage: Stage, peer: Peer
) -> None:
    pair = f"{stage.mira}>{stage.you}"
    await edit(stage, "edge", pair, affinity=98)
    await let_go(stage, pair)
    first = await digest_of(stage, peer, Answer(WARM), "one")
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 100
    await stage.engine.reset_bot(stage.mira, [stage.first], "Mira")
    await tell(stage, peer, ("two", "due"))
    before, said = await seen(stage), await stage.engine.impact(stage.first, first)
    assert said.feelings
    await stage.engine.rewind(stage.first, first)
    felt = (await seen(stage))[0][stage.mira, stage.you]
    (lost,) = said.feelings
    was = before[0].get((stage.mira, stage.you), (50, 50))
    assert (was[0] - felt[0], was[1] - felt[1]) == (lost.affinity, lost.trust)
