"""The story map: one set of facts as a picture, a table and JSON; looking at a moment, going there, naming it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chat.domain import chats
from chat.domain.events import NewEvent
from chat.store.state import State
from tests.support import stories
from tests.support.dom import Element, parse
from tests.support.peer import Peer
from tests.web.conftest import HTMX, JSON, Visitor
from tests.web.test_time_travel import HOSTILE, offered, running, texts, told

MOST_BYTES = 120_000


def branch_of(visitor: Visitor, chat_id: str) -> str:
    return visitor.engine.store.library.chats[chat_id].branch_id


def marks(page: Element) -> dict[str, Element]:
    """The moments of the picture, by branch and step."""
    return {one.attrs["data-moment"]: one for one in page.all("a") if "data-moment" in one.attrs}


async def with_a_branch(visitor: Visitor) -> tuple[str, str, list[str]]:
    """Two turns, the second left for another: the chat, the branch that was left, and its replies."""
    chat_id, replies = await told(visitor, "One.", "Two.")
    left = branch_of(visitor, chat_id)
    await visitor.post(f"/chats/{chat_id}/turns/{replies[0]}/rewind", JSON)
    await visitor.say(chat_id, "Three.")
    return chat_id, left, replies


async def test_the_picture_the_table_and_the_script_tell_the_same(connected: Visitor) -> None:
    chat_id, _, _ = await with_a_branch(connected)
    page = await connected.get(f"/chats/{chat_id}/map")
    found = marks(page)
    data = await connected.json(f"/chats/{chat_id}/map")
    here = f"{data['here']['branch_id']}.{data['here']['step']}"
    ends = {f"{one['id']}.{one['end']}" for one in data["branches"]}
    assert here in found
    assert ends <= {*found}
    assert [one["place"] for one in data["scenes"]] == ["The pier"]
    rows = page.one("table").all("tr")[1:]
    assert [row.one("a").attrs["href"] for row in rows] == [one.attrs["href"] for one in found.values()]
    assert all(
        row.one("a").text in one.attrs["aria-label"] for row, one in zip(rows, found.values(), strict=True)
    )
    assert "You are here" in found[here].attrs["aria-label"]
    assert "1 branch leaves" in page.one("table").text
    assert page.one(cls="map-summary").text.startswith("2 branches, 1 scene.")
    assert len(page.one("svg", cls="map").all("path", cls="way")) == 1
    chat = await connected.get(f"/chats/{chat_id}")
    assert [one.attrs["href"] for one in chat.all("a", cls="map-link")] == [f"/chats/{chat_id}/map"]


async def test_a_press_shows_what_is_there_and_what_it_costs_and_the_next_goes_there(
    connected: Visitor,
) -> None:
    chat_id, left, _ = await with_a_branch(connected)
    page = await connected.get(f"/chats/{chat_id}/map")
    link = marks(page)[f"{left}.5"]
    preview = await connected.get(link.attrs["href"].partition("#")[0])
    moment = preview.by_id("moment")
    assert "Mm-hm." in moment.text
    assert "The pier" in moment.text
    losses = [one.text for one in moment.one(cls="losses").all("li")]
    assert "2 turns are left behind." in losses
    assert losses[-1] == "2 turns come back."
    assert marks(preview)[f"{left}.5"].attrs["aria-current"] == "true"
    fragment = await connected.get(link.attrs["href"].partition("#")[0], **HTMX)
    assert not fragment.all("html")
    assert fragment.by_id("moment").text == moment.text
    data = await connected.json(link.attrs["href"].partition("#")[0])
    assert (data["moment"]["sentences"], data["moment"]["impact"]["returning"]) == (losses, 2)
    form = moment.one("form", cls="go")
    fields = {one.attrs["name"]: one.attrs["value"] for one in form.all("input")}
    assert await texts(connected, chat_id) == ["One.", "Three."]
    answer = await connected.post(form.attrs["action"], **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chats/{chat_id}?went=moment")
    assert await texts(connected, chat_id) == ["One.", "Two."]
    there = await connected.get(answer.headers["location"])
    assert offered(there) == {"label": "Undo", "action": f"/chats/{chat_id}/undo"}
    await connected.post(f"/chats/{chat_id}/undo", JSON)
    assert await texts(connected, chat_id) == ["One.", "Three."]


async def test_while_a_reply_is_written_it_is_stopped_first_and_the_moment_stays_the_one_chosen(
    connected: Visitor, peer: Peer
) -> None:
    chat_id, first, _ = await running(connected, peer)
    branch = branch_of(connected, chat_id)
    step = next(turn["step"] for turn in await connected.turns(chat_id) if turn["id"] == first)
    answer = await connected.post(f"/chats/{chat_id}/branches/{branch}/select", step=str(step))
    assert answer.status_code == 409
    offer = offered(parse(answer.text))
    assert offer["label"] == "Stop the reply and go there"
    went = await connected.post(offer["action"], stop=offer["stop"])
    assert went.headers["location"] == f"/chats/{chat_id}?went=moment"
    assert await texts(connected, chat_id) == ["One."]


async def test_a_step_beyond_the_end_of_a_branch_is_its_end(connected: Visitor) -> None:
    chat_id = await connected.chat()
    await connected.say(chat_id, "One.")
    first = (await connected.turns(chat_id))[-1]
    await connected.say(chat_id, "Two.")
    left, last = branch_of(connected, chat_id), (await connected.turns(chat_id))[-1]
    await connected.post(f"/chats/{chat_id}/turns/{first['id']}/rewind", JSON)
    here = branch_of(connected, chat_id)
    looked = (await connected.json(f"/chats/{chat_id}/map?branch={here}&step=99"))["moment"]
    assert (looked["branch_id"], looked["step"]) == (left, first["step"])
    answer = await connected.post(f"/chats/{chat_id}/branches/{here}/select", JSON, step="99")
    assert answer.status_code == 422, "it stands there already"
    await connected.say(chat_id, "Three.")
    await connected.post(f"/chats/{chat_id}/undo", JSON)
    assert await texts(connected, chat_id) == ["One."]
    there = await connected.post(f"/chats/{chat_id}/branches/{left}/select", JSON, step="99")
    assert there.status_code == 200, there.text
    assert (await connected.turns(chat_id))[-1]["id"] == last["id"]
    await connected.say(chat_id, "Four.")
    undone = (await connected.post(f"/chats/{chat_id}/undo", JSON)).json()
    assert (undone["what"], undone["words"]) == ("your last turn", "Four.")
    assert await texts(connected, chat_id) == ["One.", "Two."]


async def marked(visitor: Visitor, chat_id: str) -> dict[str, list[str]]:
    """The names of the checkpoints that the transcript shows, by turn; the page and its data say the same."""
    told = {one["id"]: [c["name"] for c in one["checkpoints"]] for one in await visitor.turns(chat_id)}
    page = await visitor.get(f"/chats/{chat_id}")
    shown = {
        str(one.attrs["data-turn"]): [mark.one("bdi").text for mark in one.all(cls="checkpoint")]
        for one in page.all("article")
    }
    assert shown == told
    return {turn: names for turn, names in shown.items() if names}


async def test_a_long_turn_is_told_in_whole_words(connected: Visitor) -> None:
    chat_id, _ = await told(connected, "One.", "lantern " * 100)
    own = next(
        one
        for one in marks(await connected.get(f"/chats/{chat_id}/map")).values()
        if "lantern" in str(one.attrs)
    )
    said = (await connected.get(str(own.attrs["href"]))).by_id("moment").one("q").text
    assert said.endswith("lantern …")
    assert 250 < len(said) <= 330


async def test_a_moment_gets_a_name_another_and_none(connected: Visitor) -> None:
    chat_id, left, (first, _) = await with_a_branch(connected)
    made = await connected.post(f"/chats/{chat_id}/checkpoints", JSON, name="The start", turn=first)
    assert made.status_code == 201
    kept = made.json()["checkpoint_id"]
    plain = await connected.post(f"/chats/{chat_id}/checkpoints", name="The other end", branch=left, step="5")
    assert plain.status_code == 303
    page = await connected.get(plain.headers["location"].partition("#")[0])
    assert page.by_id("moment").one("h2").text == "The other end"
    names = [one.text for one in page.one(cls="map-checkpoints").all("a")]
    assert names == ["The start", "The other end"]
    assert "Checkpoint “The other end”" in page.one("table").text
    await connected.post(f"/chats/{chat_id}/checkpoints/{kept}/rename", name="Day one")
    assert await marked(connected, chat_id) == {first: ["Day one"]}, "the other one is on another branch"
    of_turn = await connected.get(f"/chats/{chat_id}/turns/{first}", **HTMX)
    mark = of_turn.one(cls="checkpoint").one("a")
    assert mark.text == "Checkpoint: Day one"
    assert (await connected.get(str(mark.attrs["href"]))).by_id("moment").one("h2").text == "Day one"
    data = await connected.json(f"/chats/{chat_id}/map")
    assert [one["name"] for one in data["checkpoints"]] == ["Day one", "The other end"]
    went = await connected.post(f"/chats/{chat_id}/checkpoints/{kept}/go")
    assert went.headers["location"] == f"/chats/{chat_id}?went=checkpoint"
    shown = await connected.get(went.headers["location"])
    assert shown.by_id("undo").text == "Undo: the return to “Day one”"
    assert offered(shown)["label"] == "Undo"
    assert await texts(connected, chat_id) == ["One."]
    assert await marked(connected, chat_id) == {first: ["Day one"]}
    await connected.post(f"/chats/{chat_id}/checkpoints/{kept}/remove")
    assert await marked(connected, chat_id) == {}
    assert len((await connected.json(f"/chats/{chat_id}/map"))["checkpoints"]) == 1
    fragment = await connected.post(f"/chats/{chat_id}/checkpoints", HTMX, name="Now")
    assert "This moment is called “Now”." in parse(fragment.text).one(cls="notice-message").text


@pytest.mark.parametrize("name", ["  ", "x" * 81, HOSTILE])
async def test_a_name_that_is_refused_stays_in_its_box(connected: Visitor, name: str) -> None:
    chat_id, left, _ = await with_a_branch(connected)
    address = f"/chats/{chat_id}/checkpoints"
    assert (await connected.post(address, JSON, name=name)).status_code in (413, 422)
    assert (await connected.post(address, HTMX, name=name)).headers["hx-reswap"] == "none"
    answer = await connected.post(address, name=name, branch=left, step="5")
    assert answer.status_code in (413, 422)
    page = parse(answer.text)
    assert page.by_id("moment-name").attrs["value"] == name
    assert page.by_id("notices").one(cls="notice-message").text
    assert not (await connected.json(f"/chats/{chat_id}/map"))["checkpoints"]


async def test_hostile_words_are_words_in_the_picture_too(connected: Visitor) -> None:
    name = '<svg onload=alert(1)> & "x"'
    chat_id, _ = await told(connected, HOSTILE.replace("\u202e", ""))
    await connected.post(f"/chats/{chat_id}/checkpoints", JSON, name=name)
    page = await connected.get(f"/chats/{chat_id}/map")
    assert len(page.all("svg", cls="map")) == 1
    assert page.by_id("moment").one("h2").text == name
    assert not [one for one in page.all("script") if "src" not in one.attrs]
    assert not [one for one in [page, *page.all()] if "style" in one.attrs]


async def test_what_belongs_to_another_chat_is_not_here(connected: Visitor) -> None:
    mine, _ = await told(connected, "Mine.")
    other, (reply,) = await told(connected, "Elsewhere.")
    theirs = branch_of(connected, other)
    kept = (await connected.post(f"/chats/{other}/checkpoints", JSON, name="X")).json()["checkpoint_id"]
    for headers in (JSON, HTMX, {}):
        for query in (f"branch={theirs}&step=1", "branch=none&step=1", f"along={theirs}"):
            answer = await connected.client.get(f"/chats/{mine}/map?{query}", headers=headers)
            assert answer.status_code == 404, query
        assert (await connected.client.get("/chats/nowhere/map", headers=headers)).status_code == 404
        posted: list[tuple[str, dict[str, Any]]] = [
            (f"{mine}/checkpoints", {"name": "x", "turn": reply}),
            (f"{mine}/checkpoints", {"name": "x", "branch": theirs, "step": "1"}),
            (f"{mine}/checkpoints/{kept}/go", {}),
            (f"{mine}/checkpoints/{kept}/rename", {"name": "x"}),
            (f"{mine}/checkpoints/{kept}/remove", {}),
            (f"{mine}/branches/{theirs}/select", {"step": "1"}),
            ("nowhere/checkpoints", {"name": "x"}),
        ]
        for path, fields in posted:
            assert (await connected.post(f"/chats/{path}", headers, **fields)).status_code == 404, path
    data = await connected.json(f"/chats/{other}/map")
    assert [one["name"] for one in data["checkpoints"]] == ["X"]


async def branched(visitor: Visitor, chat_id: str, count: int, apart: int) -> None:
    """So many branches more, each left after two steps; they leave the story `apart` steps from each other."""

    def told_again(state: State) -> list[NewEvent]:
        chat = state.library.chats[chat_id]
        trunk, events = chat.branch_id, []
        for number in range(count):
            name = f"{chat_id}-{number}"
            step = 1 + (number * apart) % max(count * apart, 1)
            events += chats.fork(chat, name, trunk, step, "retry")
            events += stories.said(chat_id, name, step + 1, f"{name}-t", "Another way.")
        return [*events, *chats.select(chat, trunk, 0, "swipe")]

    await visitor.engine.store.execute(told_again)


@pytest.mark.parametrize("apart", [0, 1])
async def test_five_hundred_branches_make_a_page_of_the_same_size(connected: Visitor, apart: int) -> None:
    chat_id, _ = await told(connected, "One.")
    trunk = branch_of(connected, chat_id)
    longer = [event for step in range(4, 520) for event in stories.felt(chat_id, trunk, step, 1)]
    await connected.engine.store.execute(lambda state: longer)
    await branched(connected, chat_id, 499, apart)
    answer = await connected.client.get(f"/chats/{chat_id}/map", headers={"accept-encoding": "identity"})
    assert len(answer.content) < MOST_BYTES
    squeezed = await connected.client.get(f"/chats/{chat_id}/map", headers={"accept-encoding": "gzip"})
    assert int(squeezed.headers["content-length"]) < MOST_BYTES / 5
    page = parse(answer.text)
    assert page.one(cls="map-summary").one("strong").text.startswith("The picture shows")
    assert len((await connected.json(f"/chats/{chat_id}/map"))["branches"]) == 500
    assert await every_branch(connected, chat_id) == ids(connected, chat_id)


def ids(visitor: Visitor, chat_id: str) -> set[str]:
    return {one.id for one in visitor.engine.store.library.branches.values() if one.chat_id == chat_id}


async def every_branch(visitor: Visitor, chat_id: str) -> set[str]:
    """The branches with a moment on one of the pages that links and pills of the map lead to."""
    seen: set[str] = set()
    asked, waiting = set(), [f"/chats/{chat_id}/map"]
    while waiting:
        address = waiting.pop()
        asked.add(address)
        page = await visitor.get(address)
        seen |= {one.partition(".")[0] for one in marks(page)}
        links = [
            *page.all("a", cls="pill"),
            *(one for part in page.all(cls="map-links") for one in part.all("a")),
        ]
        waiting += {one.attrs["href"] for one in links} - asked - {*waiting}
        assert len(asked) < 60
    return seen


async def test_a_long_story_is_windowed_and_the_parts_meet(connected: Visitor) -> None:
    chat_id, _ = await told(connected, "One.")
    for number in range(60):
        await connected.post(f"/chats/{chat_id}/scene/close", JSON, name=f"Place {number}")
    page = await connected.get(f"/chats/{chat_id}/map")
    assert "a part of the story" in page.one(cls="map-summary").text
    places = re.findall(r"Place \d+", page.one("svg", cls="map").text)
    earlier = page.one("a", cls="pill")
    assert earlier.text == "Earlier"
    before = re.findall(r"Place \d+", (await connected.get(earlier.attrs["href"])).one("svg", cls="map").text)
    assert before[-1] == f"Place {int(places[0].split()[1]) - 1}"
    assert places[-1] == "Place 59"


async def test_each_branch_shows_the_words_that_stand_on_it(connected: Visitor) -> None:
    chat_id, left, replies = await with_a_branch(connected)
    right = branch_of(connected, chat_id)
    await connected.post(f"/chats/{chat_id}/turns/{replies[0]}/edit", JSON, prose="Reworded on the right.")
    await connected.post(f"/chats/{chat_id}/branches/{left}/select", JSON)
    await connected.post(f"/chats/{chat_id}/turns/{replies[1]}/edit", JSON, prose="Reworded on the left.")

    async def shown(along: str) -> tuple[str, str]:
        """What stands at the first reply of the trunk and at the end of the left branch, in picture and preview."""
        page = await connected.get(f"/chats/{chat_id}/map?along={along}")
        both = [marks(page)[f"{left}.{step}"] for step in (3, 5)]
        looked = [await connected.get(one.attrs["href"].partition("#")[0]) for one in both]
        words = [one.by_id("moment").one(cls="moment-said").one("q").text for one in looked]
        assert all(told in one.attrs["aria-label"] for told, one in zip(words, both, strict=True))
        return words[0], words[1]

    for selected in (left, right):
        await connected.post(f"/chats/{chat_id}/branches/{selected}/select", JSON)
        assert await shown(left) == ('nods "Mm-hm."', "Reworded on the left.")
        assert await shown(right) == ("Reworded on the right.", "Reworded on the left.")
