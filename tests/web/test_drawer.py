"""What the drawer shows: the present, feelings with their reasons, memories, and the record of the last reply."""

from __future__ import annotations

import pytest

from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply
from tests.web.conftest import HTMX, JSON, Visitor

DIGEST, SCENE = "DigestAnswer", "SceneMemoryAnswer"
WARM = {
    "feelings": [
        {"source": "Mira", "target": "You", "affinity": 5, "trust": -2, "reason": "was warmed", "cites": [1]},
        {"source": "Nobody", "target": "You", "affinity": 9, "trust": 9, "reason": "x", "cites": [1]},
    ],
    "facts": [{"owner": "Mira", "about": "You", "text": "You brought oil.", "cites": [1]}],
    "activities": [{"who": "Mira", "posture": "standing", "action": "filling the lamp", "cites": [2]}],
    "minutes": 12,
    "minutes_cites": [1],
    "weather": "clearing",
    "weather_cites": [1],
    "significance": 3,
}


async def told(visitor: Visitor, peer: Peer, digest: object = WARM, words: str = '"I brought oil."') -> str:
    chat_id = await visitor.chat()
    peer.script(Answer(digest), on=DIGEST)
    await visitor.say(chat_id, words)
    return chat_id


async def test_a_new_story_has_a_drawer_that_says_what_is_not_there_yet(visitor: Visitor) -> None:
    page = await visitor.get(f"/chats/{await visitor.chat()}")
    drawer = page.by_id("drawer")
    assert "The pier" in drawer.text
    assert "Here since" in drawer.text
    assert "Nothing is said of the weather." in drawer.text
    assert "No reply has been asked for yet." in drawer.text
    assert "0/8" in drawer.text
    assert "open" not in page.by_id("drawer-panel").attrs
    assert all("open" not in one.attrs for one in drawer.all("details"))


async def test_it_tells_what_a_reply_changed_and_why(connected: Visitor, peer: Peer) -> None:
    chat_id = await told(connected, peer)
    drawer = await connected.get(f"/chats/{chat_id}/drawer", **HTMX)
    feeling = drawer.all(cls="feeling")[0]
    assert [one.text for one in feeling.all("dd")] == ["55", "48"]
    assert [one.attrs["width"] for one in feeling.all("rect", cls="meter-fill")] == ["55", "48"]
    assert "was warmed" in feeling.text
    reply = drawer.by_id("reply")
    turn = reply.all("a")[0].attrs["href"]
    assert feeling.all("a")[0].attrs["href"] == turn
    assert [one.text for one in reply.one("ul", cls="changes").all("li")][:2] == [
        "Mira toward You: affinity +5 and trust −2, was warmed.",
        "Mira learned: You brought oil.",
    ]
    assert "Mira: standing, filling the lamp." in reply.text
    assert "The weather: clearing." in reply.text
    assert "a feeling: it names somebody who is not there" in reply.by_id("dropped").text
    assert "tokens" in reply.by_id("told").text
    assert "filling the lamp" in drawer.by_id("drawer-part-present").text


@pytest.mark.parametrize("why", ["left_place", "time_skip", "parted"])
async def test_why_a_scene_closed_is_told_in_words(connected: Visitor, peer: Peer, why: str) -> None:
    ended = {"scene": {"ended": True, "why": why, "next_place": "the park", "cites": [1]}}
    chat_id = await told(connected, peer, ended, "We go on.")
    changes = (await connected.json(f"/chats/{chat_id}/drawer"))["last_reply"]["digest"]["changes"]
    closed = [one for one in changes if one.startswith("The scene closed: ")]
    assert len(closed) == 1
    assert why not in closed[0].replace("parted.", "")


