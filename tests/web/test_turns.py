"""Writing a turn, in each of the three ways to ask, and never losing a word of it."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest

from tests.support.dom import parse
from tests.support.peer import Peer
from tests.support.peer_acts import Reply, Status
from tests.web.conftest import HTMX, JSON, Visitor

SLOW = Reply(pieces=[f"Word {number}. " for number in range(400)], pace_s=0.02)


async def test_a_plain_form_leads_back_to_the_story(visitor: Visitor) -> None:
    chat_id = await visitor.chat()
    answer = await visitor.post(f"/chats/{chat_id}/turns", prose="*I sit down.*")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chats/{chat_id}")
    await visitor.settled(chat_id)
    page = await visitor.get(f"/chats/{chat_id}")
    kinds = [
        next(iter(turn.classes & {"you", "bot", "opening"}))
        for turn in page.by_id("transcript").all("article")
    ]
    assert kinds == ["opening", "you", "bot"]
    assert page.by_id("transcript").one("article", cls="you").one("em").text == "I sit down."


async def test_a_script_gets_the_ids(connected: Visitor) -> None:
    chat_id = await connected.chat()
    answer = await connected.say(chat_id, "Hello?")
    assert answer.status_code == 202
    told = answer.json()
    assert [turn["id"] for turn in await connected.turns(chat_id)][1:] == [told["turn_id"], told["reply_id"]]


async def test_htmx_gets_both_turns_and_the_status_line(connected: Visitor, peer: Peer) -> None:
    peer.script(SLOW)
    chat_id = await connected.chat()
    answer = await connected.post(f"/chats/{chat_id}/turns", HTMX, prose="Hello?")
    assert answer.status_code == 202
    fragment = parse(answer.text)
    said, reply = fragment.all("article")
    assert said.one(cls="prose").text == "Hello?"
    assert "running" in reply.classes
    assert reply.attrs["aria-busy"] == "true"
    assert reply.one(cls="prose").attrs["data-growing"] == ""
    assert reply.one(cls="name").text == "Mira"
    status = fragment.by_id("status")
    assert status.attrs["hx-swap-oob"] == "outerHTML"
    assert status.by_id("stop").attrs["action"] == f"/chats/{chat_id}/turns/{reply.attrs['data-turn']}/stop"


@pytest.mark.parametrize(
    ("prose", "status", "code"),
    [
        ("", 422, "blank"),
        (" \n\u3000\t", 422, "blank"),
        ("x" * 32_001, 413, "too_long"),
        ("before\x00after", 422, "not_storable"),
    ],
)
async def test_a_refused_turn_says_why_and_stays_in_the_box(
    connected: Visitor, prose: str, status: int, code: str
) -> None:
    chat_id = await connected.chat()
    head = connected.engine.store.head
    refused = await connected.post(f"/chats/{chat_id}/turns", JSON, prose=prose)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    fragment = await connected.post(f"/chats/{chat_id}/turns", HTMX, prose=prose)
    assert (fragment.status_code, fragment.headers["hx-reswap"]) == (status, "none")
    assert parse(fragment.text).one(cls="notice-next").text
    page = await connected.post(f"/chats/{chat_id}/turns", prose=prose)
    assert page.status_code == status
    shown = parse(page.text)
    assert shown.by_id("notices").one(cls="notice-message").text == refused.json()["error"]["message"]
    assert shown.by_id("composer").value_of("prose") == prose.replace("\x00", "\ufffd")
    assert connected.engine.store.head == head


async def test_bytes_that_are_no_text_are_refused_not_replaced(connected: Visitor) -> None:
    chat_id = await connected.chat()
    headers = {**JSON, "Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"prose=a%ED%A0%80b", b"prose=a%FFb", "prose=caf\xe9".encode("latin-1")):
        answer = await connected.client.post(f"/chats/{chat_id}/turns", content=body, headers=headers)
        assert answer.json()["error"]["code"] == "not_storable", body
    lone = await connected.client.post(
        f"/chats/{chat_id}/turns",
        content=b'{"prose": "a\\ud800b"}',
        headers={**JSON, "Content-Type": "application/json"},
    )
    assert lone.json()["error"]["code"] == "not_storable"
    assert len(await connected.turns(chat_id)) == 1


@pytest.mark.parametrize(
    "prose",
    [
        "\n\nA blank line first.",
        "Zoë \U0001f468\u200d\U0001f469\u200d\U0001f467 \u202ereversed\u202c e\u0301 ﷽",
        "a&b=c+d%20e;f#g",
        "<b>not bold</b> &amp; {{7-7}} {% include 'x' %} ${7-7}",
        "x" * 32_000,
    ],
)
async def test_odd_words_are_kept_and_shown_exactly(connected: Visitor, prose: str) -> None:
    chat_id = await connected.chat()
    assert (await connected.say(chat_id, prose)).status_code == 202
    assert (await connected.turns(chat_id))[1]["text"] == prose
    said = (await connected.get(f"/chats/{chat_id}")).one("article", cls="you")
    assert said.one(cls="prose").raw_text.strip() == prose.strip()


async def test_a_second_turn_during_a_reply_is_refused_and_kept(connected: Visitor, peer: Peer) -> None:
    peer.script(SLOW)
    chat_id, other = await connected.chat(), await connected.chat()
    reply_id = (await connected.post(f"/chats/{chat_id}/turns", JSON, prose="One.")).json()["reply_id"]
    error = (await connected.post(f"/chats/{chat_id}/turns", JSON, prose="Two.")).json()["error"]
    assert (error["code"], error["turn_id"]) == ("turn_running", reply_id)
    page = await connected.post(f"/chats/{chat_id}/turns", prose="Two, typed without script.")
    assert page.status_code == 409
    shown = parse(page.text)
    assert shown.by_id("composer").value_of("prose") == "Two, typed without script."
    assert "readonly" not in shown.by_id("prose").attrs  # the next words can be written meanwhile
    assert "disabled" in shown.by_id("send").attrs
    assert (await connected.get(f"/chats/{chat_id}")).by_id("composer").value_of(
        "prose"
    ) == "Two, typed without script."
    assert (await connected.get(f"/chats/{other}")).by_id("composer").value_of("prose") == ""
    assert (await connected.post(f"/chats/{other}/turns", JSON, prose="Elsewhere.")).status_code == 202


async def test_the_same_post_twice_is_one_turn(connected: Visitor) -> None:
    chat_id = await connected.chat()
    first = await connected.post(f"/chats/{chat_id}/turns", JSON, prose="Once.", idempotency_key="k1")
    again = await connected.post(f"/chats/{chat_id}/turns", JSON, prose="Once.", idempotency_key="k1")
    assert first.json() == again.json()
    await connected.settled(chat_id)
    assert len(await connected.turns(chat_id)) == 3


async def test_stop_keeps_what_came_and_can_come_late(connected: Visitor, peer: Peer) -> None:
    peer.script(SLOW)
    chat_id = await connected.chat()
    reply_id = (await connected.post(f"/chats/{chat_id}/turns", JSON, prose="Go on.")).json()["reply_id"]
    while not (running := connected.engine.running_reply(chat_id)) or not running.text:
        await asyncio.sleep(0.01)
    growing = (await connected.get(f"/chats/{chat_id}")).by_id(f"turn-{reply_id}").one(cls="prose")
    assert growing.text.startswith("Word 0.")
    stop = f"/chats/{chat_id}/turns/{reply_id}/stop"
    assert (await connected.post(stop, JSON)).json() == {"stopped": True}
    assert (await connected.post(stop, JSON)).json() == {"stopped": False}
    assert (await connected.post(stop)).status_code == 303
    reply = (await connected.get(f"/chats/{chat_id}")).by_id(f"turn-{reply_id}")
    assert reply.one(cls="prose").text.startswith("Word 0.")
    assert reply.one(cls="face-what").text
    assert [one.text for one in reply.all("button")] == ["Continue", "Retry"]


async def test_a_model_that_fails_is_told_inline_and_retried(connected: Visitor, peer: Peer) -> None:
    chat_id = await connected.chat()
    peer.script(Status(401, {"error": {"message": "no such key sk-canary-0123456789"}}))
    await connected.say(chat_id, "Hello?")
    page = await connected.get(f"/chats/{chat_id}")
    failed = page.one("article", cls="bot")
    assert "key" in failed.one(cls="face-what").text
    assert "sk-canary" not in page.text
    assert "Have it written again" in page.by_id("status").text
    assert failed.one("a", cls="button").attrs["href"] == "/settings#api_key"
    retry = failed.one("form").attrs["action"]
    assert (await connected.post(retry)).status_code == 303
    await connected.settled(chat_id)
    page = await connected.get(f"/chats/{chat_id}")
    assert page.one("article", cls="bot").one(cls="prose").text == 'nods "Mm-hm."'
    assert page.one("article", cls="you").one(cls="prose").text == "Hello?"
    assert "again" not in page.by_id("status").text


async def test_a_finished_reply_can_be_written_again_but_only_the_last(connected: Visitor) -> None:
    chat_id = await connected.chat()
    first = (await connected.say(chat_id, "One.")).json()["reply_id"]
    second = (await connected.say(chat_id, "Two.")).json()["reply_id"]
    page = await connected.get(f"/chats/{chat_id}")
    assert not page.by_id(f"turn-{first}").all("form")
    buttons = [one.text for one in page.by_id(f"turn-{second}").all("button")]
    assert buttons == ["Continue", "Write it again"]
    assert (await connected.post(f"/chats/{chat_id}/turns/{first}/regenerate", JSON)).status_code == 422
    answer = await connected.post(f"/chats/{chat_id}/turns/{second}/regenerate", JSON)
    await connected.settled(chat_id)
    assert (await connected.turns(chat_id))[-1]["id"] == answer.json()["reply_id"]


async def test_what_belongs_to_another_chat_is_not_here(connected: Visitor) -> None:
    mine, other = await connected.chat(), await connected.chat()
    told = (await connected.say(other, "Elsewhere.")).json()
    before = [await connected.turns(one) for one in (mine, other)]
    for turn_id in (told["turn_id"], told["reply_id"], "0", "nonsense"):
        await connected.json(f"/chats/{mine}/turns/{quote(turn_id)}", 404)
        assert (await connected.post(f"/chats/{mine}/turns/{turn_id}/stop", JSON)).status_code == 404
        assert (await connected.post(f"/chats/{mine}/turns/{turn_id}/regenerate", JSON)).status_code == 404
    assert (await connected.post("/chats/nowhere/turns", prose="Lost?")).status_code == 404
    assert [await connected.turns(one) for one in (mine, other)] == before


async def test_one_turn_and_what_is_new_come_as_fragments(connected: Visitor) -> None:
    chat_id = await connected.chat()
    told = (await connected.say(chat_id, "One.")).json()
    head = connected.engine.store.head
    later = (await connected.say(chat_id, "Two.")).json()
    one = await connected.get(f"/chats/{chat_id}/turns/{told['turn_id']}", **HTMX)
    assert one.one("article").attrs["id"] == f"turn-{told['turn_id']}"
    assert int(one.one("article").attrs["data-head"]) == connected.engine.store.head
    new = await connected.get(f"/chats/{chat_id}/transcript?since={head}", **HTMX)
    assert [turn.attrs["data-turn"] for turn in new.all("article")] == [later["turn_id"], later["reply_id"]]
    assert (await connected.json(f"/chats/{chat_id}/turns/{later['reply_id']}"))["role"] == "assistant"


async def test_a_turn_the_story_went_away_from_is_an_empty_answer_to_a_tab_and_none_to_others(
    connected: Visitor,
) -> None:
    chat_id = await connected.chat()
    told = (await connected.say(chat_id, "One.")).json()
    await connected.post(f"/chats/{chat_id}/undo", JSON)
    for turn_id in told.values():
        address = f"/chats/{chat_id}/turns/{turn_id}"
        answer = await connected.client.get(address, headers=HTMX)
        assert (answer.status_code, answer.content) == (204, b"")
        await connected.json(address, 404)
        await connected.get(address, 404)


async def test_a_long_story_is_read_window_by_window(connected: Visitor) -> None:
    chat_id = await connected.chat()
    for number in range(30):
        await connected.say(chat_id, f"Turn {number}.")
    page = await connected.get(f"/chats/{chat_id}")
    assert len(page.all("article")) == 24
    older = page.by_id("older").one("a").attrs["href"]
    earlier = await connected.get(older)
    assert len(earlier.all("article")) == 37
    assert earlier.all("article")[0].one(cls="prose").text == "Fog."
    assert earlier.one("h2", cls="scene").one(cls="scene-place").text == "The pier"
    ids = [turn.attrs["id"] for turn in (*earlier.all("article"), *page.all("article"))]
    assert ids == list(dict.fromkeys(ids))
    fragment = await connected.get(page.by_id("older").one("a").attrs["hx-get"], **HTMX)
    assert [one.attrs["id"] for one in fragment.all("article")] == [
        one.attrs["id"] for one in earlier.all("article")
    ]
    assert not earlier.by_id("transcript").all("button")
    early = earlier.all("article", cls="you")[0].attrs["data-turn"]
    assert (await connected.get(f"/chats/{chat_id}/turns/{early}", **HTMX)).one("article").attrs[
        "data-turn"
    ] == early


async def test_a_draft_is_kept_for_each_chat_until_its_turn_is_taken(connected: Visitor) -> None:
    mine, other = await connected.chat(), await connected.chat()
    kept = await connected.client.put(f"/chats/{mine}/draft", json={"prose": "\nHalf a sent"})
    assert (kept.status_code, kept.content) == (204, b"")
    assert (await connected.client.put(f"/chats/{other}/draft", data={"prose": "Another"})).status_code == 204
    assert (await connected.get(f"/chats/{mine}")).by_id("composer").value_of("prose") == "\nHalf a sent"
    assert (await connected.get(f"/chats/{other}")).by_id("composer").value_of("prose") == "Another"
    await connected.say(mine, "\nHalf a sentence.")
    assert (await connected.get(f"/chats/{mine}")).by_id("composer").value_of("prose") == ""
    assert (await connected.json(f"/chats/{other}"))["draft"] == "Another"
    assert (await connected.client.put("/chats/nowhere/draft", json={"prose": "x"})).status_code == 404


async def test_a_body_of_another_kind_is_refused(connected: Visitor) -> None:
    chat_id = await connected.chat()
    answer = await connected.client.post(f"/chats/{chat_id}/turns", files={"prose": b"x"}, headers=JSON)
    assert answer.status_code == 415
    for body in (b"[]", b"{", b'{"prose": {"a": 1}}', b"[" * 5000):
        headers = {**JSON, "Content-Type": "application/json"}
        answer = await connected.client.post(f"/chats/{chat_id}/turns", content=body, headers=headers)
        assert answer.status_code == 422, body
    many = "&".join(f"f{number}=x" for number in range(500))
    headers = {**JSON, "Content-Type": "application/x-www-form-urlencoded"}
    assert (
        await connected.client.post(f"/chats/{chat_id}/turns", content=many, headers=headers)
    ).status_code == 422
