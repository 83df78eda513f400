"""Snapshots are taken now and then and before every rewind, each chat for itself, and never stand in anybody's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat.engine import snapshots
from chat.errors import Refused
from chat.store import Store
from tests.engine.conftest import Stage
from tests.engine.test_timeline import tell, texts
from tests.support.peer import Peer


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
