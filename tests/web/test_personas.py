"""Several personas: chosen when a story begins, and later, and never mixed up between stories."""

from __future__ import annotations

import asyncio

from chat.store.verify import verify
from tests.support.dom import parse
from tests.support.peer import Peer
from tests.support.restoring import rows
from tests.web.conftest import JSON, Visitor
from tests.web.test_erase import FOREIGN_SITE, holding
from tests.web.test_portraits import picture as painted


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


async def test_a_persona_nobody_has_met_is_deleted_for_good_with_every_word_of_it(visitor: Visitor) -> None:
    await visitor.post("/settings", name="Jo")
    await visitor.post("/settings", you_id="new", name="Hale", persona="Hides a theremin.")
    ids = {one["name"]: one["id"] for one in (await visitor.json("/settings"))["personas"]}
    address = f"/settings/personas/{ids['Hale']}"
    await visitor.post("/settings", you_id=ids["Hale"], name="Hale Theremin", appearance="A theremin case.")
    picture = await visitor.client.post(
        f"{address}/portrait", files={"picture": ("p.png", painted())}, headers=JSON
    )
    assert picture.status_code == 200, picture.text
    chat_id = await visitor.chat()
    await visitor.say(chat_id, '"Jo is here."')
    assert address + "/delete" in [one.attrs["href"] for one in (await visitor.get("/settings")).all("a")]
    page = await visitor.get(f"{address}/delete")
    assert "This takes Hale Theremin, every earlier version of them" in page.text
    assert page.one("form", cls="sheet-form").attrs["action"] == f"{address}/delete"
    wrong = await visitor.post(f"{address}/delete", name="Jo")
    assert (wrong.status_code, "What was typed is not the name" in wrong.text) == (422, True)
    assert (await visitor.post(f"{address}/delete", FOREIGN_SITE, name="hale theremin")).status_code == 403
    answer = await visitor.post(f"{address}/delete", name="hale theremin")
    assert (answer.status_code, answer.headers["location"]) == (303, "/deleting")
    assert "The words are gone" in (await visitor.get("/deleting")).text
    assert holding(visitor.engine.settings, "theremin") == []
    assert list(visitor.engine.settings.media_dir.iterdir()) == []
    assert [one["name"] for one in (await visitor.json("/settings"))["personas"]] == ["Jo"]
    await visitor.get(f"{address}/delete", 404)
    assert (await visitor.post(f"{address}/delete", JSON, name="Hale Theremin")).status_code == 404
    was = rows(visitor.engine.settings)
    await visitor.engine.store.rebuild()
    assert rows(visitor.engine.settings) == was
    assert await asyncio.to_thread(verify, visitor.engine.settings) == []


async def test_a_persona_a_story_has_words_of_stays_and_so_does_the_default(visitor: Visitor) -> None:
    jo, hale = await _personas(visitor)
    chat_id = await visitor.chat(title="The pier")
    await visitor.post(f"/chats/{chat_id}/persona", you_id=hale)
    await visitor.say(chat_id, '"It is Hale."')
    await visitor.post(f"/chats/{chat_id}/persona", you_id=jo)
    for you_id, name, why in ((hale, "Hale", "“The pier”"), (jo, "Jo", "who you play")):
        page = await visitor.get(f"/settings/personas/{you_id}/delete")
        assert why in page.text
        assert not page.all("form", cls="sheet-form")
        answer = await visitor.post(f"/settings/personas/{you_id}/delete", JSON, name=name)
        assert (answer.status_code, why in answer.text) == (422, True)
    deleted = await visitor.post(f"/chats/{chat_id}/delete", JSON, name="The pier")
    assert deleted.status_code == 200, deleted.text
    answer = await visitor.post(f"/settings/personas/{hale}/delete", JSON, name="Hale")
    assert answer.status_code == 200, answer.text
    assert set(visitor.engine.store.library.people) == {jo}


async def test_what_was_written_for_a_persona_that_went_is_kept(visitor: Visitor) -> None:
    jo, hale = await _personas(visitor)
    bot_id = await visitor.bot()
    await visitor.post(f"/bots/{bot_id}/kickoff", prose="A pier in fog.", you_id=hale)
    answer = await visitor.post(f"/settings/personas/{hale}/delete", JSON, name="Hale")
    assert answer.status_code == 200, answer.text
    refused = await visitor.post("/settings", you_id=hale, name="Hale", persona="A long page.")
    assert refused.status_code == 404
    form = parse(refused.text).by_id("you").all("details")[-1]
    assert (form.value_of("you_id"), form.value_of("persona"), "open" in form.attrs) == (
        "new",
        "A long page.",
        True,
    )
    page = await visitor.get(f"/bots/{bot_id}/kickoff")
    assert (page.value_of("prose"), page.value_of("you_id")) == ("A pier in fog.", jo)


async def present(visitor: Visitor, chat_id: str) -> set[str]:
    return {one["name"] for one in (await visitor.json(f"/chats/{chat_id}/drawer"))["present"]}


async def test_a_turn_said_again_as_another_persona_has_that_one_there_and_nobody_twice(
    connected: Visitor,
) -> None:
    jo, hale = await _personas(connected)
    chat_id = await connected.chat()
    await connected.say(chat_id, '"Jo is here."')
    await connected.post(f"/chats/{chat_id}/persona", you_id=hale)
    await connected.say(chat_id, '"Now it is Hale."')
    for you_id, name in ((jo, "Jo"), (hale, "Hale"), (hale, "Hale")):
        await connected.post(f"/chats/{chat_id}/persona", you_id=you_id)
        reply = (await connected.turns(chat_id))[-1]["id"]
        await connected.post(f"/chats/{chat_id}/turns/{reply}/regenerate", JSON, prose=f'"It is {name}."')
        await connected.settled(chat_id)
        said = [one["speaker"]["name"] for one in await connected.turns(chat_id) if one["role"] == "user"]
        assert (said, await present(connected, chat_id)) == (["Jo", name], {name, "Mira"})
    await connected.engine.store.checkpoint()
    assert await asyncio.to_thread(verify, connected.engine.settings) == []


async def test_a_persona_that_went_does_not_come_back_with_a_reset(connected: Visitor) -> None:
    jo, hale = await _personas(connected)
    bot = await connected.bot()
    chat_id = await connected.chat(bot)
    await connected.post(f"/chats/{chat_id}/persona", you_id=hale)
    await connected.say(chat_id, '"It is Hale."')
    await connected.post(f"/bots/{bot}/reset", JSON, **{f"chat-{chat_id}": "on", "name": "Mira"})
    await connected.say(chat_id, '"Hale begins again."')
    assert await present(connected, chat_id) == {"Hale", "Mira"}
    await connected.post(f"/bots/{bot}/reset", JSON, **{f"chat-{chat_id}": "on", "name": "Mira"})
    await connected.post(f"/chats/{chat_id}/persona", you_id=jo)
    await connected.say(chat_id, '"And now Jo."')
    assert await present(connected, chat_id) == {"Jo", "Mira"}
    reply = (await connected.turns(chat_id))[-1]["id"]
    await connected.post(f"/chats/{chat_id}/persona", you_id=hale)
    await connected.post(f"/chats/{chat_id}/turns/{reply}/regenerate", JSON, prose='"Hale, rather."')
    await connected.settled(chat_id)
    assert await present(connected, chat_id) == {"Hale", "Mira"}
    await connected.engine.store.checkpoint()
    assert await asyncio.to_thread(verify, connected.engine.settings) == []
