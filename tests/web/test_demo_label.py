"""Words of the demo are marked as the demo's wherever they stand, whatever is connected now; no other words are."""

from __future__ import annotations

import pytest

from chat.engine.engine import DEMO_NARRATOR
from tests.support.dom import Element
from tests.support.peer import Peer
from tests.web.conftest import HTMX, Visitor

SCRIPT = "by a small script inside this program"
ANSWERS = "What answers here comes from a small script"


async def _connect(visitor: Visitor, base_url: str) -> None:
    answer = await visitor.post("/settings", base_url=base_url, narrative_model="peer-model")
    assert answer.status_code == 303, answer.text
    assert visitor.engine.settings.connection.is_demo == (not base_url)


def _marks(page: Element) -> dict[str, bool]:
    """Which turns of a page of a chat are marked."""
    turns = [one for one in page.all("article") if "data-turn" in one.attrs]
    return {one.attrs["data-turn"]: bool(one.all(cls="by-demo")) for one in turns}


async def _by_demo(visitor: Visitor, chat_id: str) -> dict[str, bool]:
    return {turn["id"]: turn["model"] == DEMO_NARRATOR for turn in await visitor.turns(chat_id)}


@pytest.fixture
async def two(visitor: Visitor, peer: Peer) -> tuple[Visitor, str, str]:
    """A chat that the demo wrote and one that a model wrote."""
    bot = await visitor.bot()
    by_demo, by_model = await visitor.chat(bot), await visitor.chat(bot)
    await visitor.say(by_demo, '"Hello."')
    await _connect(visitor, peer.base_url)
    await visitor.say(by_model, '"Hello."')
    return visitor, by_demo, by_model


async def test_the_words_of_a_page_are_marked_by_who_wrote_them_and_not_by_who_is_connected(
    two: tuple[Visitor, str, str], peer: Peer
) -> None:
    visitor, by_demo, by_model = two
    for base_url in (peer.base_url, ""):
        await _connect(visitor, base_url)
        for chat_id, is_demos in ((by_demo, True), (by_model, False)):
            page = await visitor.get(f"/chats/{chat_id}")
            marks = _marks(page)
            assert marks == await _by_demo(visitor, chat_id)
            assert any(marks.values()) == is_demos
            tags = [one.text for one in page.all(cls="demo-tag")]
            assert any(SCRIPT in tag for tag in tags) == is_demos
            assert any(ANSWERS in tag for tag in tags) == (not base_url and not is_demos)


async def test_a_story_that_both_wrote_says_which_words_are_whose(
    two: tuple[Visitor, str, str],
) -> None:
    visitor, by_demo, _ = two
    await visitor.say(by_demo, '"And now?"')
    marks = _marks(await visitor.get(f"/chats/{by_demo}"))
    assert marks == await _by_demo(visitor, by_demo)
    assert sorted(marks.values()) == [False, False, False, False, True]
    for turn_id, is_demos in marks.items():  # as a tab gets it that is open
        answer = await visitor.client.get(f"/chats/{by_demo}/turns/{turn_id}", headers=HTMX)
        assert ("by-demo" in answer.text) == is_demos


async def test_map_rewind_edit_and_lists_say_it_where_words_of_the_demo_stand(
    two: tuple[Visitor, str, str], peer: Peer
) -> None:
    visitor, by_demo, by_model = two
    for base_url in (peer.base_url, ""):
        await _connect(visitor, base_url)
        for chat_id, is_demos in ((by_demo, True), (by_model, False)):
            last = (await visitor.turns(chat_id))[-1]["id"]
            for path in ("map", f"turns/{last}/rewind", f"turns/{last}/edit"):
                page = await visitor.get(f"/chats/{chat_id}/{path}")
                labels = [one.text for one in page.all(cls="demo-label")]
                assert any(SCRIPT in label for label in labels) == is_demos, path
        page = await visitor.get("/chats")
        assert page.all(cls="demo-label")
        assert page.by_id(f"card-{by_demo}").all(cls="by-demo")
        assert not page.by_id(f"card-{by_model}").all(cls="by-demo")
        lines = {one.attrs["href"]: one for one in page.all(cls="rail-chat")}
        assert lines[f"/chats/{by_demo}"].all(cls="by-demo")
        assert not lines[f"/chats/{by_model}"].all(cls="by-demo")
