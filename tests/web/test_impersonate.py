"""A draft of the player's own turn: words for the box, never for the story."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chat.domain.events import ModelCallFinished
from chat.store import log
from tests.support.dom import parse
from tests.support.peer import Peer
from tests.support.peer_acts import Reply, Status
from tests.web.conftest import HTMX, JSON, Visitor

WAITS_S = 60
"""A model that is stopped long before."""


def calls_of(visitor: Visitor, purpose: str = "impersonate") -> list[ModelCallFinished]:
    rows = visitor.engine.store._live.conn.execute(f"{log.SELECT} order by id").fetchall()
    calls = [event.data for event in log.events_of(rows) if isinstance(event.data, ModelCallFinished)]
    return [call for call in calls if call.purpose == purpose]


def story_events(visitor: Visitor) -> int:
    found = visitor.engine.store._live.conn.execute(
        "select count(*) from event_log where stream like 'chat:%'"
    ).fetchone()
    return int(found[0])


async def draft(visitor: Visitor, chat_id: str, **fields: str) -> Any:
    answer = await visitor.post(f"/chats/{chat_id}/impersonate", JSON, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def kept(visitor: Visitor, chat_id: str) -> str:
    prose: str = (await visitor.json(f"/chats/{chat_id}/draft"))["prose"]
    return prose


async def drafting(visitor: Visitor, chat_id: str, peer: Peer, asked: int) -> None:
    """Until the model was asked for a draft."""
    while visitor.engine.draftings.get(chat_id) is None or len(peer.bodies()) <= asked:
        await asyncio.sleep(0.01)


async def test_the_demo_drafts_a_turn_says_so_and_nothing_of_it_is_in_the_story(visitor: Visitor) -> None:
    chat_id, other = await visitor.chat(), await visitor.chat()
    await visitor.say(chat_id, '"Good evening."')
    before, told = story_events(visitor), await visitor.turns(chat_id)
    drafted = await draft(visitor, chat_id, prose="")
    assert drafted["draft"].startswith("*")
    assert drafted["demo"] is True
    assert await visitor.turns(chat_id) == told
    assert story_events(visitor) == before
    assert await kept(visitor, chat_id) == drafted["draft"]
    assert await kept(visitor, other) == ""
    assert [call.endpoint for call in calls_of(visitor)] == ["demo"]
    assert (await visitor.json(f"/chats/{chat_id}/status"))["status"] == "idle"


async def test_the_model_is_told_who_the_player_is_and_what_they_saw_and_typed(
    connected: Visitor, peer: Peer
) -> None:
    await connected.post("/settings", name="Jo", persona="A surveyor with a bad knee.")
    bot_id = await connected.bot(name="Mira", persona="Hides a treasure map.")
    chat_id = await connected.chat(bot_id)
    peer.script(Reply('"Come in."\n\n/think The ledger is forged.'))
    await connected.say(chat_id, '"I came by the cliff path." ((slow today))')
    peer.script(Reply('*rubs the knee* "Have you a chair?"'))
    typed = "I sit down. ((what now?))\n\n/narrate let it rain"
    drafted = await draft(connected, chat_id, prose=typed)
    assert drafted["draft"] == '*rubs the knee* "Have you a chair?"'
    assert drafted["prose"] == await kept(connected, chat_id) == f"{typed}\n\n{drafted['draft']}"
    asked = str(peer.bodies()[-1]["messages"])
    for told in ("next turn of Jo", "bad knee", "cliff path", "Come in", "I sit down.", "decide for Mira"):
        assert told in asked, told
    for secret in ("treasure map", "ledger", "slow today", "what now", "let it rain"):
        assert secret not in asked, secret
    assert [call.chat_id for call in calls_of(connected)] == [chat_id]
    assert not [body for body in peer.bodies()[:-1] if "bad knee" in str(body)], "no bot is told a persona"


async def test_another_persona_is_not_told_what_the_first_one_thought(connected: Visitor, peer: Peer) -> None:
    chat_id = await connected.chat()
    await connected.say(chat_id, "/think Nobody may learn of the pearl.")
    await connected.post("/settings", you_id="new", name="Ann")
    ann = next(p["id"] for p in (await connected.json("/settings"))["personas"] if p["name"] == "Ann")
    await connected.post(f"/chats/{chat_id}/persona", you_id=ann)
    await connected.say(chat_id, '"Good evening."')
    await draft(connected, chat_id)
    asked = str(peer.bodies()[-1]["messages"])
    assert "next turn of Ann" in asked
    assert "pearl" not in asked


async def test_without_script_the_draft_stands_in_the_box_behind_what_was_typed(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    answer = await visitor.post(f"/chats/{chat_id}/impersonate", prose="I knock twice.")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chats/{chat_id}#prose")
    box = (await visitor.get(f"/chats/{chat_id}")).value_of("prose")
    assert box.startswith("I knock twice.\n\n*")


@pytest.mark.parametrize(
    ("act", "label", "address"),
    [
        (Status(401), "Open Settings", "/settings#api_key"),
        (Status(429, retry_after="50"), "Draft again", "/impersonate"),
        (Reply(""), "Draft again", "/impersonate"),
    ],
)
async def test_a_failure_says_what_it_means_keeps_the_words_and_offers_what_helps(
    connected: Visitor, peer: Peer, act: Any, label: str, address: str
) -> None:
    chat_id = await connected.chat()
    peer.script(act)
    answer = await connected.post(f"/chats/{chat_id}/impersonate", prose="I knock twice.")
    assert answer.status_code == 502
    page = parse(answer.text)
    assert page.value_of("prose") == "I knock twice." == await kept(connected, chat_id)
    notice = page.by_id("notices")
    assert "the words in the box are as they were" in notice.text
    button = next(one for one in (*notice.all("a"), *notice.all("button")) if one.text == label)
    assert str(button.attrs.get("href") or button.attrs["formaction"]).endswith(address)
    assert ("It can be asked again" in notice.text) == (getattr(act, "status", 0) == 429)
    assert [call.status for call in calls_of(connected)] == ["failed"]
    assert (await connected.json(f"/chats/{chat_id}/status"))["status"] == "idle"


async def test_a_draft_is_stopped_by_its_button_and_by_the_players_own_turn(
    connected: Visitor, peer: Peer
) -> None:
    chat_id = await connected.chat()
    for how in ("stop", "turn"):
        asked = len(peer.bodies())
        peer.script(Reply("Never read.", wait_s=WAITS_S))
        waiting = asyncio.create_task(connected.post(f"/chats/{chat_id}/impersonate", JSON, prose="I wait."))
        await drafting(connected, chat_id, peer, asked)
        again = await connected.post(f"/chats/{chat_id}/impersonate", JSON)
        assert again.status_code == 422
        page = await connected.get(f"/chats/{chat_id}")
        assert page.by_id("stop").attrs["action"] == f"/chats/{chat_id}/impersonate/stop"
        if how == "stop":
            answer = await connected.post(f"/chats/{chat_id}/impersonate/stop")
            assert answer.status_code == 303
        else:
            await connected.say(chat_id, '"Never mind."')
        stopped = (await waiting).json()
        assert (stopped["stopped"], stopped["draft"]) == (True, "")
        assert await kept(connected, chat_id) == ("I wait." if how == "stop" else "")
    assert [call.status for call in calls_of(connected)] == ["stopped", "stopped"]
    none = await connected.post(f"/chats/{chat_id}/impersonate/stop", JSON)
    assert none.json() == {"stopped": False}


async def test_no_draft_while_a_reply_is_written_and_none_for_strangers(
    connected: Visitor, peer: Peer
) -> None:
    chat_id, other = await connected.chat(), await connected.chat()
    peer.script(Reply("A slow reply.", wait_s=WAITS_S))
    running = (await connected.post(f"/chats/{chat_id}/turns", JSON, prose='"Well?"')).json()["reply_id"]
    refused = await connected.post(f"/chats/{chat_id}/impersonate", JSON)
    assert refused.status_code == 409
    elsewhere = await connected.post(f"/chats/{other}/impersonate", HTMX)
    assert parse(elsewhere.text).by_id("drafted").text
    await connected.post(f"/chats/{chat_id}/turns/{running}/stop", JSON)
    foreign = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
    for address in ("impersonate", "impersonate/stop"):
        assert (await connected.post(f"/chats/nothing/{address}", JSON)).status_code == 404
        assert (await connected.post(f"/chats/{other}/{address}", foreign)).status_code == 403
    assert len(calls_of(connected)) == 1
