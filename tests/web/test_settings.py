"""Settings: who you are, and a connection whose key never comes back."""

from __future__ import annotations

import pytest

from tests.support.dom import parse
from tests.support.peer import Peer, Received
from tests.support.peer_acts import Act, Answer, Reply, Status
from tests.web.conftest import JSON, KEY, Visitor

OTHER_HOST = "http://127.0.0.1:59999/v1"


async def test_the_default_persona_is_edited_without_naming_it(visitor: Visitor) -> None:
    answer = await visitor.post("/settings", name="Jo", pronouns="they/them", persona="A surveyor.")
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings?kept=persona")
    assert (await visitor.get(answer.headers["location"])).by_id("notices").text == "Your persona is saved."
    (jo,) = (await visitor.json("/settings"))["personas"]
    assert (jo["name"], jo["pronouns"], jo["persona"], jo["is_default"]) == (
        "Jo",
        "they/them",
        "A surveyor.",
        True,
    )
    assert "You are Jo" in (await visitor.get("/chats")).by_id("rail").text


async def test_a_second_persona_can_become_the_default(visitor: Visitor) -> None:
    await visitor.post("/settings", name="Jo")
    await visitor.post("/settings", you_id="new", name="Hale", is_default="on")
    people = {one["name"]: one for one in (await visitor.json("/settings"))["personas"]}
    assert (people["Jo"]["is_default"], people["Hale"]["is_default"]) == (False, True)
    await visitor.post("/settings", you_id=people["Jo"]["id"], name="Jo", persona="Changed.")
    people = {one["name"]: one for one in (await visitor.json("/settings"))["personas"]}
    assert (people["Jo"]["persona"], people["Hale"]["is_default"]) == ("Changed.", True)
    assert (await visitor.post("/settings", JSON, you_id="you:nobody", name="X")).status_code == 404


async def test_a_refused_persona_keeps_what_was_typed(visitor: Visitor) -> None:
    answer = await visitor.post("/settings", you_id="new", name="", persona="\nA long life.")
    assert answer.status_code == 422
    fields = [form for form in parse(answer.text).by_id("you").all("form") if form.all(name="you_id")]
    (new,) = [form for form in fields if form.value_of("you_id") == "new"]
    assert new.value_of("persona") == "\nA long life."
    assert len((await visitor.json("/settings"))["personas"]) == 1


async def test_the_key_is_nowhere_but_in_its_file(visitor: Visitor, peer: Peer) -> None:
    saved = await visitor.post("/settings", JSON, base_url=peer.base_url, api_key=KEY)
    page = await visitor.client.get("/settings")
    told = await visitor.client.get("/settings", headers=JSON)
    assert KEY in visitor.engine.settings.config_path.read_text("utf-8")
    for answer in (page, told, saved):
        assert "sk-" not in answer.text
    assert parse(page.text).by_id("api_key").attrs["value"] == ""
    assert "set" in parse(page.text).one("label", for_="api_key").text
    assert saved.json()["connection"]["api_key"] == "set"


async def test_an_empty_key_keeps_the_stored_one_and_a_box_forgets_it(visitor: Visitor, peer: Peer) -> None:
    await visitor.post("/settings", base_url=peer.base_url, api_key=KEY, narrative_model="m")
    await visitor.post("/settings", base_url=peer.base_url, api_key="", narrative_model="n")
    connection = visitor.engine.settings.connection
    assert (connection.narrative_model, connection.key_to_send is not None) == ("n", True)
    await visitor.post("/settings", base_url=peer.base_url, forget_key="on")
    assert visitor.engine.settings.connection.api_key is None