async def test_memories_tell_how_much_they_matter_and_where_they_are_from(
    connected: Visitor, peer: Peer
) -> None:
    chat_id = await told(connected, peer)
    memory = (await connected.get(f"/chats/{chat_id}/drawer", **HTMX)).one("li", cls="memory")
    assert "I brought oil" in memory.one("p", cls="memory-text").text
    assert memory.one("svg", cls="weight").attrs["aria-label"] == "pivotal"
    assert len(memory.all("circle", cls="weight-on")) == 3
    assert "pinned by itself" in memory.text
    assert memory.all("a")[0].attrs["href"].startswith(f"/chats/{chat_id}/turns/")
    data = (await connected.json(f"/chats/{chat_id}/drawer"))["remembered"][0]
    assert (data["pins"], data["pins_most"], data["memories"][0]["weight"]) == (1, 8, 3)


async def test_the_same_facts_come_as_json(connected: Visitor, peer: Peer) -> None:
    chat_id = await told(connected, peer)
    data = await connected.json(f"/chats/{chat_id}/drawer")
    assert (data["place"], data["weather"]) == ("The pier", "clearing")
    assert data["feelings"][0]["affinity"] == 55
    assert data["head"] == connected.engine.store.head
    reply = data["last_reply"]
    assert reply["prompt"]["sections"]
    assert reply["digest"]["failed"] is False
    assert {one["what"] for one in data["editable"]} == {
        "place", "clock", "weather", "activity", "edge", "memory", "note",
    }  # fmt: skip


async def test_what_was_recalled_passed_over_and_withheld_is_told(connected: Visitor, peer: Peer) -> None:
    bot_id = await connected.bot()
    first = await connected.chat(bot_id)
    for words in ("The ruby lies under the third stair.", "The stair creaks.", "A stair of stone."):
        peer.script(Answer({"significance": 1}), on=DIGEST)
        await connected.say(first, f'"{words}"')
    second = await connected.chat(bot_id, title="Later")
    await connected.say(second, '((an aside)) "What of the ruby on the stair?"')
    drawer = await connected.get(f"/chats/{second}/drawer", **HTMX)
    recalled = drawer.by_id("reply").all("ul", cls="recalled")[0]
    assert "third stair" in recalled.text
    assert "mentions" in recalled.text
    assert recalled.all("a")[0].attrs["href"].startswith(f"/chats/{first}/turns/")
    assert "witnessed only a part" in drawer.by_id("withheld").text
    remembered = drawer.one("ol", cls="memories").all("li", cls="memory")
    assert len(remembered) == 4
    assert not remembered[1].all("form")
    reply = (await connected.json(f"/chats/{second}/drawer"))["last_reply"]
    assert reply["recalled"][0]["chat_id"] == first
    assert reply["withheld"][0]["turn_id"]


async def test_a_digest_that_failed_says_so_and_can_be_worked_out_again(
    connected: Visitor, peer: Peer
) -> None:
    chat_id = await connected.chat()
    await connected.say(chat_id, '"I brought oil."')  # and the peer answers the question with a nod
    drawer = await connected.get(f"/chats/{chat_id}/drawer", **HTMX)
    reply = drawer.by_id("reply")
    assert "could not be worked out" in reply.text
    assert "could not be read" in reply.text
    again = next(one.attrs["action"] for one in reply.all("form"))
    peer.script(Answer(WARM), on=DIGEST)
    answer = await connected.post(again)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chats/{chat_id}?drawer=open#reply")
    await connected.settled(chat_id)
    fresh = (await connected.get(f"/chats/{chat_id}/drawer", **HTMX)).by_id("reply")
    assert "Mira learned: You brought oil." in fresh.text
    assert not fresh.all("form")
    assert (await connected.post(again, JSON)).status_code == 422


async def test_a_scene_is_closed_and_the_next_one_opened(connected: Visitor, peer: Peer) -> None:
    chat_id = await told(connected, peer)
    peer.script(Answer({"memory": "We were at the pier.", "significance": 1}), on=SCENE)
    close = f"/chats/{chat_id}/scene/close"
    answer = await connected.post(close, name="The <b>night</b> train", place_type="train")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chats/{chat_id}?drawer=open#scene")
    page = await connected.get(answer.headers["location"].partition("#")[0])
    assert "open" in page.by_id("drawer-panel").attrs
    assert "The <b>night</b> train" in page.by_id("drawer-part-scene").text
    memories = page.by_id("drawer").one("ol", cls="memories").all("li", cls="memory")
    assert ["a whole scene" in one.text for one in memories] == [True, False]
    assert (await connected.post(close, JSON)).status_code == 200
    assert (await connected.json(f"/chats/{chat_id}/drawer"))["place"] == "The <b>night</b> train"
    assert (await connected.post("/chats/none/scene/close", JSON)).status_code == 404


