"""The page of keys, and the choice of what sends a turn."""

from __future__ import annotations

from tests.web.conftest import Visitor


async def test_the_page_names_every_key_and_is_linked_from_everywhere(visitor: Visitor) -> None:
    page = await visitor.get("/shortcuts")
    keys = {key.text for key in page.all("kbd")}
    assert {"Ctrl", "Enter", "Escape", "?", "/narrate", "←"} <= keys
    assert page.by_id("rail").all("a", href="/shortcuts")
    assert (await visitor.get("/settings")).by_id("rail").all("a", href="/shortcuts")
    told = await visitor.json("/shortcuts")
    assert told["send_key"] == "ctrl-enter"
    assert len(told["shortcuts"]) >= 10


async def test_what_sends_a_turn_is_chosen_for_this_browser(visitor: Visitor) -> None:
    answer = await visitor.post("/shortcuts", send_key="enter")
    assert (answer.status_code, answer.headers["location"]) == (303, "/shortcuts?kept=on#send-key")
    assert "httponly" in answer.headers["set-cookie"].lower()
    page = await visitor.get(answer.headers["location"])
    assert page.by_id("send-key").one(role="status").text == "Saved for this browser."
    assert page.one("body").attrs["data-send-key"] == "enter"
    assert "checked" in page.by_id("send-enter").attrs
    await visitor.post("/shortcuts", send_key="anything else")
    assert (await visitor.get("/chats")).one("body").attrs["data-send-key"] == "ctrl-enter"
    foreign = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
    assert (await visitor.post("/shortcuts", foreign, send_key="enter")).status_code == 403
