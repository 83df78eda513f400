"""Any turn changed in its own place, a reply written on, another reply of long ago: by hand, in every tab."""

from __future__ import annotations

import asyncio
import threading

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser import desk
from tests.browser.test_access import findings_of
from tests.browser.test_time_travel import OWN, turn, two_tabs, write_again
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply
from tests.support.server import Server
from tests.support.watch import Watch

BOX = ".rewrite.editing textarea"


@pytest.fixture
def model_says() -> str:
    return desk.counted(12)


def only_replies(peer: Peer) -> None:
    """What is scripted from now on is for replies: a digest that asks as late as it likes has answers of its own."""
    peer.script(*[Answer({})] * 4, on="DigestAnswer")


async def change(page: Page, role: str, number: int) -> None:
    """Opens any turn with the keyboard."""
    await turn(page, role, number).locator(".edit-link").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(BOX)).to_be_focused()


async def test_any_turn_is_changed_in_its_place_and_seen_in_every_tab(
    page: Page, watch: Watch, told: Server
) -> None:
    page, other = await two_tabs(page, watch, told, "One.", "Two.")
    await change(page, "bot", 0)
    await expect(turn(page, "bot", 0).locator(":scope > .prose")).to_be_hidden()
    await page.locator(BOX).fill("In other words.")
    await page.keyboard.press("Escape")
    await expect(turn(page, "bot", 0).locator(":scope > .prose")).to_be_visible()
    assert await page.evaluate("document.activeElement.dataset.hand") == "edit"
    await page.keyboard.press("Enter")
    await expect(page.locator(BOX)).to_have_value("In other words.")
    await page.get_by_role("button", name="Save").click()
    for tab in (page, other):
        await expect(turn(tab, "bot", 0).locator(":scope > .prose")).to_have_text("In other words.")
        await expect(tab.locator("#undo")).to_have_text("Undo: the change of a turn")
    await expect(page.locator(BOX)).to_have_count(0)
    await change(other, "bot", 0)
    await other.locator(".versions button").click()
    for tab in (page, other):
        await expect(turn(tab, "bot", 0).locator(":scope > .prose")).to_have_text(desk.counted(12))
    await expect(page.locator(OWN)).to_have_text(["One.", "Two."])


async def test_a_form_opens_in_its_turn_though_the_turn_was_told_anew_while_it_was_fetched(
    page: Page, watch: Watch, told: Server
) -> None:
    page, other = await two_tabs(page, watch, told, "One.")
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(route: Route) -> None:
        asked.set()
        await go_on.wait()
        await route.continue_()

    await page.route("**/edit", slowly)
    await turn(page, "bot", 0).locator(".edit-link").focus()
    await page.keyboard.press("Enter")
    await asyncio.wait_for(asked.wait(), 20)
    await change(other, "bot", 0)
    await other.locator(BOX).fill("In other words.")
    await other.get_by_role("button", name="Save").click()
    await expect(turn(page, "bot", 0).locator(":scope > .prose")).to_have_text("In other words.")
    go_on.set()
    await expect(page.locator(BOX)).to_have_value("In other words.")
    await expect(page.locator(BOX)).to_be_focused()


async def test_a_turn_that_is_told_anew_while_its_button_is_pressed_hears_of_the_click(
    page: Page, watch: Watch, told: Server
) -> None:
    await page.add_init_script(desk.PRESSED_FOR_LONG)
    page, other = await two_tabs(page, watch, told, "One.")
    await change(other, "bot", 0)
    await other.locator(BOX).fill("In other words. " * 40)
    await page.bring_to_front()
    await page.locator(".turn:last-child [data-hand=again]").hover()
    await page.mouse.down()
    await other.get_by_role("button", name="Save").dispatch_event("click")
    await expect(turn(other, "bot", 0).locator(":scope > .prose")).to_contain_text("In other words.")
    await page.wait_for_timeout(500)
    await page.mouse.up()
    for tab in (page, other):
        await expect(tab.locator(".turn:last-child .swipe-count")).to_have_text("2 of 2")


