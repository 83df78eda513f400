"""Plays turns in two chats at once against a misbehaving server, as a script plays them, and counts how each ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from chat.app import create_app
from chat.engine.engine import Engine
from chat.settings import load_settings
from tests.support.misbehaving import Misbehaving
from tests.support.peer import Peer

PORT = 8321
LONGEST_S = 60
JSON = {"Accept": "application/json"}
REPLY, REASON = "reply", "reason"


@dataclass
class Delivery:
    """`ended` counts replies, stated reasons, and in words what was neither; `reasons` the codes of the second."""

    ended: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def turns(self) -> int:
        return self.ended.total()

    @property
    def lost(self) -> list[str]:
        """What became of the turns that ended neither with a reply nor with a reason."""
        return [f"{what}: {count}" for what, count in self.ended.items() if what not in (REPLY, REASON)]

    @property
    def share(self) -> float:
        return (self.ended[REPLY] + self.ended[REASON]) / max(self.turns, 1)


async def deliver(folder: Path, turns: int, seed: int = 7) -> Delivery:
    """Half of the turns in each of two chats."""
    told, mind = Delivery(), Misbehaving(seed)
    with Peer(default=mind) as peer:
        connection = {
            "base_url": peer.base_url,
            "narrative_model": "peer-model",
            "api_key": "sk-canary-0123456789",
        }
        settings = load_settings(
            data_dir=folder,
            connection=connection | {"classifier_model": "other-model"},
            timeouts={"first_token_s": 1, "between_tokens_s": 1, "classifier_s": 1},
            retries={"first_wait_s": 0.02},
        )
        app = create_app(settings, port=PORT)
        transport = httpx2.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(
                transport=transport, base_url=f"http://127.0.0.1:{PORT}", timeout=LONGEST_S
            ) as client,
        ):
            players = [Player(client, app.state.engine, told) for _ in range(2)]
            await asyncio.gather(*(one.play(turns // 2, number) for number, one in enumerate(players)))
    told.did = mind.seen
    return told


class Player:
    """Somebody who goes on whatever happens, and presses what the face of a failure offers every second time."""

    def __init__(self, client: httpx2.AsyncClient, engine: Engine, told: Delivery) -> None:
        self._client, self._engine, self._told = client, engine, told
        self._said: list[str] = []

    async def play(self, turns: int, number: int) -> None:
        bot = (await self._client.post("/bots/new", data={"name": f"Bot {number}"}, headers=JSON)).json()[
            "bot_id"
        ]
        fields = {"action": "confirm", "place_name": "The pier", "opening": "Fog."}
        begun = await self._client.post(f"/bots/{bot}/kickoff", data=fields, headers=JSON)
        chat_id = begun.json()["chat_id"]
        failed: dict[str, Any] | None = None
        for at in range(turns):
            if failed and at % 2:
                failed = await self._press(chat_id, failed)
            else:
                failed = await self._say(chat_id, f"Chat {number}, turn {at}.")
        kept = [turn["text"] for turn in await self._turns(chat_id, turns * 3) if turn["role"] == "user"]
        if kept != self._said:
            self._told.findings.append(f"chat {number} holds other words than were said")

    async def _say(self, chat_id: str, prose: str) -> dict[str, Any] | None:
        answer = await self._client.post(f"/chats/{chat_id}/turns", data={"prose": prose}, headers=JSON)
        if answer.status_code != 202:
            return self._note(f"the post was refused with {answer.status_code}", None)
        self._said.append(prose)
        return await self._judge(chat_id, answer.json()["reply_id"])

    async def _press(self, chat_id: str, failed: dict[str, Any]) -> dict[str, Any] | None:
        address = f"/chats/{chat_id}/turns/{failed['id']}/regenerate"
        fields = failed["error"]["button"]["fields"] if failed["error"]["button"] else {}
        answer = await self._client.post(address, data=fields, headers=JSON)
        if answer.status_code != 202:
            return self._note(f"the retry was refused with {answer.status_code}", None)
        return await self._judge(chat_id, answer.json()["reply_id"])

    async def _judge(self, chat_id: str, reply_id: str) -> dict[str, Any] | None:
        """Waits for the end of a reply; returns it if it failed with a reason."""
        try:
            async with asyncio.timeout(LONGEST_S):
                if run := self._engine.runs.get(chat_id):
                    await run.finished.wait()
                await self._engine.digests.wait(chat_id, LONGEST_S)
        except TimeoutError:
            return self._note("the reply never ended", None)
        last = (await self._turns(chat_id, 1))[-1]
        if last["id"] != reply_id or last["status"] == "running":
            return self._note("the reply is not in the story", None)
        error = last["error"]
        if error is None:
            return self._note(REPLY if last["text"].strip() else "an empty reply without a reason", None)
        whole = all(error[name] for name in ("code", "message", "means", "next_step", "button"))
        self._told.reasons[error["code"]] += 1
        return self._note(REASON if whole else f"a reason without its face: {error['code']}", last)

    def _note(self, how: str, last: dict[str, Any] | None) -> dict[str, Any] | None:
        self._told.ended[how] += 1
        return last

    async def _turns(self, chat_id: str, at_least: int) -> list[dict[str, Any]]:
        """The end of the story, as many windows of it as are needed."""
        told = (await self._client.get(f"/chats/{chat_id}", headers=JSON)).json()
        turns: list[dict[str, Any]] = told["turns"]
        while told["before"] is not None and len(turns) < at_least:
            address = f"/chats/{chat_id}?before={told['before']}"
            told = (await self._client.get(address, headers=JSON)).json()
            turns = told["turns"] + turns
        return turns
