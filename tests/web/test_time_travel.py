"""Going back and forth from the page: each step in each of the three ways to ask, in one chat and no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chat.engine.impact import FeelingLost, Impact
from chat.web.views import travel
from tests.support.dom import Element, parse
from tests.support.peer import Peer
from tests.support.peer_acts import Reply
from tests.web.conftest import HTMX, JSON, Visitor

SLOW = Reply(pieces=[f"Word {number}. " for number in range(400)], pace_s=0.02)
HOSTILE = '</textarea><script>alert(1)</script> "quoted" & {{ 7*7 }} \u202ereversed'


async def told(visitor: Visitor, *lines: str) -> tuple[str, list[str]]:
    """A chat in which these were said; the replies' ids."""
    chat_id = await visitor.chat()
    return chat_id, [(await visitor.say(chat_id, line)).json()["reply_id"] for line in lines]


async def texts(visitor: Visitor, chat_id: str) -> list[str]:
    return [turn["text"] for turn in await visitor.turns(chat_id) if turn["role"] == "user"]


async def again(visitor: Visitor, chat_id: str, reply_id: str, **fields: str) -> str:
    answer = await visitor.post(f"/chats/{chat_id}/turns/{reply_id}/regenerate", JSON, **fields)
    assert answer.status_code == 202, answer.text
    await visitor.settled(chat_id)
    new_id: str = answer.json()["reply_id"]
    return new_id


def offered(page: Element) -> dict[str, str]:
    """The button of the notice: what stands on it, where it posts to and what with."""
    form = page.by_id("notices").one("form")
    hidden = {one.attrs["name"]: one.attrs["value"] for one in form.all("input")}
    return {"label": form.one("button").text, "action": form.attrs["action"], **hidden}


async def test_what_a_rewind_would_leave_behind_is_told_before(connected: Visitor) -> None:
    chat_id, (first, _) = await told(connected, "One.", "Two.")
    address = f"/chats/{chat_id}/turns/{first}/rewind"
    branch = connected.engine.store.library.chats[chat_id].branch_id
    counted = await connected.json(address)
    assert (counted["turn_id"], counted["turns"]) == (first, 2)
    assert "2 turns are left behind." in counted["sentences"]
    page = await connected.get(address)
    assert [one.text for one in page.one(cls="losses").all("li")] == counted["sentences"]
    assert page.by_id("going-back").one(cls="actions").one("form").attrs["action"] == address
    fragment = await connected.get(address, **HTMX)
    assert not fragment.all("html")
    assert fragment.by_id("going-back").text == page.by_id("going-back").text
    assert len(await texts(connected, chat_id)) == 2
    assert connected.engine.store.library.chats[chat_id].branch_id == branch


async def test_at_the_end_of_the_story_there_is_nothing_to_go_back_from(connected: Visitor) -> None:
    chat_id, (last,) = await told(connected, "One.")
    assert await connected.engine.digests.wait(chat_id, 20)
    page = await connected.get(f"/chats/{chat_id}/turns/{last}/rewind")
    assert not page.by_id("going-back").one(cls="actions").all("form")
    answer = await connected.post(f"/chats/{chat_id}/turns/{last}/rewind", JSON)
    assert answer.status_code == 422


async def test_a_rewind_is_answered_as_it_was_asked(connected: Visitor) -> None:
    chat_id, (first, second, _) = await told(connected, "One.", "Two.", "Three.")
    answer = await connected.post(f"/chats/{chat_id}/turns/{second}/rewind", JSON)
    assert (answer.status_code, answer.json()["undo"]) == (200, "the rewind")
    assert await texts(connected, chat_id) == ["One.", "Two."]
    answer = await connected.post(f"/chats/{chat_id}/turns/{first}/rewind", HTMX)
    fragment = parse(answer.text)
    assert fragment.one(cls="notice").one("form").attrs["action"] == f"/chats/{chat_id}/undo"
    assert fragment.by_id("steps").attrs["hx-swap-oob"] == fragment.by_id("status").attrs["hx-swap-oob"]
    assert await texts(connected, chat_id) == ["One."]
    opening = (await connected.turns(chat_id))[0]["id"]
    answer = await connected.post(f"/chats/{chat_id}/turns/{opening}/rewind")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chats/{chat_id}?went=rewind")
    page = await connected.get(answer.headers["location"])
    assert offered(page) == {"label": "Undo", "action": f"/chats/{chat_id}/undo"}
    assert "data-passing" in page.by_id("notices").one(cls="notice").attrs
    assert await texts(connected, chat_id) == []


