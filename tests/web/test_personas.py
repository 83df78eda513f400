"""Several personas: chosen when a story begins, and later, and never mixed up between stories."""

from __future__ import annotations

from tests.support.peer import Peer
from tests.web.conftest import JSON, Visitor


async def _personas(visitor: Visitor) -> tuple[str, str]:
    await visitor.post("/settings", name="Jo", appearance="A red scarf.")
    await visitor.post("/settings", you_id="new", name="Hale", appearance="A grey coat.")
    ids = {one["name"]: one["id"] for one in (await visitor.json("/settings"))["personas"]}
    return ids["Jo"], ids["Hale"]


async def test_a_story_is_begun_as_the_chosen_persona(connected: Visitor, peer: Peer) -> None:
    jo, hale = await _personas(connected)
    bot_id = await connected.bot()
    await connected.post(f"/bots/{bot_id}/kickoff", prose="A pier.", you_id=hale)
    chat_id = (await connected.post(f"/bots/{bot_id}/kickoff", JSON, action="confirm")).json()["chat_id"]
    assert (await connected.json(f"/chats/{chat_id}"))["you"]["id"] == hale
    other = await connected.chat(bot_id)
    assert (await connected.json(f"/chats/{other}"))["you"]["id"] == jo


async def test_another_persona_goes_on_from_the_next_turn(connected: Visitor, peer: Peer) -> None:
    jo, hale = await _personas(connected)
    chat_id, other = await connected.chat(), await connected.chat()
    await connected.say(chat_id, '"Jo is here."')
    answer = await connected.post(f"/chats/{chat_id}/persona", you_id=hale)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chats/{chat_id}")
    reply = (await connected.turns(chat_id))[-1]["id"]
    await connected.post(f"/chats/{chat_id}/turns/{reply}/regenerate", JSON)
    await connected.settled(chat_id)
    again = [body for body in peer.bodies() if "response_format" not in body][-1]
    assert "The player writes Jo" in str(again["messages"]), "what Jo said is answered as said by Jo"
    await connected.say(chat_id, '"Now it is Hale."')
    turns = await connected.turns(chat_id)
    assert [turn["speaker"]["name"] for turn in turns if turn["role"] == "user"] == ["Jo", "Hale"]
    present = {one["name"] for one in (await connected.json(f"/chats/{chat_id}/drawer"))["present"]}
    assert present == {"Hale", "Mira"}
    assert "grey coat" in str([body for body in peer.bodies() if "response_format" not in body][-1])
    assert (await connected.json(f"/chats/{other}"))["you"]["id"] == jo


async def test_undo_takes_the_turn_back_whole_with_who_came_and_went(visitor: Visitor) -> None:
    _, hale = await _personas(visitor)
    chat_id = await visitor.chat()
    await visitor.post(f"/chats/{chat_id}/persona", you_id=hale)
    await visitor.say(chat_id, '"It is Hale."')
    undone = await visitor.post(f"/chats/{chat_id}/undo", JSON)
    assert undone.json()["words"] == '"It is Hale."'
    present = {one["name"] for one in (await visitor.json(f"/chats/{chat_id}/drawer"))["present"]}
    assert "Jo" in present
    assert "Hale" not in present


async def test_a_persona_that_is_none_is_refused(visitor: Visitor) -> None:
    chat_id, bot_id = await visitor.chat(), await visitor.bot()
    assert (await visitor.post(f"/chats/{chat_id}/persona", JSON, you_id="you:nobody")).status_code == 404
    assert (await visitor.post(f"/chats/{chat_id}/persona", JSON, you_id=bot_id)).status_code == 404
    assert (await visitor.post("/chats/nothing/persona", JSON, you_id="x")).status_code == 404
