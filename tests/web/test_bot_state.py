"""A page of a bot that stays open while the bot goes away: it says so, and no word written there is lost."""

from __future__ import annotations

import pytest

from tests.support.dom import parse
from tests.web.conftest import HTMX, JSON, Visitor


async def gone(visitor: Visitor) -> tuple[str, str]:
    """A bot that was deleted for good, and one that stays."""
    bot, other = await visitor.bot(name="Mira Vale"), await visitor.bot(name="Tomas")
    answer = await visitor.post(f"/bots/{bot}/delete", JSON, name="Mira Vale")
    assert answer.status_code == 200, answer.text
    return bot, other


async def test_an_open_page_hears_that_its_bot_is_put_away_and_that_it_is_back(visitor: Visitor) -> None:
    bot, other = await visitor.bot(name="Mira Vale"), await visitor.bot(name="Tomas")
    for page in (f"/bots/{bot}", f"/bots/{bot}/kickoff", f"/bots/{bot}/reset", f"/bots/{bot}/delete"):
        state = (await visitor.get(page)).by_id("bot-state")
        assert state.text == ""
        await visitor.post(f"/bots/{bot}/archive", JSON)
        looked = await visitor.get(state.attrs["data-address"])
        assert "Mira Vale is put away." in looked.by_id("bot-state").text
        assert (await visitor.get(page)).by_id("bot-state").text == looked.by_id("bot-state").text
        answer = await visitor.post(looked.one("form").attrs["action"], HTMX)
        assert answer.headers["HX-Redirect"] == f"/bots/{bot}"
        assert (await visitor.get(state.attrs["data-address"])).by_id("bot-state").text == ""
    assert await visitor.json(f"/bots/{other}/state") == {"bot_id": other, "state": "there"}


async def test_an_open_page_hears_that_its_bot_is_gone_and_what_can_be_done(visitor: Visitor) -> None:
    bot, other = await gone(visitor)
    for on, way_on in (
        ("author", "/bots/new"),
        ("kickoff", "/chats/new"),
        ("reset", "/bots"),
        ("?", "/bots/new"),
    ):
        state = (await visitor.get(f"/bots/{bot}/state?on={on}")).by_id("bot-state")
        assert "This bot was deleted for good" in state.text
        led = [one.attrs for one in (*state.all("button"), *state.all("a"))]
        assert [one.get("formaction") or one.get("href") for one in led] == [way_on]
    assert (await visitor.json(f"/bots/{bot}/state"))["state"] == "gone"
    assert (await visitor.json(f"/bots/{other}/state"))["state"] == "there"


async def test_what_is_saved_for_a_bot_that_is_gone_stands_in_the_form_of_a_new_one(visitor: Visitor) -> None:
    bot, _ = await gone(visitor)
    answer = await visitor.post(f"/bots/{bot}", name="Mira Vale", persona="Keeper.\nLong work.", traits="wry")
    assert answer.status_code == 404
    page = parse(answer.text)
    assert "it was deleted for good" in page.by_id("notices").text
    assert "becomes a new bot" in page.by_id("notices").text
    assert page.by_id("bot-form").attrs["action"] == "/bots/new"
    assert page.value_of("persona") == "Keeper.\nLong work."
    assert (page.value_of("name"), page.value_of("traits")) == ("Mira Vale", "wry")
    refused = await visitor.post(f"/bots/{bot}", JSON, name="Mira Vale")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    assert "deleted for good" in (await visitor.post(f"/bots/{bot}", HTMX, name="Mira Vale")).text


@pytest.mark.parametrize("action", ["parse", "save", "confirm", "begin"])
async def test_an_opening_for_a_bot_that_is_gone_is_given_back(visitor: Visitor, action: str) -> None:
    bot, _ = await gone(visitor)
    head = visitor.engine.store.head
    answer = await visitor.post(
        f"/bots/{bot}/kickoff", action=action, prose="Fog on the pier.", opening='"Ahoy," <b>she</b> says.'
    )
    assert answer.status_code == 404
    page = parse(answer.text)
    assert "it was deleted for good" in page.by_id("notices").text
    assert (
        page.by_id("typed").raw_text.strip() == 'Prose: Fog on the pier.\n\nOpening: "Ahoy," <b>she</b> says.'
    )
    assert visitor.engine.store.head == head


async def test_a_turn_for_a_chat_that_is_gone_is_given_back_without_script(visitor: Visitor) -> None:
    answer = await visitor.post("/chats/nowhere/turns", prose="I <i>wave</i>.", idempotency_key="k")
    assert answer.status_code == 404
    assert parse(answer.text).by_id("typed").raw_text.strip() == "I <i>wave</i>."
    assert "idempotency" not in answer.text
    assert (await visitor.get("/chats/nowhere", 404)).all(id="typed") == []
