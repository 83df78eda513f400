"""A bot across its chats: what it remembers and feels in the shared continuity, and nothing of that on its own."""

from __future__ import annotations

from msgspec.structs import replace

from chat.domain.events import EdgeSeeded
from chat.store import views
from tests.engine.conftest import Stage, asked
from tests.engine.test_digest import WARM, digest_of
from tests.support.peer import Peer
from tests.support.peer_acts import Answer

SECRET = '"The ruby lies under the third stair."'
QUESTION = '"Which stair was it, with the ruby?"'


async def meet(stage: Stage, continuity: str) -> str:
    draft = await stage.engine.parse_kickoff(stage.mira, "The quay again, a week later.", you_id=stage.you)
    return await stage.engine.confirm_kickoff(replace(draft, continuity=continuity))


async def test_a_second_chat_in_the_continuity_remembers_and_one_on_its_own_does_not(
    stage: Stage, peer: Peer
) -> None:
    await stage.say(SECRET)
    shared, alone = await meet(stage, "main"), await meet(stage, "own")
    await stage.say(QUESTION, shared)
    assert "third stair" in asked(peer).text
    await stage.say(QUESTION, alone)
    assert "third stair" not in asked(peer).text


async def test_another_bot_remembers_nothing_of_it(stage: Stage, peer: Peer) -> None:
    await stage.say(SECRET)
    draft = await stage.engine.parse_kickoff(stage.tomas, "The ferry.", you_id=stage.you)
    ferry = await stage.engine.confirm_kickoff(draft)
    await stage.say(QUESTION, ferry)
    assert "third stair" not in asked(peer).text


async def test_feelings_are_carried_over_by_an_event_that_names_its_chat(stage: Stage, peer: Peer) -> None:
    await digest_of(stage, peer, Answer(WARM))
    shared, alone = await meet(stage, "main"), await meet(stage, "own")
    edge = (await stage.world(shared)).edge(stage.mira, stage.you)
    assert (edge.affinity, edge.trust, edge.from_chat_id) == (55, 52, stage.first)
    assert edge.facts == ("Alex once sailed with her brother.",)
    fresh = (await stage.world(alone)).edge(stage.mira, stage.you)
    assert (fresh.affinity, fresh.facts, fresh.from_chat_id) == (50, (), None)
    async with stage.engine.store.reading() as reader:
        told = await views.events(reader, 0, 1000, f"chat:{shared}")
    assert [one.data.from_chat_id for one in told if isinstance(one.data, EdgeSeeded)] == [
        stage.first,
        stage.first,
    ]


async def test_on_its_own_one_number_set_by_hand_brings_nothing_else_along(stage: Stage, peer: Peer) -> None:
    await digest_of(stage, peer, Answer(WARM))
    draft = await stage.engine.parse_kickoff(stage.mira, "The quay again.", you_id=stage.you)
    alone = await stage.engine.confirm_kickoff(replace(draft, continuity="own", affinity=70))
    edge = (await stage.world(alone)).edge(stage.mira, stage.you)
    assert (edge.affinity, edge.trust, edge.facts) == (70, 50, ())


async def test_what_was_carried_over_stays_when_its_source_is_taken_back(stage: Stage, peer: Peer) -> None:
    reply_id = await digest_of(stage, peer, Answer(WARM))
    shared = await meet(stage, "main")
    await stage.engine.retry(stage.first, reply_id)
    await stage.settled(stage.first)
    await stage.digested()
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 50
    assert (await stage.world(shared)).edge(stage.mira, stage.you).affinity == 55


async def test_confirming_one_draft_twice_makes_one_chat(stage: Stage) -> None:
    draft = await stage.engine.parse_kickoff(stage.mira, "The quay.", you_id=stage.you)
    chats = len(stage.engine.store.library.chats)
    assert await stage.engine.confirm_kickoff(draft) == await stage.engine.confirm_kickoff(draft)
    assert len(stage.engine.store.library.chats) == chats + 1