async def test_the_buttons_say_what_they_will_do_and_do_it(connected: Visitor) -> None:
    chat_id, _ = await told(connected, "One.", "Two.")
    page = await connected.get(f"/chats/{chat_id}")
    assert page.by_id("undo").text == "Undo: your last turn"
    assert not page.all(id="redo")
    plain = await connected.post(f"/chats/{chat_id}/undo")
    assert (plain.status_code, plain.headers["location"]) == (303, f"/chats/{chat_id}?went=undo")
    page = await connected.get(plain.headers["location"])
    assert offered(page) == {"label": "Redo", "action": f"/chats/{chat_id}/redo"}
    assert page.by_id("composer").value_of("prose") == "Two."
    assert page.by_id("redo").text == "Redo: your last turn"
    fragment = parse((await connected.post(f"/chats/{chat_id}/redo", HTMX)).text)
    assert fragment.one(cls="notice-message").text == "Brought back your last turn."
    assert (await connected.json(f"/chats/{chat_id}/draft"))["prose"] == ""
    answer = (await connected.post(f"/chats/{chat_id}/undo", JSON)).json()
    assert (answer["what"], answer["words"], answer["redo"]) == ("your last turn", "Two.", "your last turn")
    assert await connected.json(f"/chats/{chat_id}/steps") == {
        "undo": "your last turn",
        "redo": "your last turn",
        "undo_told": "your last turn",
        "redo_told": "your last turn",
    }
    fragment = await connected.get(f"/chats/{chat_id}/steps", **HTMX)
    assert [button.attrs["id"] for button in fragment.all("button")] == ["undo", "redo"]


async def test_with_nothing_to_undo_there_is_no_button_and_a_plain_refusal(connected: Visitor) -> None:
    chat_id = await connected.chat()
    page = await connected.get(f"/chats/{chat_id}?went=undo")
    assert not page.by_id("steps").all("button")
    assert not page.by_id("notices").all(cls="notice")
    for way in ("undo", "redo"):
        assert (await connected.post(f"/chats/{chat_id}/{way}", JSON)).status_code == 422
        answer = await connected.post(f"/chats/{chat_id}/{way}", HTMX)
        assert (answer.status_code, answer.headers["hx-reswap"]) == (422, "none")
        shown = parse((await connected.post(f"/chats/{chat_id}/{way}")).text)
        assert shown.by_id("notices").one(cls="notice-message").text.startswith("There is nothing")
        assert shown.by_id("transcript").all("article")


async def test_a_way_back_is_offered_only_while_it_leads_there(connected: Visitor) -> None:
    chat_id, (first, _) = await told(connected, "One.", "Two.")
    await connected.post(f"/chats/{chat_id}/turns/{first}/rewind", JSON)
    assert offered(await connected.get(f"/chats/{chat_id}?went=rewind"))["label"] == "Undo"
    await connected.say(chat_id, "Three.")
    for kind in ("rewind", "swipe", "undo", "<b>", "nonsense"):
        page = await connected.get(f"/chats/{chat_id}?went={kind}")
        assert not page.by_id("notices").all(cls="notice"), kind


async def test_the_replies_written_in_one_place_are_counted_and_one_press_apart(
    connected: Visitor, peer: Peer
) -> None:
    chat_id, (first,) = await told(connected, "One.")
    peer.script(Reply("Another."))
    second = await again(connected, chat_id, first)
    page = await connected.get(f"/chats/{chat_id}")
    reply = page.by_id(f"turn-{second}")
    assert reply.one(cls="swipe-count").text == "2 of 2"
    previous, following = reply.all("button", cls="arrow")
    assert "disabled" in following.attrs
    assert "disabled" not in previous.attrs
    address = reply.one(cls="swipe").one("form").attrs["action"]
    plain = await connected.post(address)
    assert (plain.status_code, plain.headers["location"]) == (303, f"/chats/{chat_id}?went=swipe")
    page = await connected.get(plain.headers["location"])
    assert offered(page)["label"] == "Undo"
    reply = page.by_id(f"turn-{first}")
    assert reply.one(cls="swipe-count").text == "1 of 2"
    forth = reply.one(cls="swipe").one("form").attrs["action"]
    fragment = parse((await connected.post(forth, HTMX)).text)
    assert fragment.one(cls="notice-message").text == "The story goes on from another reply."
    there = (await connected.turns(chat_id))[-1]
    assert (there["id"], there["text"]) == (second, "Another.")
    assert [one["turn_id"] for one in there["alternatives"]] == [first, second]
    told_back = (await connected.post(address, JSON)).json()
    assert told_back["branch_id"] == there["alternatives"][0]["branch_id"]
    assert (await connected.turns(chat_id))[-1]["id"] == first


