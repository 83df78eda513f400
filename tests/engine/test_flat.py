"""A long story costs no more than a short one: counted in what the database does, not in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.engine.context import Wanted, read_context
from chat.engine.engine import Engine
from chat.settings import load_settings
from chat.store import views
from tests.bench.stories import story_of_turns
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply
from tests.support.sql_work import Work, counting

SHORT, LONG, LONGER = 100, 5_000, 10_000
"""Recall looks at a bounded number of memories and a prompt at 160 turns: a short story has fewer than that."""
BOUNDED = ("turn with its notes", "recall")
NOTES = {
    "feelings": [{"source": "{bot}", "target": "{you}", "affinity": 1, "trust": 1, "cites": [1]}],
    "facts": [{"owner": "{bot}", "about": "{you}", "text": "Likes lamps.", "cites": [1]}],
    "minutes": 3,
    "significance": 1,
}
Doing = Callable[[Engine, str], Awaitable[object]]


async def turn(engine: Engine, chat_id: str) -> None:
    await engine.take_turn(chat_id, '"Is the lamp of the old harbour lit, and who lit it in the storm?"')
    run = engine.runs.get(chat_id)
    assert run
    assert run.task
    await run.task
    assert await engine.digests.wait(chat_id, 20)
    await engine.anticipation.wait(chat_id)


async def recall(engine: Engine, chat_id: str) -> None:
    chat = engine.store.library.chats[chat_id]
    await read_context(engine.store, chat_id, chat.bot_ids[0], Wanted(4))


async def page(engine: Engine, chat_id: str) -> None:
    async with engine.store.reading() as reader:
        await views.transcript(reader, engine.store.library, chat_id)
        await views.world(reader, chat_id)
        await views.chat_list(reader)


async def calls(engine: Engine, chat_id: str) -> None:
    async with engine.store.reading() as reader:
        await views.calls(reader, chat_id=chat_id)


DOINGS: dict[str, Doing] = {"turn with its notes": turn, "recall": recall, "page": page, "calls": calls}


async def costs(folder: Path, turns: int, peer: Peer) -> dict[str, Work]:
    """What each thing costs in a chat of so many turns, once everything is warm."""
    story = story_of_turns(turns).copy_to(folder)
    connection = {"base_url": peer.base_url, "narrative_model": "peer-model"}
    settings = load_settings(data_dir=story.settings.data_dir, connection=connection)
    found = {}
    with counting() as work:
        async with running_engine(settings, Clock()) as engine:
            chat_id = story.chats[0]
            for name, doing in DOINGS.items():
                await doing(engine, chat_id)
                await engine.snapshots.idle()  # the first commit after a start may come to one
                before = replace(work)
                await doing(engine, chat_id)
                found[name] = Work(work.statements - before.statements, work.steps - before.steps)
    return found


@pytest.mark.timeout(300)
def test_turns_notes_recall_and_pages_cost_no_more_in_a_longer_story(tmp_path: Path) -> None:
    with Peer(default=lambda asked: Answer(NOTES) if asked.schema_name else Reply('*nods* "It is."')) as peer:
        short, long, longer = (
            asyncio.run(costs(tmp_path / str(turns), turns, peer)) for turns in (SHORT, LONG, LONGER)
        )
    for name in DOINGS:
        assert short[name].statements == long[name].statements == longer[name].statements, name
        usual = long if name in BOUNDED else short
        assert longer[name].steps <= usual[name].steps * 1.15, name
