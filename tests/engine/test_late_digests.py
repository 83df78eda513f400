"""A digest whose answer comes when the story has left its line: paid for, and asked again when the story comes back."""

from __future__ import annotations

from chat.domain.events import ModelCallFinished
from chat.store import views
from tests.engine.conftest import Stage
from tests.engine.test_digest import DIGEST, WARM, Slow
from tests.support.peer import Peer
from tests.support.peer_acts import Answer


async def undone_before_its_answer(stage: Stage, peer: Peer) -> str:
    """A reply that the story had left when what it changed was known; its turn id."""
    peer.script(Slow(WARM), on=DIGEST)
    reply_id = await stage.say('"I brought oil."')
    await stage.engine.undo(stage.first)
    await stage.digested()
    return reply_id


async def test_what_a_reply_changed_comes_back_with_it_though_it_was_undone_before_that_was_known(
    stage: Stage, peer: Peer
) -> None:
    reply_id = await undone_before_its_answer(stage, peer)
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 50
    peer.script(Answer(WARM), on=DIGEST)
    await stage.engine.redo(stage.first)
    await stage.digested()
    assert (await stage.world()).edge(stage.mira, stage.you).affinity == 55
    assert (await stage.turn(reply_id)).digest_outcome == "ok"


async def test_an_answer_that_came_for_a_line_nobody_is_on_is_paid_for_all_the_same(
    stage: Stage, peer: Peer
) -> None:
    reply_id = await undone_before_its_answer(stage, peer)
    async with stage.engine.store.reading() as reader:
        calls = await views.events_of_kinds(reader, 0, (ModelCallFinished.kind,))
    purposes = [one.data.purpose for one in calls if isinstance(one.data, ModelCallFinished)]
    assert (await stage.turn(reply_id)).digest_outcome == ""
    assert purposes == ["narrate", "digest"]
