"""The story map by hand: looked at with the mouse or the keyboard, in step with the story in another tab."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser import desk
from tests.browser.test_access import findings_of
from tests.browser.test_time_travel import OWN, turn, two_tabs
from tests.support.server import Server
from tests.support.watch import Watch

LEFT = ".mark.end:not(.on-line)"


@pytest.fixture
def model_says() -> str:
    return desk.counted(12)


async def with_map(page: Page, watch: Watch, server: Server) -> tuple[Page, Page]:
    """A story with a branch that was left, in one tab, and its map in another."""
    story, other = await two_tabs(page, watch, server, "One.", "Two.")
    await turn(story, "bot", 0).locator(".rewind-link").focus()
    await story.keyboard.press("Enter")
    await story.get_by_role("dialog").get_by_role("button", name="Rewind to here").click()
    await expect(story.locator(OWN)).to_have_text(["One."])
    await other.locator(".map-link").click()
    await expect(other.locator("#here")).to_be_visible()
    return story, other


async def test_a_press_looks_and_a_second_one_goes_there_and_undo_comes_back(
    page: Page, watch: Watch, told: Server
) -> None:
    story, chart = await with_map(page, watch, told)
    await chart.locator(LEFT).locator(".dot").click()
    await expect(chart.locator("#moment")).to_contain_text("2 turns come back.")
    await expect(chart.locator(LEFT)).to_have_attribute("aria-current", "true")
    await expect(story.locator(OWN)).to_have_text(["One."])
    await chart.locator(LEFT).locator(".dot").click()
    for tab in (chart, story):
        await expect(tab.locator(OWN)).to_have_text(["One.", "Two."])
    await chart.locator("#notices").get_by_role("button", name="Undo").click()
    await expect(story.locator(OWN)).to_have_text(["One."])


async def test_the_map_is_walked_with_the_keyboard_and_follows_the_story(
    page: Page, watch: Watch, told: Server
) -> None:
    story, chart = await with_map(page, watch, told)
    await chart.bring_to_front()
    await chart.locator("#here").focus()
    await chart.keyboard.press("ArrowDown")
    await expect(chart.locator(".mark:focus")).to_have_class(re.compile("end|bead"))
    await chart.keyboard.press("Enter")
    await expect(chart.locator("#moment")).to_contain_text(re.compile(r"turns? comes? back\."))
    await chart.locator("#moment-name").fill("What if")
    await chart.keyboard.press("Enter")
    await expect(chart.locator(".map-checkpoints")).to_have_text("What if")
    await chart.locator("#story-map .map-box").focus()
    await chart.keyboard.press("Control+z")
    await expect(story.locator(OWN)).to_have_text(["One.", "Two."])
    await expect(chart.locator("#undo")).to_have_text("Undo: your last turn")
    await expect(chart.locator("#here")).to_have_attribute("aria-label", re.compile("^You are here"))


async def test_naming_the_moment_that_is_shown_is_not_disturbed_by_a_look_that_comes_late(
    page: Page, watch: Watch, told: Server
) -> None:
    story, chart = await with_map(page, watch, told)
    named, looked = asyncio.Event(), asyncio.Event()

    async def slowly(route: Route) -> None:
        looked.set()
        await named.wait()
        await route.continue_()

    await chart.route("**/map?*", slowly)
    await chart.locator(LEFT).locator(".dot").click()
    await looked.wait()
    await chart.locator("#moment-name").fill("Before the storm")
    async with chart.expect_response("**/map?*"):
        named.set()
    await expect(chart.locator("#moment-name")).to_be_focused()
    await chart.keyboard.press("Enter")
    await expect(chart.locator(".map-checkpoints")).to_have_text("Before the storm")
    await expect(chart.locator("#moment h2")).to_have_text("Before the storm")
    await expect(story.locator(OWN)).to_have_text(["One."])


@pytest.mark.parametrize("width", [390, 1440])
async def test_the_map_has_no_serious_finding_and_scrolls_in_its_own_box(
    page: Page, watch: Watch, told: Server, width: int
) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    _, chart = await with_map(page, watch, told)
    await chart.set_viewport_size({"width": width, "height": 900})
    await chart.locator(LEFT).focus()
    await chart.keyboard.press("Enter")
    await expect(chart.locator("#moment")).to_contain_text("2 turns come back.")
    await chart.locator(".map-table summary").click()
    assert not await findings_of(chart)
    assert await chart.evaluate("document.documentElement.scrollWidth") <= width