async def test_a_scene_is_not_closed_under_a_running_reply_and_what_was_typed_stays(
    connected: Visitor, peer: Peer
) -> None:
    chat_id = await connected.chat()
    peer.script(Reply("word and", stall_after=1))
    await connected.post(f"/chats/{chat_id}/turns", JSON, prose="Hello.")
    answer = await connected.post(f"/chats/{chat_id}/scene/close", name="The train")
    assert answer.status_code == 409
    page = await connected.get(f"/chats/{chat_id}")
    assert "The pier" in page.by_id("drawer").text
    refused = await connected.post(f"/chats/{chat_id}/scene/close", HTMX, name="The train")
    assert 'value="The train"' in refused.text
    assert "A reply is being written" in refused.text
    assert (await connected.post(f"/chats/{chat_id}/scene/close", JSON)).json()["error"]["turn_id"]


async def test_the_address_of_a_turn_leads_to_its_place_in_the_story(connected: Visitor, peer: Peer) -> None:
    chat_id = await connected.chat()
    first = (await connected.say(chat_id, "One.")).json()["turn_id"]
    here = f"/chats/{chat_id}/turns/{first}"
    answer = await connected.client.get(here)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chats/{chat_id}#turn-{first}")
    for number in range(27):
        await connected.say(chat_id, f"Line {number}.")
    early = (await connected.client.get(here)).headers["location"]
    address, _, fragment = early.partition("#")
    assert (await connected.get(address)).by_id(fragment)
    other = await connected.chat()
    assert (await connected.client.get(f"/chats/{other}/turns/{first}")).status_code == 404


async def test_the_drawer_is_about_now_whatever_window_of_the_story_is_shown(
    connected: Visitor, peer: Peer
) -> None:
    chat_id = await told(connected, peer)
    page = await connected.get(f"/chats/{chat_id}?before=2")
    assert "filling the lamp" in page.by_id("drawer").text
    assert "Mira learned" in page.by_id("reply").text


@pytest.mark.parametrize(("field", "most"), [("name", 120), ("place_type", 120)])
async def test_a_name_of_a_place_is_kept_whole_or_refused(visitor: Visitor, field: str, most: int) -> None:
    chat_id = await visitor.chat()
    close, named = f"/chats/{chat_id}/scene/close", {"name": "The train", "place_type": "train"}
    head = visitor.engine.store.head
    too_long = named | {field: "x" * (most + 1)}
    refused = await visitor.post(close, JSON, **too_long)
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, field)
    assert f"This can have {most} characters" in refused.json()["error"]["message"]
    assert "x" * (most + 1) in (await visitor.post(close, HTMX, **too_long)).text, "it is still in the form"
    assert visitor.engine.store.head == head
    assert (await visitor.post(close, JSON, **(named | {field: "x" * most}))).status_code == 200
    shown = next(
        one for one in (await visitor.json(f"/chats/{chat_id}/drawer"))["editable"] if one["what"] == "place"
    )
    assert "x" * most in shown["values"].values()


async def test_shut_it_comes_as_text_and_open_as_elements(visitor: Visitor) -> None:
    """Decision 0046. Without script both are elements."""
    chat_id = await visitor.chat()
    shut, wide = [
        (await visitor.client.get(f"/chats/{chat_id}{asked}", headers={"Accept": "text/html"})).text
        for asked in ("", "?drawer=on")
    ]
    before, _, after = shut.partition("<noscript>")
    folded = after.partition("</noscript>")[0]
    assert 'id="drawer"' in folded
    assert "<form" in folded
    assert 'id="drawer"' not in before
    assert "<noscript>" not in wide
    assert 'id="drawer"' in wide