async def test_an_earlier_reply_has_its_arrows_too(connected: Visitor) -> None:
    chat_id, (first,) = await told(connected, "One.")
    second = await again(connected, chat_id, first)
    await connected.say(chat_id, "Two.")
    page = await connected.get(f"/chats/{chat_id}")
    reply = page.by_id(f"turn-{second}")
    assert reply.one(cls="swipe-count").text == "2 of 2"
    assert not reply.all(cls="again")
    await connected.post(reply.one(cls="swipe").one("form").attrs["action"], JSON)
    assert await texts(connected, chat_id) == ["One."]
    back = (await connected.get(f"/chats/{chat_id}")).by_id(f"turn-{first}").one(cls="swipe").one("form")
    await connected.post(back.attrs["action"], JSON)
    assert await texts(connected, chat_id) == ["One.", "Two."]


async def test_ones_own_latest_turn_is_sent_again_in_other_words(connected: Visitor) -> None:
    chat_id, (first, second) = await told(connected, "One.", "Two.")
    page = await connected.get(f"/chats/{chat_id}")
    (editor,) = page.all("details", cls="rewrite")
    assert editor.value_of("prose") == "Two."
    form = editor.one("form").attrs["action"]
    assert form == f"/chats/{chat_id}/turns/{second}/regenerate"
    plain = await connected.post(form, prose="Two, but better.")
    assert (plain.status_code, plain.headers["location"]) == (303, f"/chats/{chat_id}")
    await connected.settled(chat_id)
    assert await texts(connected, chat_id) == ["One.", "Two, but better."]
    latest = (await connected.turns(chat_id))[-1]["id"]
    answer = await connected.post(f"/chats/{chat_id}/turns/{latest}/regenerate", HTMX, prose="Best.")
    assert answer.status_code == 202
    assert parse(answer.text).by_id("status").attrs["hx-swap-oob"] == "outerHTML"
    await connected.settled(chat_id)
    assert await texts(connected, chat_id) == ["One.", "Best."]
    await connected.post(f"/chats/{chat_id}/undo", JSON)
    await connected.post(f"/chats/{chat_id}/undo", JSON)
    assert await texts(connected, chat_id) == ["One.", "Two."]
    assert first in [turn["id"] for turn in await connected.turns(chat_id)]


@pytest.mark.parametrize(
    ("prose", "status"), [("  ", 422), ("x" * 32_001, 413), ("a\x00b", 422), (HOSTILE, 422)]
)
async def test_refused_other_words_stay_in_their_form(connected: Visitor, prose: str, status: int) -> None:
    chat_id, (first, _) = await told(connected, "One.", "Two.")
    address = (
        f"/chats/{chat_id}/turns/{first}/regenerate"  # not the latest, so that good words are refused too
    )
    before = await connected.turns(chat_id)
    assert (await connected.post(address, JSON, prose=prose)).status_code == status
    fragment = await connected.post(address, HTMX, prose=prose)
    assert (fragment.status_code, fragment.headers["hx-reswap"]) == (status, "none")
    answer = await connected.post(address, prose=prose)
    page = parse(answer.text)
    editor = page.one("details", cls="rewrite")
    assert "open" in editor.attrs
    assert editor.value_of("prose") == prose.replace("\x00", "\ufffd")
    assert page.by_id("notices").one(cls="notice-message").text
    assert [turn["id"] for turn in await connected.turns(chat_id)] == [turn["id"] for turn in before]


async def test_hostile_words_are_words_wherever_they_are_shown(connected: Visitor, peer: Peer) -> None:
    peer.script(Reply('<img src=x onerror=alert(1)> "Hm."'))
    chat_id, (first,) = await told(connected, HOSTILE)
    await connected.say(chat_id, "On.")
    page = await connected.get(f"/chats/{chat_id}/turns/{first}/rewind")
    assert not page.by_id("going-back").all("img")
    assert "<img src=x onerror=alert(1)>" in page.by_id("going-back").text
    await connected.post(f"/chats/{chat_id}/turns/{first}/rewind", JSON)
    page = await connected.get(f"/chats/{chat_id}")
    assert page.one("details", cls="rewrite").value_of("prose") == HOSTILE
    assert not [one for one in page.all("script") if "src" not in one.attrs]


async def running(visitor: Visitor, peer: Peer) -> tuple[str, str, str]:
    """A chat with one reply, and a second that is being written: chat, first reply, running reply."""
    chat_id, (first,) = await told(visitor, "One.")
    peer.script(SLOW)
    reply_id = (await visitor.post(f"/chats/{chat_id}/turns", JSON, prose="Two.")).json()["reply_id"]
    while not (now := visitor.engine.running_reply(chat_id)) or not now.text:
        await asyncio.sleep(0.01)
    return chat_id, first, reply_id


