"""What nobody waits for lets the tabs fetch first what they were just told of."""

from __future__ import annotations

import asyncio

import pytest

from chat.engine.hub import TABS_S
from tests.engine.conftest import Stage
from tests.support.peer import Peer

DIGEST = "DigestAnswer"


async def test_a_digest_lets_the_tabs_fetch_the_reply_first_and_waits_for_nobody_without_one(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, waited, fetched = stage.engine.hub, list[float](), asyncio.Event()
    sleep = asyncio.sleep

    async def until_fetched(delay_s: float, result: object = None) -> object:
        if delay_s != TABS_S:
            return await sleep(delay_s, result)
        waited.append(delay_s)
        await fetched.wait()
        return result

    monkeypatch.setattr("chat.engine.hub.asyncio.sleep", until_fetched)
    await stage.say("Nobody looks.", stage.second)
    await stage.digested(stage.second)
    assert not waited
    tab = hub.subscribe([stage.first])
    accepted = await stage.engine.take_turn(stage.first, "Somebody looks.")
    run = stage.engine.runs.get(stage.first)
    assert run
    await asyncio.wait_for(run.finished.wait(), 20)
    async with asyncio.timeout(20):
        while len(waited) < 2:  # the digest and the checkpoint
            await sleep(0.01)
    assert stage.engine.digests.is_running(stage.first)
    assert accepted.reply_id
    turns = [one for one in peer.requests if one.schema_name == DIGEST]
    assert len(turns) == 1, "only of the chat nobody looks at"
    fetched.set()
    await stage.digested()
    tab.close()
    assert len([one for one in peer.requests if one.schema_name == DIGEST]) == 2
