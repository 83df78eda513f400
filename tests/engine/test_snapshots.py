"""Snapshots are taken now and then and before every rewind, each chat for itself, and never stand in anybody's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.engine import snapshots
from chat.engine.authoring import BotFields, YouFields
from chat.errors import Refused
from chat.settings import Settings
from chat.store import Store
from chat.store import snapshots as kept_ones
from chat.store.maintenance import list_events
from tests.engine.conftest import Stage, begin
from tests.engine.test_timeline import tell, texts
from tests.support.peer import Peer

MANY = 30


def ids_of(settings: Settings, chat_id: str) -> list[int]:
    """The events of a chat."""
    return [one["id"] for one in list_events(settings, limit=-1, stream=f"chat:{chat_id}")]


def files(stage: Stage, folder: str = "") -> list[Path]:
    return sorted((stage.engine.settings.snapshots_dir / folder).glob("*.snapshot"))


async def test_a_rewind_keeps_what_stood_before_it_and_can_be_undone(stage: Stage, peer: Peer) -> None:
    first, _ = await tell(stage, peer, ("one", "uno"), ("two", "due"))
    await stage.engine.rewind(stage.first, first)
    await stage.engine.snapshots.idle()
    assert len(files(stage, "rewind")) == 1
    assert await texts(stage) == ["one", "uno"]
    await stage.engine.undo(stage.first)
    assert await texts(stage) == ["one", "uno", "two", "due"]
    with pytest.raises(Refused):
        await stage.engine.rewind(stage.first, (await stage.engine.store.log_head()).hash.hex())
    await stage.engine.snapshots.idle()
    assert len(files(stage, "rewind")) == 1


async def test_after_so_many_events_or_so_long_a_chat_gets_a_snapshot(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "EVENTS", 12)
    await tell(stage, peer, ("one", "uno"))
    await stage.engine.snapshots.idle()
    before = len(files(stage))
    await tell(stage, peer, ("two", "due"), ("three", "tre"), ("four", "quattro"))
    await stage.engine.snapshots.idle()
    many = len(files(stage))
    assert many > before
    monkeypatch.setattr(snapshots, "EVENTS", 10_000)
    monkeypatch.setattr(snapshots, "SECONDS", 0)
    await tell(stage, peer, ("five", "cinque"))
    await stage.engine.snapshots.idle()
    assert len(files(stage)) > many


def test_it_is_a_hundred_events_or_half_an_hour() -> None:
    """T31, which the other tests here make shorter."""
    assert (snapshots.EVENTS, snapshots.SECONDS, snapshots._spacing(0)) == (100, 30 * 60, 100)
    assert snapshots.LOOK_EVERY_S <= 60
    assert kept_ones.KEPT == 5


async def test_what_happened_before_this_start_counts_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "EVENTS", MANY)
    async with running_engine(settings, Clock()) as engine:
        you = await engine.author_you(None, YouFields(name="Alex"))
        mira = await engine.author_bot(None, BotFields(name="Mira", persona="keeps the lighthouse"))
        first, second = [await begin(engine, mira, you) for _ in range(2)]
    begun, heads = len(ids_of(settings, first)), [0]
    for told in range(1, 100):
        async with running_engine(settings, Clock()) as engine:
            await Stage(engine, you, mira, "", first, second).say("And then?")
            assert await engine.digests.wait(first, 20)
        ids = ids_of(settings, first)
        assert (len(ids) - begun) // told < MANY // 2, "no start comes so far alone"
        found = settings.snapshots_dir.glob("*.snapshot")
        heads = [0, *sorted(int(path.name.split("-")[1]) for path in found)]
        assert sum(one > heads[-1] for one in ids) < MANY
        assert len(heads) - 1 <= len(ids) // MANY
        if len(heads) > 2:
            break
    assert len(heads) > 2
    assert len({path.name.split("-")[0] for path in settings.snapshots_dir.glob("*.snapshot")}) == 1


async def test_a_snapshot_that_cannot_be_written_stops_nobody(
    stage: Stage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*given: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "EVENTS", 1)
    monkeypatch.setattr(Store, "moment", full)
    first, _ = await tell(stage, peer, ("one", "uno"), ("two", "due"))
    await stage.engine.rewind(stage.first, first)
    await stage.engine.snapshots.idle()
    assert await texts(stage) == ["one", "uno"]
    assert files(stage) == files(stage, "rewind") == []
