"""Events that the head file knows and the log has lost: the stories can be read, and nothing is written over them."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.engine.doctor import accept
from chat.errors import EventsLost, Refused
from chat.settings.schema import Settings
from chat.store import views
from tests.engine.conftest import begin


async def test_lost_events_are_shown_and_only_an_accepted_loss_lets_the_story_go_on(
    settings: Settings,
) -> None:
    async with running_engine(settings, Clock()) as engine:
        you = engine.store.library.default_person()
        assert you
        bot_id = next(iter(engine.store.library.bots))
        first = await begin(engine, bot_id, you.id)
    kept = settings.data_dir / "earlier.db"
    shutil.copy(settings.db_path, kept)
    async with running_engine(settings, Clock()) as engine:
        await begin(engine, bot_id, you.id)
    shutil.copy(kept, settings.db_path)
    async with running_engine(settings, Clock()) as engine:
        assert isinstance(engine.store.fault, EventsLost)
        async with engine.store.reading() as reader:
            shown = await views.transcript(reader, engine.store.library, first)
        assert shown.turns
        with pytest.raises(EventsLost):
            await engine.take_turn(first, "hello?")
        assert list(engine.store.library.chats) == [first]
    assert "accepted" in await asyncio.to_thread(lambda: accept(settings, Clock()).says)
    async with running_engine(settings, Clock()) as engine:
        assert engine.store.fault is None
        await engine.take_turn(first, "hello again")


def test_accepting_a_loss_that_did_not_happen_is_refused(settings: Settings) -> None:
    settings.ensure_folders()
    with pytest.raises(Refused, match="no loss"):
        accept(settings, Clock())