async def test_while_a_reply_is_written_stopping_it_first_is_offered(connected: Visitor, peer: Peer) -> None:
    chat_id, first, reply_id = await running(connected, peer)
    branch = connected.engine.store.library.chats[chat_id].branch_id
    for path in (f"turns/{first}/rewind", "undo", "redo", f"branches/{branch}/select"):
        address = f"/chats/{chat_id}/{path}"
        error = (await connected.post(address, JSON)).json()["error"]
        assert (error["code"], error["turn_id"]) == ("turn_running", reply_id), path
        fragment = parse((await connected.post(address, HTMX)).text)
        assert fragment.one("form").attrs["action"] == address
        answer = await connected.post(address)
        assert answer.status_code == 409
        offer = offered(parse(answer.text))
        assert (offer["action"], offer["stop"]) == (address, "on")
        assert offer["label"].startswith("Stop the reply and ")
    again = f"/chats/{chat_id}/turns/{reply_id}/regenerate"
    refused = await connected.post(again, prose="Other words.")
    assert (offered(parse(refused.text))["action"], offered(parse(refused.text))["stop"]) == (again, "on")
    assert "Other words." in {one.attrs.get("value") for one in parse(refused.text).all("input")}
    refused = await connected.post(f"/chats/{chat_id}/turns/{first}/regenerate", prose="Other words.")
    link = parse(refused.text).by_id("notices").one("a")
    assert (link.text, link.attrs["href"]) == (
        "Go back to that reply first",
        f"/chats/{chat_id}/turns/{first}/rewind",
    )
    assert (await connected.get(link.attrs["href"])).one("button", cls="primary").text == "Rewind to here"
    assert connected.engine.runs.get(chat_id)
    went = await connected.post(f"/chats/{chat_id}/turns/{first}/rewind", stop="on")
    assert went.status_code == 303
    assert connected.engine.runs.get(chat_id) is None
    assert await texts(connected, chat_id) == ["One."]
    assert (await connected.post(f"/chats/{chat_id}/undo", JSON)).json()["what"] == "the rewind"
    assert (await connected.turns(chat_id))[-1]["text"].startswith("Word 0.")


async def test_the_running_reply_is_stopped_and_written_again_at_once_when_asked(
    connected: Visitor, peer: Peer
) -> None:
    chat_id, _, reply_id = await running(connected, peer)
    new_id = await again(connected, chat_id, reply_id, stop="on")
    assert [turn["id"] for turn in await connected.turns(chat_id)][-1] == new_id


async def test_a_reply_that_is_written_anew_already_can_only_be_stopped(
    connected: Visitor, peer: Peer
) -> None:
    chat_id, (first,) = await told(connected, "One.")
    peer.script(SLOW)
    answer = await connected.post(f"/chats/{chat_id}/turns/{first}/regenerate", JSON)
    anew = answer.json()["reply_id"]
    refused = await connected.post(f"/chats/{chat_id}/turns/{first}/regenerate")
    assert offered(parse(refused.text)) == {
        "label": "Stop the reply",
        "action": f"/chats/{chat_id}/turns/{anew}/stop",
    }


async def test_what_belongs_to_another_chat_is_not_here(connected: Visitor) -> None:
    mine, _ = await told(connected, "Mine.")
    other, (first, _) = await told(connected, "Elsewhere.", "And on.")
    branch = connected.engine.store.library.chats[other].branch_id
    before = [await connected.turns(one) for one in (mine, other)]
    paths = (f"turns/{first}/rewind", f"turns/{first}/regenerate", f"branches/{branch}/select")
    for headers in (JSON, HTMX, {}):
        for path in (*paths, "turns/nonsense/rewind", "branches/nonsense/select"):
            assert (await connected.post(f"/chats/{mine}/{path}", headers)).status_code == 404, path
        for path in ("undo", "redo"):
            assert (await connected.post(f"/chats/nowhere/{path}", headers)).status_code == 404
        for path in (f"{mine}/turns/{first}/rewind", "nowhere/steps", "nowhere/draft"):
            assert (await connected.client.get(f"/chats/{path}", headers=headers)).status_code == 404
    assert [await connected.turns(one) for one in (mine, other)] == before


def test_the_sentences_before_a_rewind_are_plain() -> None:
    felt: Any = (FeelingLost("Mira", "Ada", 5, -3), FeelingLost("Ada", "Mira", 0, 2))
    impact = Impact(turns=1, scenes=1, memories=2, pins=1, edits=1, minutes=1505, events=9, feelings=felt)
    assert travel.losses(impact) == [
        "1 turn is left behind.",
        "The close of a scene is undone.",
        "2 memories are forgotten.",
        "1 change to the pins is undone.",
        "1 change by hand is undone.",
        "What Mira feels for Ada: affinity falls by 5 and trust rises by 3.",
        "What Ada feels for Mira: trust falls by 2.",
        "The clock of the story goes back by 1 day 1 hour 5 minutes.",
    ]
    assert travel.losses(Impact()) == []
