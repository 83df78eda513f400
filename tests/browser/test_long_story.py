"""A long story: it opens at its end, and older turns come by scrolling up, without the page moving under the reader."""

from __future__ import annotations

import json
import time

import pytest
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.server import Server

TURNS = 30
PLACE = "(turn) => turn.getBoundingClientRect().top"


@pytest.fixture
def model_says() -> str:
    return desk.counted(3)


def tell(server: Server, chat: str) -> None:
    for number in range(TURNS):
        server.request("POST", f"/chats/{chat}/turns", form={"prose": f"Turn {number}. " + "It rains. " * 30})
        until = time.monotonic() + 20
        while server.request("GET", f"/chats/{chat}/status").json["turn_id"] and time.monotonic() < until:
            time.sleep(0.02)


async def test_older_turns_load_above_without_moving_what_is_read(page: Page, told: Server) -> None:
    chat = desk.begin_story(told)
    tell(told, chat)
    await desk.open_chat(page, told, chat)
    await expect(page.locator(".turn")).to_have_count(24)
    await expect(page.locator(".turn").last).to_be_in_viewport()
    first = page.locator(".turn").first
    name = await first.get_attribute("id")
    await first.scroll_into_view_if_needed()
    before = await page.locator(f"#{name}").evaluate(PLACE)
    await expect(page.locator(".turn")).to_have_count(2 * TURNS + 1)
    await expect(page.locator("#older")).to_have_count(0)
    assert abs(await page.locator(f"#{name}").evaluate(PLACE) - before) < 60
    await expect(page.locator(".turn.opening")).to_have_count(1)
    await expect(page.locator(".scene").filter(visible=True)).to_have_count(1)  # all of it is one scene
    await page.locator(".turn").first.evaluate("(turn) => turn.scrollIntoView()")
    await expect(page.locator(".turn").last).not_to_be_in_viewport()
    await desk.say(page, "And now?")
    await desk.answered(page)
    await expect(page.locator(".turn")).to_have_count(2 * TURNS + 3)
    await expect(page.locator(".turn").last).to_be_in_viewport()


WHEN = """() => new Promise((done) => {
  const [page] = performance.getEntriesByType("navigation");
  const look = () => {
    const asked = performance.getEntriesByType("resource").find((one) => one.name.includes("htmx"));
    if (asked && globalThis.htmx) done([page.loadEventEnd, asked.startTime]);
    else setTimeout(look, 50);
  };
  look();
})"""


async def test_nobody_who_opens_a_story_waits_for_what_fetches_earlier_turns(
    page: Page, told: Server
) -> None:
    await desk.open_chat(page, told, desk.begin_story(told))
    loaded, asked = await page.evaluate(WHEN)
    assert asked >= loaded > 0


LONG = """() => {
  const turn = document.querySelector(".turn");
  for (let more = 0; more < 60; more += 1) turn.after(turn.cloneNode(true));
  for (const one of [...document.querySelectorAll(".turn")].slice(0, -6)) one.classList.add("past");
  document.body.offsetHeight;
}"""


async def styled_by(page: Page, change: str) -> int:
    """How many elements the browser looks at again after a change of a page of 61 turns."""
    await page.evaluate(LONG)
    await page.wait_for_timeout(300)
    browser = page.context.browser
    assert browser
    await browser.start_tracing(page=page, categories=["devtools.timeline", "blink"])
    await page.evaluate(f"() => {{ {change}; document.body.offsetHeight; }}")
    traced = json.loads(await browser.stop_tracing())["traceEvents"]
    styled = [one["args"]["elementCount"] for one in traced if "elementCount" in one.get("args", {})]
    assert styled, "the browser tells how many elements it looked at"
    return sum(styled)


async def test_a_line_that_changes_beside_a_long_story_has_none_of_it_styled_anew(
    page: Page, told: Server
) -> None:
    """A rule that asks what all of the page holds makes every turn pay for every word of the status line."""
    await desk.open_chat(page, told, desk.begin_story(told))
    line = "const line = document.getElementById('status')"
    assert await styled_by(page, f"{line}; line.replaceChildren(...line.cloneNode(true).childNodes)") < 40


async def test_a_turn_that_takes_its_place_has_no_other_styled_anew(page: Page, told: Server) -> None:
    """A rule that counts turns from the end makes all of them pay for the one that was just stored."""
    await desk.open_chat(page, told, desk.begin_story(told))
    last = "const last = [...document.querySelectorAll('.turn')].at(-1)"
    assert await styled_by(page, f"{last}; last.replaceWith(last.cloneNode(true))") < 60


async def test_turns_are_laid_out_near_the_end_and_wherever_they_are_looked_at(
    page: Page, told: Server
) -> None:
    chat = desk.begin_story(told)
    tell(told, chat)
    await desk.open_chat(page, told, chat)
    past = page.locator(".turn.past")
    await expect(past).to_have_count(18)
    await desk.say(page, "And now?")
    await desk.answered(page)
    await expect(past).to_have_count(20)
    await page.reload()
    await expect(past).to_have_count(18)
    kept = await page.locator(".turn:not(.past)").count()
    assert kept == 6
    assert await past.first.evaluate("(turn) => getComputedStyle(turn).contentVisibility") == "auto"


async def test_who_is_at_the_end_stays_there_and_who_went_back_stays_there_too(
    page: Page, server: Server
) -> None:
    """Nothing holds the end in its place; a page in the background was left at the beginning by that."""
    chat = desk.begin_story(server)
    await page.set_viewport_size({"width": 390, "height": 600})
    await desk.open_chat(page, server, chat)
    scroller, turns = page.locator("#page-scroll"), page.locator(".turn")

    async def hear(number: int) -> None:
        aside = {
            "prose": f"(({number}: an aside of some length that nobody in the story hears. {'So. ' * 30}))"
        }
        assert server.request("POST", f"/chats/{chat}/turns", form=aside).status == 202
        await expect(turns).to_have_count(number + 1)

    for number in range(1, 5):
        await hear(number)
    await expect(turns.last).to_be_in_viewport()
    await expect(scroller).to_have_css("overflow-anchor", "none")
    await scroller.evaluate("(scroller) => scroller.scrollTop = -300")
    await expect(scroller).to_have_css("overflow-anchor", "auto")
    read = turns.nth(2)
    before = await read.evaluate(PLACE)
    await hear(5)
    assert abs(await read.evaluate(PLACE) - before) <= 2
    await scroller.evaluate("(scroller) => scroller.scrollTop = 0")
    await expect(scroller).to_have_css("overflow-anchor", "none")
    await hear(6)
    await expect(turns.last).to_be_in_viewport()
