"""Bots: authored from a form, shown exactly, put away and brought back."""

from __future__ import annotations

import pytest

from chat.web.routes.bots import split_samples
from tests.support.dom import parse
from tests.web.conftest import JSON, Visitor

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><base href=//evil.test>",
    "</textarea><form action=//evil.test>",
    "{{7*7}} {% raw %} {0.__class__} %(x)s ${7*7}",
    "![a](http://sink.test/?q=1) [x](javascript:alert(1))",
    "\u202eevil\u202c \u200b\u200b",
    "＜script＞alert(1)＜/script＞",
]


async def test_a_new_bot_leads_to_its_opening(visitor: Visitor) -> None:
    answer = await visitor.post(
        "/bots/new",
        name="  Tomas\r\nLind ",
        persona="Ferryman.\r\nSleeps by day.",
        voice_samples='"Aye."\r\n---\r\n\r\n*He spits.* "Nay."\r\n  -----  \r\n',
        traits="slow, kind ,, , stubborn",
        kickoff_prose="The ferry, dawn.",
    )
    assert answer.status_code == 303
    bot_id = answer.headers["location"].removeprefix("/bots/").removesuffix("/kickoff")
    bot = await visitor.json(f"/bots/{bot_id}")
    assert bot["name"] == "Tomas Lind"
    assert bot["persona"] == "Ferryman.\nSleeps by day."
    assert bot["voice_samples"] == ['"Aye."', '*He spits.* "Nay."']
    assert bot["traits"] == ["slow", "kind", "stubborn"]
    assert (await visitor.get(answer.headers["location"])).value_of("prose") == "The ferry, dawn."


@pytest.mark.parametrize(
    ("text", "samples"),
    [
        ("", ()),
        ("---", ()),
        ("a", ("a",)),
        ("a\n---\nb", ("a", "b")),
        ("a --- b", ("a --- b",)),
        ("a\n--\nb", ("a\n--\nb",)),
    ],
)
def test_samples_are_parted_by_a_line_of_dashes(text: str, samples: tuple[str, ...]) -> None:
    assert split_samples(text) == samples


async def test_bots_stand_where_their_names_are_looked_for(visitor: Visitor) -> None:
    for bot in (await visitor.json("/bots"))["bots"]:
        await visitor.post(f"/bots/{bot['id']}/archive")
    for name in ("Zoë", "Émile", "emil", "Ärger", "Arno", "مريم", "🦊"):
        await visitor.bot(name=name)
    listed = [bot["name"] for bot in (await visitor.json("/bots"))["bots"]]
    assert listed == ["Ärger", "Arno", "emil", "Émile", "Zoë", "مريم", "🦊"]


async def test_a_refused_bot_keeps_every_word(visitor: Visitor) -> None:
    head = visitor.engine.store.head
    answer = await visitor.post("/bots/new", name=" ", persona="\nLong\nwork", traits="a, b")
    assert answer.status_code == 422
    page = parse(answer.text)
    assert page.by_id("notices").one(cls="notice-message").text == "A bot needs a name."
    assert page.by_id("name").attrs["aria-invalid"] == "true"
    assert page.value_of("persona") == "\nLong\nwork"
    assert page.value_of("traits") == "a, b"
    assert visitor.engine.store.head == head
    assert (await visitor.post("/bots/new", JSON, name="x" * 201)).json()["error"]["code"] == "too_long"


async def test_writing_a_bot_anew_keeps_what_was_not_sent(visitor: Visitor) -> None:
    bot_id = await visitor.bot(name="Mira", persona="Keeper.", traits="wry, slow")
    other = await visitor.bot(name="Tomas")
    answer = await visitor.post(f"/bots/{bot_id}", name="Mira Vale")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bots/{bot_id}?kept=on")
    assert (await visitor.get(answer.headers["location"])).by_id("notices").text.endswith(" is saved.")
    bot = await visitor.json(f"/bots/{bot_id}")
    assert (bot["name"], bot["persona"], bot["traits"]) == ("Mira Vale", "Keeper.", ["wry", "slow"])
    assert (await visitor.json(f"/bots/{other}"))["name"] == "Tomas"
    assert (await visitor.post("/bots/nobody", JSON, name="X")).status_code == 404


async def test_a_bot_put_away_leaves_the_list_but_not_its_chats(visitor: Visitor) -> None:
    bot_id = await visitor.bot(name="Zed")
    chat_id = await visitor.chat(bot_id)
    assert (await visitor.post(f"/bots/{bot_id}/archive")).headers["location"] == "/bots"
    listed = await visitor.json("/bots")
    assert bot_id not in [bot["id"] for bot in listed["bots"]]
    assert [bot["id"] for bot in listed["archived"]] == [bot_id]
    assert (await visitor.get(f"/chats/{chat_id}")).one("h1").text
    assert (await visitor.get(f"/bots/{bot_id}")).text.count("Bring back") == 1
    assert (await visitor.post(f"/bots/{bot_id}/archive", JSON)).status_code == 422
    assert (await visitor.post(f"/bots/{bot_id}/restore")).headers["location"] == f"/bots/{bot_id}"


@pytest.mark.parametrize("text", HOSTILE)
async def test_names_and_texts_are_only_ever_text(connected: Visitor, text: str) -> None:
    fields = dict.fromkeys(
        ("persona", "appearance", "backstory", "initial_relationship_to_you", "kickoff_prose"), text
    )
    bot_id = await connected.bot(name=text, voice_samples=text, traits=text.replace(",", ""), **fields)
    chat_id = await connected.chat(
        bot_id, title=text, place_name=text, opening=text, feeling_summary=text, facts=text
    )
    await connected.say(chat_id, text)
    await connected.post("/settings", name=text, persona=text, pronouns=text, appearance=text)
    shown = " ".join(text.split())
    for address in (
        "/chats",
        "/bots",
        f"/bots/{bot_id}",
        f"/bots/{bot_id}/kickoff",
        f"/chats/{chat_id}",
        "/settings",
    ):
        page = await connected.get(address)
        for one in page.walk():
            assert one.tag not in ("iframe", "object", "embed", "base", "style", "img"), address
            assert not [name for name in one.attrs if name.startswith("on") or name == "style"], address
            assert not one.attrs.get("href", "").lower().startswith(("javascript:", "//", "http")), address
            assert one.tag != "form" or one.attrs["action"].startswith("/"), address
        assert all(script.attrs["src"].startswith("/static/") for script in page.all("script")), address
    page = await connected.get(f"/chats/{chat_id}")
    assert page.one("title").text == shown
    assert page.one("h1").text == shown
    form = await connected.get(f"/bots/{bot_id}")
    assert form.value_of("name") == shown
    assert form.value_of("persona") == text


async def test_the_field_that_is_too_long_says_so_itself(visitor: Visitor) -> None:
    words = {"persona": "p" * 32_001, "backstory": "b"}
    for path, names in (("/bots/new", {"name": "Mira"}), ("/settings", {"name": "Jo", "you_id": "new"})):
        page = parse((await visitor.post(path, **names, **words)).text)
        (marked,) = [one for one in page.walk() if one.attrs.get("aria-invalid")]
        assert marked.attrs["name"] == "persona"
        told = page.by_id(marked.attrs["aria-describedby"].split()[0]).text
        assert told.startswith("The text has 32,001 characters; one field can have 32,000."), told
        assert marked.raw_text.strip() == words["persona"]
