"""The whole program behind its pages: real store, real engine, the demo or a peer that does what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from chat.app import create_app
from chat.clock import Clock
from chat.engine.engine import Engine
from chat.settings import load_settings
from chat.web.routes import backups, erase
from tests.support.dom import Element, parse
from tests.support.peer import Peer
from tests.support.peer_acts import Reply

PORT = 8321
JSON = {"Accept": "application/json"}
HTMX = {"HX-Request": "true", "Accept": "text/html"}
KEY = "sk-canary-0123456789"


class Visitor:
    """Somebody who uses the program as a browser without script, as htmx, or as a script."""

    def __init__(self, app: FastAPI, client: httpx2.AsyncClient) -> None:
        self.app, self.client = app, client

    @property
    def engine(self) -> Engine:
        engine: Engine = self.app.state.engine
        return engine

    async def get(self, path: str, status: int = 200, **headers: str) -> Element:
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == status, answer.text[:2000]
        return parse(answer.text)

    async def json(self, path: str, status: int = 200) -> Any:
        answer = await self.client.get(path, headers=JSON)
        assert answer.status_code == status, answer.text[:2000]
        return answer.json()

    async def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> httpx2.Response:
        return await self.client.post(path, data=fields, headers=headers)

    async def bot(self, **fields: str) -> str:
        answer = await self.post("/bots/new", JSON, **({"name": "Mira"} | fields))
        bot_id: str = answer.json()["bot_id"]
        return bot_id

    async def chat(self, bot_id: str = "", **fields: str) -> str:
        bot_id = bot_id or await self.bot()
        given = {"action": "confirm", "place_name": "The pier", "opening": "Fog."} | fields
        answer = await self.post(f"/bots/{bot_id}/kickoff", JSON, **given)
        assert answer.status_code == 200, answer.text
        chat_id: str = answer.json()["chat_id"]
        return chat_id

    async def say(self, chat_id: str, prose: str, headers: dict[str, str] = JSON) -> httpx2.Response:
        """Posts a turn and waits for its reply."""
        answer = await self.post(f"/chats/{chat_id}/turns", headers, prose=prose)
        await self.settled(chat_id)
        return answer

    async def settled(self, chat_id: str) -> None:
        """Until the reply ended and what it changed is worked out."""
        if run := self.engine.runs.get(chat_id):
            await asyncio.wait_for(run.finished.wait(), 20)
        assert await self.engine.digests.wait(chat_id, 20)

    async def pause(self) -> None:
        """Lets the program go on for a moment."""
        await asyncio.sleep(0.02)

    async def turns(self, chat_id: str) -> list[dict[str, Any]]:
        turns: list[dict[str, Any]] = (await self.json(f"/chats/{chat_id}"))["turns"]
        return turns


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a post began is done when it is answered, also where this machine stands still for a while."""
    for page in (backups, erase):
        monkeypatch.setattr(page, "SOON_S", 60)


async def visiting(tmp_path: Path, clock: Clock | None = None, **layers: Any) -> AsyncIterator[Visitor]:
    """The program with these settings, on the data folder there, a fresh one at first."""
    tmp_path.mkdir(exist_ok=True)
    app = create_app(load_settings(data_dir=tmp_path / "data", **layers), port=PORT, clock=clock)
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{PORT}") as client,
    ):
        yield Visitor(app, client)


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    """Nothing is configured, so the demo plays."""
    async for one in visiting(tmp_path / "demo"):
        yield one


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(default=Reply('*nods* "Mm-hm."')) as running:
        yield running


@pytest.fixture
async def connected(tmp_path: Path, peer: Peer) -> AsyncIterator[Visitor]:
    """Connected to the peer, with a key."""
    connection = {"base_url": peer.base_url, "narrative_model": "peer-model", "api_key": KEY}
    async for one in visiting(tmp_path / "connected", connection=connection):
        yield one