async def test_two_tabs_never_overwrite_each_others_words(page: Page, watch: Watch, told: Server) -> None:
    page, other = await two_tabs(page, watch, told, "One.")
    for tab in (page, other):
        await change(tab, "bot", 0)
    await other.locator(BOX).fill("Mine, long thought about.")
    await page.locator(BOX).fill("Theirs.")
    await page.get_by_role("button", name="Save").click()
    await expect(turn(page, "bot", 0).locator(":scope > .prose")).to_have_text("Theirs.")
    await other.get_by_role("button", name="Save").click()
    await expect(other.locator(".newer .prose")).to_have_text("Theirs.")
    await expect(other.locator(BOX)).to_have_value("Mine, long thought about.")
    await other.get_by_role("button", name="Save").click()
    await expect(turn(page, "bot", 0).locator(":scope > .prose")).to_have_text("Mine, long thought about.")
    watch.errors[:] = [error for error in watch.errors if "409" not in error]


async def test_an_earlier_reply_gives_way_to_another_with_the_arrow_keys(
    page: Page, watch: Watch, told: Server
) -> None:
    page, other = await two_tabs(page, watch, told, "One.")
    await write_again(page, "2 of 2")
    await desk.say(page, "Two.")
    await desk.answered(page)
    await turn(page, "bot", 0).focus()
    await page.keyboard.press("ArrowLeft")
    for tab in (page, other):
        await expect(tab.locator(OWN)).to_have_text(["One."])
        await expect(tab.locator(".swipe-count")).to_have_text("1 of 2")
    await page.keyboard.press("ArrowRight")
    for tab in (page, other):
        await expect(tab.locator(OWN)).to_have_text(["One.", "Two."])


async def test_a_reply_grows_on_from_where_it_stands_in_every_tab(
    page: Page, watch: Watch, told: Server, peer: Peer, rest: threading.Event
) -> None:
    page, other = await two_tabs(page, watch, told, "One.")
    only_replies(peer)
    rest.clear()
    peer.script(
        Reply(pieces=[f" more{number:02}" for number in range(90)], pace_s=0.03, rest=rest, rest_from=60)
    )
    await page.click(".turn:last-child [data-hand=continue]")
    for tab in (page, other):
        await desk.growing(tab, len(desk.counted(12)) + 20)
        await expect(tab.locator(".turn.running [data-growing]")).to_contain_text("w0000")
    rest.set()
    whole = desk.counted(12) + "".join(f" more{number:02}" for number in range(90))
    for tab in (page, other):
        assert await desk.answered(tab) == whole
        await expect(tab.locator("#undo")).to_have_text("Undo: the continuation")
    await page.locator("#undo").click()
    for tab in (page, other):
        await expect(tab.locator(".turn.bot .prose")).to_have_text(desk.counted(12))


async def test_one_press_stops_the_reply_and_saves_what_was_written(
    page: Page, watch: Watch, told: Server, peer: Peer
) -> None:
    page, other = await two_tabs(page, watch, told, "One.")
    only_replies(peer)
    peer.script(Reply("Never read.", wait_s=60))
    await desk.say(page, "Two.")
    await change(page, "bot", 0)
    await page.locator(BOX).fill("In other words.")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Stop the reply and save").click()
    for tab in (page, other):
        await expect(turn(tab, "bot", 0).locator(":scope > .prose")).to_have_text("In other words.")
        await expect(tab.locator(".turn.running")).to_have_count(0)
    await expect(page.locator(BOX)).to_have_count(0)
    watch.errors[:] = [error for error in watch.errors if "409" not in error]


@pytest.mark.parametrize("width", [390, 1440])
async def test_the_form_has_no_finding_and_is_not_wider_than_the_page(
    page: Page, watch: Watch, told: Server, width: int
) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    page, other = await two_tabs(page, watch, told, "One.", "Two.")
    await other.close()
    await change(page, "you", 0)
    await page.locator(BOX).fill("One, in other words.")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(BOX)).to_have_count(0)
    await change(page, "you", 0)
    findings = {"the form": await findings_of(page)}
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    address = await turn(page, "you", 0).locator(".edit-link").get_attribute("href")
    await page.goto(f"{told.url}{address}")
    findings["its page"] = await findings_of(page)
    assert not {what: found for what, found in findings.items() if found}
