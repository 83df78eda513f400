"""Turns and what stands around them, fetched together: the same as each alone, of this chat and of this line only."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chat.engine import turn
from chat.engine.engine import Engine
from chat.engine.run import Run
from chat.errors import StoreError
from tests.support.dom import parse
from tests.web.conftest import HTMX, JSON, Visitor

PARTS = ("rail", "steps", "status")


async def told(visitor: Visitor, count: int) -> tuple[str, list[str]]:
    chat_id = await visitor.chat()
    for number in range(count):
        await visitor.say(chat_id, f"Line {number}.")
    return chat_id, [turn["id"] for turn in await visitor.turns(chat_id)]


async def test_turns_old_and_new_come_with_their_parts_as_each_has_them_alone(connected: Visitor) -> None:
    chat_id, turns = await told(connected, 8)
    other, _ = await told(connected, 1)
    wanted = [turns[1], turns[-2], turns[-1]]
    query = "&".join([f"turn={one}" for one in wanted] + [f"part={one}" for one in PARTS])
    fragment = await connected.get(f"/chats/{chat_id}/parts?{query}", **HTMX)
    assert [one.attrs["data-turn"] for one in fragment.all("article")] == wanted
    roots = [one for one in fragment.parts if not isinstance(one, str)]
    assert [one.attrs.get("id") for one in roots][-len(PARTS) :] == list(PARTS)
    assert fragment.by_id("rail").one("a", href=f"/chats/{chat_id}").attrs["aria-current"] == "page"
    assert "aria-current" not in fragment.by_id("rail").one("a", href=f"/chats/{other}").attrs
    for name, address in (("steps", "steps"), ("status", "status")):
        alone = await connected.get(f"/chats/{chat_id}/{address}", **HTMX)
        assert fragment.by_id(name).text == alone.by_id(name).text
    assert int(fragment.by_id("steps").attrs["data-head"]) == connected.engine.store.head


async def test_a_script_gets_the_same_as_json(connected: Visitor) -> None:
    chat_id, turns = await told(connected, 5)
    query = f"turn={turns[0]}&turn={turns[-1]}&part=steps&part=status&part=rail"
    answer = await connected.json(f"/chats/{chat_id}/parts?{query}")
    assert {turn["id"] for turn in answer["turns"]} == {turns[0], turns[-1]}
    assert answer["steps"] == await connected.json(f"/chats/{chat_id}/steps")
    assert answer["status"]["status"] == "idle"
    assert [chat["id"] for chat in answer["rail"]["chats"]] == [chat_id]
    assert answer["head"] == connected.engine.store.head


async def test_what_is_not_asked_for_does_not_come(connected: Visitor) -> None:
    chat_id, _ = await told(connected, 1)
    assert not parse((await connected.client.get(f"/chats/{chat_id}/parts", headers=HTMX)).text).parts
    nothing = {"head": connected.engine.store.head, "turns": []}
    assert await connected.json(f"/chats/{chat_id}/parts") == nothing


async def test_a_turn_the_story_has_left_is_left_out_and_a_foreign_one_is_not_found(
    connected: Visitor,
) -> None:
    chat_id, turns = await told(connected, 2)
    _, theirs = await told(connected, 1)
    assert (await connected.post(f"/chats/{chat_id}/turns/{turns[1]}/rewind", JSON)).status_code == 200
    gone = turns[-1]
    fragment = await connected.get(f"/chats/{chat_id}/parts?turn={gone}&part=status", **HTMX)
    assert not fragment.all("article")
    assert fragment.by_id("status")
    for address in (f"{chat_id}/parts?turn={theirs[0]}", f"nowhere/parts?turn={turns[0]}", "nowhere/parts"):
        for headers in (HTMX, JSON):
            assert (await connected.client.get(f"/chats/{address}", headers=headers)).status_code == 404


async def test_a_part_nobody_knows_and_a_list_without_end_are_refused(connected: Visitor) -> None:
    chat_id, turns = await told(connected, 1)
    for query in ("part=walls", "&".join(f"turn={turns[0]}" for _ in range(21))):
        answer = await connected.client.get(f"/chats/{chat_id}/parts?{query}", headers=JSON)
        assert answer.status_code == 422
        assert answer.json()["error"]["message"]


async def test_a_reply_that_is_being_stored_is_waited_for_by_who_asks_for_it_and_by_nobody_else(
    connected: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page asks when the last word is there, and the fact that it is stored needs no way there and back."""
    (one, before), (other, theirs) = await told(connected, 1), await told(connected, 1)
    being_stored, may_be_stored = asyncio.Event(), asyncio.Event()
    store = turn._store_ending

    async def late(*told: Any) -> None:
        being_stored.set()
        await asyncio.wait_for(may_be_stored.wait(), 20)
        await store(*told)

    monkeypatch.setattr(turn, "_store_ending", late)
    answer = await connected.post(f"/chats/{one}/turns", JSON, prose="And then?")
    reply = answer.json()["reply_id"]
    await asyncio.wait_for(being_stored.wait(), 20)
    asked = asyncio.create_task(connected.get(f"/chats/{one}/parts?turn={reply}", **HTMX))
    for chat_id, turn_id in ((one, before[-1]), (other, theirs[-1])):
        shown = await connected.get(f"/chats/{chat_id}/parts?turn={turn_id}", **HTMX)
        assert shown.one("article").attrs["data-turn"] == turn_id
    assert not asked.done()
    may_be_stored.set()
    stored = (await asyncio.wait_for(asked, 20)).one("article")
    assert stored.attrs["data-turn"] == reply
    assert "running" not in stored.attrs["class"]
    assert int(stored.attrs["data-head"]) == connected.engine.store.head


async def test_who_waits_for_a_reply_that_cannot_be_stored_is_answered_all_the_same(
    connected: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = await told(connected, 1)
    asked: list[asyncio.Task[Any]] = []

    async def never(engine: Engine, run: Run, *_: Any) -> None:
        asked.append(asyncio.create_task(connected.client.get(f"/chats/{one}/parts?turn={run.reply_id}")))
        await asyncio.sleep(0.05)
        raise StoreError("The disk is full.")

    monkeypatch.setattr(turn, "_store_ending", never)
    await connected.post(f"/chats/{one}/turns", JSON, prose="And then?")
    while not asked:
        await connected.pause()
    assert (await asyncio.wait_for(asked[0], 20)).status_code == 200
