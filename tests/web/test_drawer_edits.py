"""Changing things by hand in the drawer: as a plain form, a fragment and JSON, and what comes of a refusal."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.dom import Element, parse
from tests.support.peer import Peer
from tests.support.peer_acts import Answer
from tests.web.conftest import HTMX, JSON, Visitor

DIGEST = "DigestAnswer"
HOSTILE = '"><script>alert(1)</script> {{ 7*7 }} \u202e <img src=x onerror=alert(1)> & 💡'
EDITS = [
    ("place", {"name": "The new quay", "is_public": "on"}, "The new quay"),
    ("clock", {"at": "2026-11-21T06:30"}, "Saturday 21 November 2026, 06:30"),
    ("weather", {"weather": "fog"}, "fog"),
    ("activity", {"action": "winding the clock", "holding": "a key, a lamp"}, "holding a key, a lamp"),
    ("edge", {"affinity": "71", "trust": "12", "summary": "Wary.", "facts": "He lies.\nHe sings."}, "Wary."),
    ("memory", {"text": "He brought olives.", "significance": "3"}, "He brought olives."),
]


@pytest.fixture
async def chat(connected: Visitor, peer: Peer) -> str:
    chat_id = await connected.chat()
    peer.script(Answer({"significance": 1}), on=DIGEST)
    await connected.say(chat_id, '"I brought oil."')
    return chat_id


async def thing(visitor: Visitor, chat_id: str, what: str) -> dict[str, Any]:
    editable = (await visitor.json(f"/chats/{chat_id}/drawer"))["editable"]
    found: dict[str, Any] = next(one for one in editable if one["what"] == what)
    return found


def address(chat_id: str, one: dict[str, Any]) -> str:
    return f"/chats/{chat_id}/drawer/{one['what']}/{quote(one['id'], safe='')}"


def form_of(page: Element, action: str) -> Element:
    return next(
        one for one in page.by_id("drawer").all("form", cls="edit-form") if one.attrs["action"] == action
    )


def sent(form: Element, **typed: str) -> dict[str, str]:
    """What a browser sends for the form with these fields typed over; an empty tick is not sent."""
    ticks = {one.attrs["name"]: "checked" in one.attrs for one in form.all(type="checkbox")}
    names = {one.attrs["name"] for one in form.walk() if "name" in one.attrs and one.tag != "button"}
    values = {name: form.value_of(name) for name in names if name not in ticks}
    return values | {name: "on" for name, is_set in ticks.items() if is_set} | typed


@pytest.mark.parametrize(("what", "typed", "shown"), EDITS, ids=[one[0] for one in EDITS])
async def test_everything_can_be_changed_by_a_plain_form(
    connected: Visitor, chat: str, what: str, typed: dict[str, str], shown: str
) -> None:
    action = address(chat, await thing(connected, chat, what))
    page = await connected.get(f"/chats/{chat}")
    answer = await connected.post(action, **sent(form_of(page, action), **typed))
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(f"/chats/{chat}?drawer=open#{what}")
    after = await connected.get(f"/chats/{chat}?drawer=open")
    assert "open" in after.by_id("drawer-panel").attrs
    assert shown in after.by_id("drawer").text
    assert "set by hand" in after.by_id("drawer").text
    for name, value in typed.items():
        assert name in (await thing(connected, chat, what))["set_by_hand"] or what == "place", (name, value)


@pytest.mark.parametrize(("what", "typed", "shown"), EDITS, ids=[one[0] for one in EDITS])
async def test_everything_can_be_changed_by_a_script(
    connected: Visitor, chat: str, what: str, typed: dict[str, str], shown: str
) -> None:
    one = await thing(connected, chat, what)
    values: dict[str, Any] = {**typed, "revision": one["revision"]}
    if "facts" in values:
        values["facts"] = values["facts"].split("\n")
    answer = await connected.client.post(address(chat, one), json=values, headers=JSON)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["head"] == told["revision"] == connected.engine.store.head
    assert told == {"head": told["head"], **await thing(connected, chat, what)}
    fragment = await connected.get(f"/chats/{chat}/drawer", **HTMX)
    assert shown in fragment.text


async def test_a_form_sent_back_as_it_was_changes_and_fixes_nothing(connected: Visitor, chat: str) -> None:
    page = await connected.get(f"/chats/{chat}")
    head = connected.engine.store.head
    for form in page.by_id("drawer").all("form", cls="edit-form"):
        if "/drawer/" in form.attrs["action"]:
            assert (await connected.post(form.attrs["action"], **sent(form))).status_code == 303
    assert connected.engine.store.head == head


async def test_only_what_was_changed_is_fixed_and_can_be_released(connected: Visitor, chat: str) -> None:
    one = await thing(connected, chat, "edge")
    action = address(chat, one)
    form = form_of(await connected.get(f"/chats/{chat}"), action)
    page = parse((await connected.post(action, HTMX, **sent(form, trust="7"))).text)
    marks = page.one("form", cls="by-hand")
    assert "Trust set by hand" in marks.text
    release = marks.one("button")
    assert (release.attrs["name"], release.attrs["value"]) == ("release", "trust")
    revision = marks.value_of("revision")
    answer = await connected.post(action, revision=revision, release="trust")
    assert answer.status_code == 303
    after = await thing(connected, chat, "edge")
    assert (after["set_by_hand"], after["values"]["trust"]) == ([], 7)
    assert not (await connected.get(f"/chats/{chat}")).by_id("drawer").all("form", cls="by-hand")


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
async def test_a_stale_edit_shows_the_newer_value_beside_the_typed_one(
    connected: Visitor, chat: str, headers: dict[str, str]
) -> None:
    one = await thing(connected, chat, "edge")
    action = address(chat, one)
    mine = sent(
        form_of(await connected.get(f"/chats/{chat}"), action), affinity="40", summary="Mine, <b>typed</b>."
    )
    theirs = {"revision": str(one["revision"]), "affinity": "60", "trust": "61"}
    assert (await connected.post(action, JSON, **theirs)).status_code == 200
    head = connected.engine.store.head
    answer = await connected.post(action, headers, **mine)
    assert answer.status_code == 409
    assert connected.engine.store.head == head
    page = parse(answer.text)
    form = form_of(page, action)
    assert "changed since you opened it" in form.text
    assert (form.value_of("affinity"), form.value_of("summary")) == ("40", "Mine, <b>typed</b>.")
    assert form.value_of("trust") == "61"
    newer = [(one.attrs["id"], one.one(cls="newer-value").text) for one in form.all("p", cls="newer")]
    assert [(name.rpartition("-")[2], value) for name, value in newer] == [
        ("affinity", "60"),
        ("summary", "nothing"),
    ]
    assert [button.text for button in form.all("button")] == ["Take mine", "Keep theirs"]
    kept = await connected.post(action, **sent(form), keep="theirs")
    assert kept.status_code == 303
    assert connected.engine.store.head == head
    assert (await connected.post(action, **sent(form))).status_code == 303
    after = (await thing(connected, chat, "edge"))["values"]
    assert (after["affinity"], after["trust"], after["summary"]) == (40, 61, "Mine, <b>typed</b>.")


async def test_a_script_that_is_stale_gets_the_newer_values_and_their_revision(
    connected: Visitor, chat: str
) -> None:
    one = await thing(connected, chat, "weather")
    action = address(chat, one)
    assert (
        await connected.post(action, JSON, revision=str(one["revision"]), weather="snow")
    ).status_code == 200
    answer = await connected.post(action, JSON, revision=str(one["revision"]), weather="fog")
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert (error["code"], error["current"]) == ("stale", {"weather": "snow"})
    again = await connected.post(action, JSON, revision=str(error["revision"]), weather="fog")
    assert again.json()["values"] == {"weather": "fog"}
    assert (await connected.post(action, JSON, weather="hail")).status_code == 409


@pytest.mark.parametrize(
    ("what", "field", "typed", "sentence"),
    [
        ("edge", "affinity", "lots & more", "Affinity is a whole number from 0 to 100."),
        ("edge", "trust", "101", "Trust is a whole number from 0 to 100."),
        ("edge", "summary", "x" * 2001, "This can have 2,000 characters"),
        ("clock", "at", "soonish", "This is not a date and time."),
        ("weather", "weather", "y" * 2001, "This can have 2,000 characters"),
        ("place", "name", " ", "This cannot be empty."),
        ("memory", "text", " \n ", "This cannot be empty."),
        ("activity", "action", "z" * 2001, "This can have 2,000 characters"),
        ("edge", "facts", "Short.\n" + "x" * 2001, "This can have 2,000 characters"),
        ("edge", "facts", "\n".join(f"Fact {number}." for number in range(41)), "This can have 40 entries"),
    ],
)
async def test_a_wrong_value_is_refused_beside_its_field_and_stays_there(
    connected: Visitor, chat: str, what: str, field: str, typed: str, sentence: str
) -> None:
    action = address(chat, await thing(connected, chat, what))
    fields = sent(form_of(await connected.get(f"/chats/{chat}"), action), **{field: typed})
    head = connected.engine.store.head
    for headers in ({}, HTMX):
        answer = await connected.post(action, headers, **fields)
        assert answer.status_code == 422
        form = form_of(parse(answer.text), action)
        assert form.value_of(field) == typed
        wrong = form.one("p", cls="refusal")
        assert sentence in wrong.text
        entry = next(one for one in form.all(name=field))
        assert wrong.attrs["id"] in entry.attrs["aria-describedby"].split()
        assert entry.attrs["aria-invalid"] == "true"
    error = (await connected.post(action, JSON, **fields)).json()["error"]
    assert (error["code"], error["field"]) == ("value", field)
    assert connected.engine.store.head == head


async def test_text_that_cannot_be_stored_is_refused_and_shown_again(connected: Visitor, chat: str) -> None:
    one = await thing(connected, chat, "weather")
    answer = await connected.post(
        address(chat, one), revision=str(one["revision"]), weather="rain \x00 and more"
    )
    assert answer.status_code == 422
    form = form_of(parse(answer.text), address(chat, one))
    assert form.value_of("weather") == "rain \ufffd and more"
    assert "cannot be stored" in form.text


@pytest.mark.parametrize(
    ("what", "field"),
    [
        ("place", "name"),
        ("place", "container_type"),
        ("weather", "weather"),
        *(("activity", name) for name in ("posture", "action", "holding", "attention", "status")),
        *(("edge", name) for name in ("summary", "facts")),
        ("memory", "text"),
        ("note", "words"),
    ],
)
async def test_hostile_text_is_only_ever_text(connected: Visitor, chat: str, what: str, field: str) -> None:
    one = await thing(connected, chat, what)
    action = address(chat, one)
    answer = await connected.post(action, revision=str(one["revision"]), **{field: HOSTILE})
    assert answer.status_code == 303
    page = await connected.get(f"/chats/{chat}")
    scripts = page.all("script")
    assert all("src" in script.attrs for script in scripts)
    assert not page.by_id("drawer").all("img")
    assert not [one for one in page.walk() if any(name.startswith("on") for name in one.attrs)]
    assert form_of(page, action).value_of(field) == HOSTILE
    stored = (await thing(connected, chat, what))["values"][field]
    assert stored == HOSTILE or stored == [HOSTILE]


async def test_things_of_another_chat_are_not_found(connected: Visitor, chat: str) -> None:
    other = await connected.chat()
    head = connected.engine.store.head
    for what in ("place", "activity", "edge", "memory"):
        one = await thing(connected, chat, what)
        for headers in (JSON, HTMX, {}):
            answer = await connected.post(
                address(other, one), headers, revision=str(one["revision"]), name="x", action="x", text="x"
            )
            assert answer.status_code == 404, (what, headers)
    memory = (await thing(connected, chat, "memory"))["id"]
    turn = (await connected.turns(chat))[-1]["id"]
    for path in (
        f"/chats/{other}/drawer/pin/{memory}",
        f"/chats/{other}/turns/{turn}/digest",
        f"/chats/{chat}/drawer/nothing/-",
        f"/chats/{chat}/drawer/memory/none",
        "/chats/none/drawer/weather/-",
    ):
        answer = await connected.post(path, JSON, pinned="on", revision="1")
        assert answer.status_code == 404, path
    assert connected.engine.store.head == head
    assert (await connected.client.get("/chats/none/drawer")).status_code == 404


async def test_a_memory_is_pinned_and_let_go(connected: Visitor, chat: str) -> None:
    one = await thing(connected, chat, "memory")
    pin = f"/chats/{chat}/drawer/pin/{one['id']}"
    answer = await connected.post(pin, pinned="on")
    assert answer.status_code == 303
    assert answer.headers["location"].endswith(f"?drawer=open#memory-{one['id']}")
    drawer = await connected.get(f"/chats/{chat}/drawer", **HTMX)
    assert "1/8" in drawer.text
    assert "pinned by hand" in drawer.text
    form = next(one for one in drawer.all("form", cls="pin"))
    assert form.attrs["action"] == pin
    after = parse((await connected.post(pin, HTMX, pinned=form.value_of("pinned"))).text)
    assert "0/8" in after.text
    assert (await connected.post(pin, JSON, pinned="on")).json()["id"] == one["id"]


async def test_a_ninth_pin_is_refused_with_a_sentence_at_its_memory(connected: Visitor, peer: Peer) -> None:
    chat_id = await connected.chat()
    for number in range(9):
        peer.script(Answer({"significance": 1}), on=DIGEST)
        await connected.say(chat_id, f'"Number {number}."')
        memory = (await thing(connected, chat_id, "memory"))["id"]
        answer = await connected.post(f"/chats/{chat_id}/drawer/pin/{memory}", HTMX, pinned="on")
    assert answer.status_code == 422
    page = parse(answer.text)
    assert "All 8 places are pinned by hand." in page.by_id(f"memory-of-{memory}").text
    assert "8/8" in page.text


async def test_a_long_memory_gets_its_form_only_when_it_is_wanted(connected: Visitor, peer: Peer) -> None:
    chat_id = await connected.chat()
    peer.script(Answer({"significance": 1}), on=DIGEST)
    long = "A long night. " * 400
    await connected.say(chat_id, long)
    page = await connected.get(f"/chats/{chat_id}")
    memory = page.one("li", cls="memory")
    assert not memory.all("textarea")
    link = next(one.attrs["href"] for one in memory.all("a") if one.text.startswith("Edit"))
    wanted = await connected.get(link.partition("#")[0])
    form = wanted.by_id(link.partition("#")[2]).one("form", cls="edit-form")
    assert long.strip() in form.value_of("text")
    answer = await connected.post(form.attrs["action"], **sent(form, text="Short now."))
    assert answer.status_code == 303
    assert "Short now." in (await connected.get(f"/chats/{chat_id}")).by_id("drawer").text