async def test_the_key_is_asked_again_for_another_server(visitor: Visitor, peer: Peer) -> None:
    await visitor.post("/settings", base_url=peer.base_url, api_key=KEY)
    answer = await visitor.post("/settings", base_url=OTHER_HOST, api_key="", narrative_model="typed")
    assert answer.status_code == 422
    page = parse(answer.text)
    assert page.by_id("api_key").attrs["aria-invalid"] == "true"
    assert page.value_of("base_url") == OTHER_HOST
    assert page.value_of("narrative_model") == "typed"
    assert KEY not in answer.text
    assert visitor.engine.settings.connection.base_url == peer.base_url


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", "hot"),
        ("temperature", "3"),
        ("temperature", "nan"),
        ("reply_tokens", "1.5"),
        ("reply_tokens", "9" * 30),
        ("base_url", "javascript:alert(1)"),
        ("base_url", "http://169.254.169.254/"),
    ],
)
async def test_an_impossible_setting_is_marked_and_nothing_changes(
    visitor: Visitor, field: str, value: str
) -> None:
    before = visitor.engine.settings.connection
    answer = await visitor.post("/settings", **{field: value})
    assert answer.status_code == 422
    page = parse(answer.text)
    marked = page.by_id(field)
    assert marked.attrs["aria-invalid"] == "true"
    told = page.by_id(marked.attrs["aria-describedby"].split()[0]).text
    assert told.startswith(page.by_id("notices").one(cls="notice-message").text)
    assert page.value_of(field) == value
    assert visitor.engine.settings.connection == before


async def test_the_test_button_says_in_sentences_what_works(connected: Visitor, peer: Peer) -> None:
    answer = await connected.post("/settings/test", base_url=peer.base_url, narrative_model="peer-model")
    page = parse(answer.text)
    assert page.by_id("probe").all("li")
    assert all(one.text for one in page.by_id("probe").all("li"))
    assert "peer-model" in [one.attrs["value"] for one in page.by_id("models").all("option")]
    told = (await connected.post("/settings/test", JSON)).json()
    assert told["models"] == ["peer-model"]


async def test_the_test_button_tries_the_model_that_reads_as_well(visitor: Visitor) -> None:
    def speaks(received: Received) -> Act:
        if received.body["model"] == "reader":
            return Status(404, {"error": {"message": "the model does not exist"}})
        return Answer({"sky": "clear", "windy": False}) if received.schema_name else Reply("Hello there.")

    with Peer(default=speaks, models=[{"id": "writer"}]) as peer:
        await visitor.post("/settings/test", base_url=peer.base_url, narrative_model="writer")
        alone = (await visitor.post("/settings/test", JSON)).json()["findings"]
        await visitor.post("/settings", narrative_model="writer", classifier_model="reader")
        both = (await visitor.post("/settings/test", JSON)).json()["findings"]
    assert {"what": "structured", "ok": True} | {"sentence": alone[-1]["sentence"]} == alone[-1]
    assert not any("writer" in one["sentence"] for one in alone), "there is one model: everybody knows which"
    told = {one["what"]: (one["ok"], one["sentence"]) for one in both}
    assert told["model"] == (None, "reader is not in the list; some servers accept it all the same.")
    assert told["stream"][1].startswith("writer replied")
    assert told["structured"][0] is False
    assert "reader gave no structured answer" in told["structured"][1]


async def test_a_server_that_is_not_there_is_told_in_a_sentence(visitor: Visitor) -> None:
    answer = await visitor.post("/settings/test", base_url=OTHER_HOST, narrative_model="m")
    finding = parse(answer.text).by_id("probe").all("li")[0]
    assert "bad" in finding.classes
    assert finding.text
    assert (await visitor.json("/settings/models")) == {"models": []}


@pytest.mark.parametrize(
    ("back", "location"),
    [
        ("/bots?x=1", "/bots?x=1"),
        ("", "/settings"),
        ("//evil.test", "/settings"),
        ("https://evil.test", "/settings"),
        ("/\\evil.test", "/settings"),
        ("/a\r\nX: 1", "/settings"),
    ],
)
async def test_the_colours_are_kept_and_lead_only_to_our_own_pages(
    visitor: Visitor, back: str, location: str
) -> None:
    answer = await visitor.post("/settings/theme", theme="dark", back=back)
    assert (answer.status_code, answer.headers["location"]) == (303, location)
    assert "httponly" in answer.headers["set-cookie"].lower()
    page = await visitor.get("/chats", Cookie="theme=dark")
    assert page.one("html").attrs["data-theme"] == "dark"
    assert page.one("button", value="dark").attrs["aria-pressed"] == "true"
    assert (await visitor.get("/chats", Cookie='theme="><script>')).one("html").attrs[
        "data-theme"
    ] == "system"
