"""The whole program without its pages, against a peer that does what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chat.app import running_engine
from chat.clock import Clock
from chat.domain.kickoff import KickoffDraft
from chat.domain.turns import Turn
from chat.domain.world import World
from chat.engine.authoring import BotFields, YouFields
from chat.engine.engine import Engine
from chat.settings import load_settings
from chat.settings.schema import Settings
from chat.store import views
from tests.support.peer import Peer, Received
from tests.support.peer_acts import Act, Answer, Reply


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(default=answer) as running:
        yield running


def asked(peer: Peer) -> Received:
    """The latest request for a reply; structured questions may have come after it."""
    return next(one for one in reversed(peer.requests) if one.method == "POST" and not one.schema_name)


def answer(received: Received) -> Act:
    """What nobody scripted: a nod for a turn, and "nothing changed" for a structured question."""
    return Answer({"significance": 1}) if received.schema_name else Reply('*nods* "Mm-hm."')


@pytest.fixture
def settings(tmp_path: Path, peer: Peer) -> Settings:
    connection = {
        "base_url": peer.base_url,
        "narrative_model": "peer-model",
        "api_key": "sk-canary-0123456789",
    }
    timeouts = {"first_token_s": 30, "between_tokens_s": 30}  # beyond what a busy machine takes
    retries = {"first_wait_s": 0.02}
    return load_settings(
        data_dir=tmp_path / "data", connection=connection, timeouts=timeouts, retries=retries
    )


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    async with running_engine(settings, Clock()) as running:
        yield running


@dataclass
class Stage:
    """Two bots and two chats of the first, all of one player."""

    engine: Engine
    you: str
    mira: str
    tomas: str
    first: str
    second: str

    async def say(self, text: str, chat_id: str | None = None) -> str:
        """Take a turn and wait for its reply; returns the reply's turn id."""
        accepted = await self.engine.take_turn(chat_id or self.first, text)
        assert accepted.reply_id
        await self.settled(chat_id or self.first)
        return accepted.reply_id

    def limits(self, **seconds: float) -> None:
        """From now on the model is waited for so long."""
        settings = self.engine.settings
        timeouts = settings.timeouts.model_copy(update=seconds)
        self.engine.settings = settings.model_copy(update={"timeouts": timeouts})

    async def digested(self, chat_id: str | None = None) -> None:
        """Wait until what the last reply changed has been worked out."""
        assert await self.engine.digests.wait(chat_id or self.first, 20)

    async def world(self, chat_id: str | None = None) -> World:
        async with self.engine.store.reading() as reader:
            return await views.world(reader, chat_id or self.first)

    async def settled(self, chat_id: str) -> None:
        if run := self.engine.runs.get(chat_id):
            assert run.task
            await asyncio.wait_for(run.task, 20)

    async def turns(self, chat_id: str | None = None) -> list[Turn]:
        async with self.engine.store.reading() as reader:
            window = await views.transcript(reader, self.engine.store.library, chat_id or self.first)
        return window.turns

    async def turn(self, turn_id: str) -> Turn:
        async with self.engine.store.reading() as reader:
            found = await views.turn(reader, turn_id)
        assert found
        return found


async def begin(engine: Engine, bot_id: str, you_id: str, **fields: object) -> str:
    draft = KickoffDraft(
        draft_id=engine.clock.new_id(),
        bot_id=bot_id,
        you_id=you_id,
        title="A story",
        prose="The quay at dusk.",
        place_name="the old quay",
        start_at="2026-11-20T19:00:00Z",
        opening="The quay smells of tar and rain.",
        **fields,  # type: ignore[arg-type]
    )
    return await engine.confirm_kickoff(draft)


@pytest.fixture
async def stage(engine: Engine) -> Stage:
    you = await engine.author_you(
        None, YouFields(name="Alex", persona="secretly a spy", appearance="a grey coat")
    )
    mira = await engine.author_bot(None, BotFields(name="Mira", persona="keeps the lighthouse"))
    tomas = await engine.author_bot(None, BotFields(name="Tomas Reed", persona="drives the ferry"))
    first, second = await begin(engine, mira, you), await begin(engine, mira, you)
    return Stage(engine, you, mira, tomas, first, second)
