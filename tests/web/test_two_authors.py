"""Two tabs at the form of one bot, or of one persona: neither takes the other's words away unseen."""

from __future__ import annotations

import asyncio

from tests.support.dom import parse
from tests.web.conftest import JSON, Visitor


async def test_a_bot_written_in_another_tab_meanwhile_is_not_written_over_unseen(visitor: Visitor) -> None:
    bot_id = await visitor.bot(name="Mira", persona="Keeps the light.", traits="slow")
    other_id = await visitor.bot(name="Tomas", persona="Rows.")
    address = f"/bots/{bot_id}"
    first, second = [(await visitor.get(address)).value_of("revision") for _ in range(2)]
    assert (await visitor.post(address, persona="Keeps bees.", revision=first)).status_code == 303
    head = visitor.engine.store.head
    refused = await visitor.post(address, persona="Mends <b>clocks</b>.", traits="slow", revision=second)
    assert refused.status_code == 409
    page = parse(refused.text)
    assert page.value_of("persona") == "Mends <b>clocks</b>."
    assert page.by_id("persona").attrs["aria-describedby"] == "newer-persona hint-persona"
    assert page.by_id("newer-persona").one(cls="newer-value").text == "Keeps bees."
    assert not page.all(id="newer-traits"), "only what differs stands there twice"
    assert "Another tab" in page.by_id("notices").text
    assert visitor.engine.store.head == head
    told = await visitor.post(address, JSON, persona="Mends clocks.", revision=second)
    assert told.status_code == 409
    assert told.json()["error"]["current"]["persona"] == "Keeps bees."
    again = await visitor.post(address, persona="Mends clocks.", revision=page.value_of("revision"))
    assert again.status_code == 303
    assert (await visitor.json(address))["persona"] == "Mends clocks."
    assert (await visitor.json(f"/bots/{other_id}"))["persona"] == "Rows."


async def test_of_two_saves_at_once_one_is_taken_and_the_other_told(visitor: Visitor) -> None:
    address = f"/bots/{await visitor.bot(name='Mira')}"
    revision = (await visitor.json(address))["revision"]
    posts = [visitor.post(address, JSON, persona=one, revision=revision) for one in ("One.", "Two.")]
    answers = await asyncio.gather(*posts)
    assert sorted(one.status_code for one in answers) == [200, 409]


async def test_what_is_not_in_the_form_makes_nothing_stale_and_a_script_need_not_ask(
    visitor: Visitor,
) -> None:
    bot_id = await visitor.bot(name="Mira")
    revision = (await visitor.get(f"/bots/{bot_id}")).value_of("revision")
    await visitor.post(f"/bots/{bot_id}/archive")
    assert (await visitor.post(f"/bots/{bot_id}", persona="Old.", revision=revision)).status_code == 303
    assert (await visitor.post(f"/bots/{bot_id}", JSON, persona="New.")).status_code == 200


async def test_a_persona_written_in_another_tab_meanwhile_is_not_written_over_unseen(
    visitor: Visitor,
) -> None:
    await visitor.post("/settings", name="Alex", persona="A rower.")
    await visitor.post("/settings", you_id="new", name="Sam", persona="A clerk.")
    you_id, revision = await _first_form(visitor)
    mine = {"you_id": you_id, "name": "Alex"}
    saved = await visitor.post("/settings", **mine, persona="A diver.", revision=revision)
    assert saved.status_code == 303
    refused = await visitor.post("/settings", **mine, persona="A thief.", revision=revision)
    assert refused.status_code == 409
    page = parse(refused.text)
    form = next(one for one in page.all("form") if one.all("input", name="you_id", value=you_id))
    assert form.value_of("persona") == "A thief."
    assert form.one(cls="newer-value").text == "A diver."
    newer, _ = form.one("textarea", name="persona").attrs["aria-describedby"].split()
    assert page.by_id(newer).text.endswith("A diver.")
    told = await visitor.post("/settings", JSON, **mine, persona="A thief.", revision=revision)
    assert (told.status_code, told.json()["error"]["current"]["persona"]) == (409, "A diver.")
    again = await visitor.post("/settings", **mine, persona="A thief.", revision=form.value_of("revision"))
    assert again.status_code == 303
    assert {one.persona for one in visitor.engine.store.library.people.values()} == {"A thief.", "A clerk."}


async def _first_form(visitor: Visitor) -> tuple[str, str]:
    page = await visitor.get("/settings")
    form = next(one for one in page.all("form") if one.all("input", name="revision"))
    return form.value_of("you_id"), form.value_of("revision")
