"""A person who does one thing after another, at random, in three chats: undo and redo lead to exactly what was there.

Everything is looked at from outside, as a script sees it; the order comes from a fixed seed.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import httpx2

from tests.support.peer import Peer, Received
from tests.support.peer_acts import Act, Answer, Reply
from tests.web.conftest import JSON, Visitor, visiting

ACTIONS = 45
MARK = re.compile(r"mark[0-9]+[abc]")
_NOT_OF_THE_LINE = ("head", "draft", "status", "detail", "asked_again_in_s", "turn_id")
"""What is kept beside the story, and comes back or not for reasons of its own."""


def quoting(received: Received) -> Act:
    """A reply that says again what it was told last, and notes that change something each time."""
    last = str(received.body["messages"][-1]["content"])
    if received.schema_name == "DigestAnswer":
        felt = {"source": "Mira", "target": "You", "affinity": 3, "trust": 1, "reason": "it", "cites": [1]}
        return Answer({"feelings": [felt], "minutes": 4, "minutes_cites": [1], "significance": 2})
    if received.schema_name:
        return Answer(
            {"memory": f"A while at the pier. {' '.join(MARK.findall(last)[-2:])}", "significance": 2}
        )
    return Reply(f'"So {" ".join(MARK.findall(last)[-2:])}," she says.')


class Walk:
    """`chats` maps each chat to the letter that ends every mark said in it."""

    def __init__(self, visitor: Visitor, seed: int) -> None:
        self.visitor, self.chance = visitor, random.Random(seed)
        self.chats: dict[str, str] = {}
        self.marks = 0

    async def begin(self) -> None:
        bots = [await self.visitor.bot(name=name) for name in ("Mira", "Tomas Reed")]
        for letter, bot_id, continuity in zip(
            "abc", (*bots[:1] * 2, bots[1]), ("main", "main", "own"), strict=True
        ):
            self.chats[await self.visitor.chat(bot_id, continuity=continuity)] = letter

    def words(self, chat_id: str) -> str:
        self.marks += 1
        return self.chance.choice(("I see {}.", '"Here is {}."', "/narrate Rain on {}.", "(({}))")).format(
            f"mark{self.marks}{self.chats[chat_id]}"
        )

    async def stand(self, chat_id: str) -> dict[str, Any]:
        """All that the story shows, but what other chats add to it and how many alternatives there are."""
        await self.visitor.settled(chat_id)
        chat = await self.visitor.json(f"/chats/{chat_id}")
        drawer = await self.visitor.json(f"/chats/{chat_id}/drawer")
        for name in _NOT_OF_THE_LINE:
            chat.pop(name)
        for turn in chat["turns"]:
            turn.pop("alternatives")
        drawer.pop("head")
        for owner in drawer["remembered"]:
            owner["memories"] = [one for one in owner["memories"] if one["chat_id"] == chat_id]
        if drawer["last_reply"]:
            for found in ("recalled", "passed_over"):
                drawer["last_reply"].pop(found)
        return {"chat": chat, "drawer": drawer}

    async def act(self, chat_id: str) -> httpx2.Response | None:
        """One thing a person does; None where there is nothing to do it to."""
        at, turns = f"/chats/{chat_id}", await self.visitor.turns(chat_id)
        latest, some = (f"{at}/turns/{one['id']}" for one in (turns[-1], self.chance.choice(turns[-6:])))
        words, kind = {"prose": self.words(chat_id)}, self.chance.choice(_KINDS)
        if kind == "swipe":
            return await self.swipe(at, turns)
        if kind == "change":
            return await self.change(at)
        posted: dict[str, tuple[str, dict[str, str]]] = {
            "say": (f"{at}/turns", words),
            "again": (f"{latest}/regenerate", {}),
            "say again": (f"{latest}/regenerate", words),
            "continue": (f"{latest}/continue", {}),
            "edit": (f"{some}/edit", words),
            "restore": (f"{some}/edit", {"restore": "1"}),
            "go on": (f"{some}/edit", {**words, "go_on": "on"}),
            "rewind": (f"{some}/rewind", {}),
            "close": (f"{at}/scene/close", {"name": self.chance.choice(("The cellar", ""))}),
        }
        path, fields = posted[kind]
        return await self.post(path, **fields)

    async def swipe(self, at: str, turns: list[dict[str, Any]]) -> httpx2.Response | None:
        ways = [one["branch_id"] for turn in turns for one in turn["alternatives"]]
        return await self.post(f"{at}/branches/{self.chance.choice(ways)}/select") if ways else None

    async def change(self, at: str) -> httpx2.Response | None:
        """A value in the drawer, or a pin."""
        forms = (await self.visitor.json(f"{at}/drawer"))["editable"]
        form = self.chance.choice([one for one in forms if one["what"] in _FIELDS])
        if form["what"] == "memory" and self.chance.random() < 0.5:
            return await self.post(f"{at}/drawer/pin/{form['id']}", pinned=self.chance.choice(("on", "")))
        value = str(self.chance.randint(0, 3))
        revision = {"revision": str(form["revision"]), _FIELDS[form["what"]]: value}
        return await self.post(f"{at}/drawer/{form['what']}/{form['id'].replace('>', '%3E')}", **revision)

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        answer = await self.visitor.post(path, JSON, **fields)
        assert answer.status_code < 500, f"{path} {fields}: {answer.text}"
        return answer

    async def steps(self, chat_id: str) -> dict[str, str]:
        found: dict[str, str] = await self.visitor.json(f"/chats/{chat_id}/steps")
        return found

    async def one(self) -> int:
        """An action, then undo, redo and sometimes undo again. Returns how many ways were gone and compared."""
        chat_id = self.chance.choice(list(self.chats))
        before = await self.stand(chat_id)
        answer = await self.act(chat_id)
        after, then = await self.stand(chat_id), await self.steps(chat_id)
        if after == before:
            return 0
        assert answer, "something changed by itself"
        assert answer.status_code < 400, f"{answer.request.url} was refused and changed something"
        assert then["undo"], answer.request.url
        assert not then["redo"], answer.request.url
        for way, wanted in (("undo", before), ("redo", after), ("undo", before))[
            : self.chance.choice((2, 3))
        ]:
            assert (await self.post(f"/chats/{chat_id}/{way}")).status_code == 200
            assert await self.stand(chat_id) == wanted, f"{way} of {answer.request.url}"
        await self.is_told_here(chat_id)
        return 1

    async def is_told_here(self, chat_id: str) -> None:
        """What the drawer holds was said on this line, in whatever version of its turns; page and script agree."""
        turns = await self.visitor.turns(chat_id)
        versions = [await self.visitor.json(f"/chats/{chat_id}/turns/{one['id']}/edit") for one in turns]
        said = {mark for one in versions for mark in MARK.findall(json.dumps(one))}
        drawer = json.dumps((await self.stand(chat_id))["drawer"])
        assert set(MARK.findall(drawer)) <= said
        assert {mark[-1] for mark in said} <= {self.chats[chat_id]}
        page = await self.visitor.get(f"/chats/{chat_id}")
        shown = [one.attrs["data-turn"] for one in page.all("article") if "data-turn" in one.attrs]
        assert shown == [one["id"] for one in turns]


_FIELDS = {"weather": "weather", "edge": "affinity", "memory": "significance", "note": "words"}
_KINDS = ("say",) * 4 + (
    *("again", "say again", "continue", "edit", "restore", "go on"),
    *("rewind", "close", "swipe", "change", "change"),
)


async def test_whatever_a_person_does_undo_and_redo_lead_to_exactly_what_was_there(tmp_path: Path) -> None:
    with Peer(default=quoting) as peer:
        connection = {"base_url": peer.base_url, "narrative_model": "peer-model"}
        async for visitor in visiting(tmp_path / "walk", connection=connection):
            walk = Walk(visitor, seed=1)
            await walk.begin()
            compared = [await walk.one() for _ in range(ACTIONS)]
            assert sum(compared) > ACTIONS // 3, "most of it was refused, so little was tried"
