"""Going back and forth by hand: in every tab at once, with the mouse or the keyboard, and never losing a word."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser import desk
from tests.browser.test_access import findings_of
from tests.support.peer import Peer
from tests.support.peer_acts import Reply
from tests.support.server import Server
from tests.support.watch import Watch

OWN = "#transcript .turn.you .prose"
COUNT = ".turn:last-child .swipe-count"
EDITOR = ".turn:nth-last-of-type(2) .rewrite textarea"


@pytest.fixture
def model_says() -> str:
    return desk.counted(12)


async def two_tabs(page: Page, watch: Watch, server: Server, *lines: str) -> tuple[Page, Page]:
    """Two tabs on one story in which these were said."""
    chat = desk.begin_story(server)
    other = watch.over(await page.context.new_page())
    for tab in (page, other):
        await desk.open_chat(tab, server, chat)
    await page.bring_to_front()
    for line in lines:
        await desk.say(page, line)
        await desk.answered(page)
    await expect(other.locator(OWN)).to_have_text(list(lines))
    await desk.answered(other)
    return page, other


async def write_again(page: Page, count: str) -> None:
    await page.click(".turn:last-child [data-hand=again]")
    await expect(page.locator(COUNT)).to_have_text(count)
    await desk.answered(page)


async def edit(page: Page) -> None:
    """Opens one's own latest turn with the keyboard."""
    await page.locator(".turn:nth-last-of-type(2) .rewrite summary").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(EDITOR)).to_be_focused()


def turn(page: Page, role: str, number: int) -> Locator:
    return page.locator(f".turn.{role}").nth(number)


async def test_a_rewind_in_one_tab_and_its_undo_are_seen_in_both(
    page: Page, watch: Watch, told: Server
) -> None:
    page, other = await two_tabs(page, watch, told, "One.", "Two.", "Three.")
    before = await desk.transcript(page)
    await turn(page, "bot", 0).hover()
    await turn(page, "bot", 0).locator(".rewind-link").click()
    question = page.get_by_role("dialog")
    await expect(question).to_contain_text("4 turns are left behind.")
    await question.get_by_role("button", name="Rewind to here").click()
    await expect(question).to_have_count(0)
    for tab in (page, other):
        await expect(tab.locator(OWN)).to_have_text(["One."])
        await expect(tab.locator("#undo")).to_have_text(re.compile("^\\s*Undo: the rewind to “w0000 w0001"))
    await expect(other.locator("#notices")).to_have_text("")
    await page.locator("#notices").get_by_role("button", name="Undo").click()
    for tab in (page, other):
        await expect(tab.locator(OWN)).to_have_text(["One.", "Two.", "Three."])
    assert await desk.transcript(page) == await desk.transcript(other) == before


async def test_the_way_back_is_offered_for_thirty_seconds(page: Page, watch: Watch, told: Server) -> None:
    page, _ = await two_tabs(page, watch, told, "One.", "Two.")
    await page.clock.install()
    await turn(page, "bot", 0).hover()
    await turn(page, "bot", 0).locator(".rewind-link").click()
    before_s = await page.evaluate("Date.now() / 1000")
    await page.get_by_role("dialog").get_by_role("button", name="Rewind to here").click()
    way_back = page.locator("#notices").get_by_role("button", name="Undo")
    await expect(way_back).to_be_visible()
    seen_s = await page.evaluate("Date.now() / 1000")
    await page.mouse.move(1, 1)
    await page.clock.pause_at(before_s + 29)
    await expect(way_back).to_be_visible()
    await page.clock.pause_at(seen_s + 30)
    await expect(way_back).to_have_count(0)
    await expect(page.locator("#undo")).to_have_text(re.compile("^\\s*Undo: the rewind"))


async def test_a_rewind_that_is_thought_better_of_changes_nothing(
    page: Page, watch: Watch, told: Server
) -> None:
    page, _ = await two_tabs(page, watch, told, "One.", "Two.")
    for leaving in ("Escape", "link"):
        await turn(page, "bot", 0).locator(".rewind-link").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        if leaving == "link":
            await page.get_by_role("link", name="Stay where you are").click()
        else:
            await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert await page.evaluate("document.activeElement.className") == "rewind-link"
    await expect(page.locator(OWN)).to_have_text(["One.", "Two."])


async def test_undone_words_come_back_into_empty_boxes_and_leave_with_redo(
    page: Page, watch: Watch, told: Server
) -> None:
    page, other = await two_tabs(page, watch, told, "One.", "Two.")
    await page.locator("#undo").click()
    for tab in (page, other):
        await expect(tab.locator(desk.BOX)).to_have_value("Two.")
        await expect(tab.locator(OWN)).to_have_text(["One."])
    await page.locator("#redo").click()
    for tab in (page, other):
        await expect(tab.locator(desk.BOX)).to_have_value("")
        await expect(tab.locator(OWN)).to_have_text(["One.", "Two."])
    await other.fill(desk.BOX, "My own words")
    await other.wait_for_timeout(700)
    await page.locator("#undo").click()
    await expect(other.locator(OWN)).to_have_text(["One."])
    await page.wait_for_timeout(400)
    await expect(other.locator(desk.BOX)).to_have_value("My own words")


async def test_the_keys_for_undo_and_redo_work_outside_the_box_only(
    page: Page, watch: Watch, told: Server
) -> None:
    page, other = await two_tabs(page, watch, told, "One.", "Two.")
    await page.locator("#page-scroll").focus()
    await page.keyboard.press("Control+z")
    await expect(other.locator(OWN)).to_have_text(["One."])
    await expect(page.locator("#undo")).to_have_text("Undo: your last turn")
    await page.keyboard.press("Control+Shift+Z")
    await expect(other.locator(OWN)).to_have_text(["One.", "Two."])
    await page.fill(desk.BOX, "")
    await page.locator(desk.BOX).press_sequentially("abc")
    await page.keyboard.press("Control+z")
    await page.wait_for_timeout(300)
    assert await page.input_value(desk.BOX) != "abc"
    await expect(page.locator(OWN)).to_have_text(["One.", "Two."])


async def test_arrows_lead_from_reply_to_reply_in_every_tab(page: Page, watch: Watch, told: Server) -> None:
    page, other = await two_tabs(page, watch, told, "One.")
    first = await page.locator(".turn.bot").last.get_attribute("id")
    await write_again(page, "2 of 2")
    second = await page.locator(".turn.bot").last.get_attribute("id")
    assert first != second
    previous = page.get_by_role("button", name="Previous reply")
    await previous.click()
    for tab in (page, other):
        await expect(tab.locator(COUNT)).to_have_text("1 of 2")
        await expect(tab.locator(".turn.bot").last).to_have_attribute("id", str(first))
    assert await page.evaluate("document.activeElement.closest('.turn')?.id") == first
    await page.keyboard.press("ArrowRight")
    for tab in (page, other):
        await expect(tab.locator(".turn.bot").last).to_have_attribute("id", str(second))
    await page.locator(desk.BOX).focus()
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator(".turn.bot").last).to_have_attribute("id", str(first))
    await page.locator(desk.BOX).blur()
    await page.keyboard.press("ArrowRight")
    await expect(page.locator(".turn.bot").last).to_have_attribute("id", str(second))
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator(".turn.bot").last).to_have_attribute("id", str(first))
    await page.locator(desk.BOX).focus()
    await page.keyboard.type("ab")
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowRight")
    await page.wait_for_timeout(300)
    await expect(page.locator(".turn.bot").last).to_have_attribute("id", str(first))


async def test_ones_own_turn_is_edited_in_its_place(page: Page, watch: Watch, told: Server) -> None:
    page, other = await two_tabs(page, watch, told, "One.", "Tow.")
    await edit(page)
    box = page.locator(EDITOR)
    await expect(box).to_be_focused()
    await expect(page.locator(OWN).last).to_be_hidden()
    await box.fill("Two.")
    await page.get_by_role("button", name="Send it again").click()
    for tab in (page, other):
        await expect(tab.locator(OWN)).to_have_text(["One.", "Two."])
        await desk.answered(tab)
    await expect(page.locator(EDITOR)).to_be_hidden()
    await page.locator("#undo").click()
    await expect(page.locator(OWN)).to_have_text(["One.", "Tow."])


async def test_words_in_an_open_form_survive_what_others_do(page: Page, watch: Watch, told: Server) -> None:
    page, other = await two_tabs(page, watch, told, "One.")
    await edit(page)
    await page.locator(EDITOR).fill("One, in long and careful words.")
    await write_again(other, "2 of 2")
    await desk.answered(page)
    await expect(page.locator(EDITOR)).to_have_value("One, in long and careful words.")
    await page.reload()
    await expect(page.locator(EDITOR)).to_have_value("One, in long and careful words.")
    await page.get_by_role("button", name="Send it again").click()
    await expect(other.locator(OWN)).to_have_text(["One, in long and careful words."])
    await desk.answered(page)
    await edit(page)
    await page.locator(EDITOR).fill("Even better.")
    await other.bring_to_front()
    await turn(other, "opening", 0).locator(".rewind-link").focus()
    await other.keyboard.press("Enter")
    await other.get_by_role("dialog").get_by_role("button", name="Rewind to here").click()
    await page.bring_to_front()
    await expect(page.locator(OWN)).to_have_count(0)
    await expect(page.locator(desk.BOX)).to_have_value(re.compile("Even better\\."))


async def test_everything_is_done_with_the_keyboard_alone(page: Page, server: Server) -> None:
    await desk.open_chat(page, server, desk.begin_story(server))
    for line in ('"Good evening."', '"Is anybody there?"'):
        await page.locator(desk.BOX).focus()
        await page.keyboard.type(line)
        await page.keyboard.press("Control+Enter")
        await expect(page.locator(OWN).last).to_contain_text(line.strip('"'))
        await desk.answered(page)
    await page.keyboard.press("Shift+Tab")
    for _ in range(30):
        if await page.evaluate("document.activeElement.dataset.hand === 'rewind'"):
            break
        await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator(".turn.bot")).to_have_count(1)
    await expect(page.locator(desk.BOX)).to_be_focused()
    await page.locator("#page-scroll").focus()
    await page.keyboard.press("Control+z")
    await expect(page.locator(".turn.bot")).to_have_count(2)


async def test_while_a_reply_grows_stopping_it_first_is_one_press(
    page: Page, watch: Watch, told: Server, peer: Peer
) -> None:
    await desk.open_chat(page, told, desk.begin_story(told))
    peer.script(Reply(desk.counted(600), pace_s=0.05))
    await desk.say(page, "One.")
    await desk.growing(page, 20)
    await page.locator("#undo").click()
    await page.locator("#notices").get_by_role("button", name="Stop the reply and undo").press("Enter")
    await expect(page.locator(OWN)).to_have_count(0)
    await expect(page.locator(f"{desk.BOX}:focus, #notices button:focus")).to_have_count(1)
    await expect(page.locator(desk.BOX)).to_have_value("One.")
    await expect(page.locator(desk.SEND)).to_be_enabled()
    watch.errors[:] = [error for error in watch.errors if "409" not in error]


@pytest.mark.parametrize("width", [390, 1440])
async def test_nothing_of_it_has_a_finding_or_is_wider_than_the_page(
    page: Page, watch: Watch, told: Server, width: int
) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    page, other = await two_tabs(page, watch, told, "One.", "Two.")
    await other.close()
    await write_again(page, "2 of 2")
    findings = {"the latest exchange": await findings_of(page)}
    await edit(page)
    findings["one's own turn being edited"] = await findings_of(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.keyboard.press("Escape")
    await turn(page, "bot", 0).locator(".rewind-link").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.wait_for_timeout(
        600
    )  # until it has faded in: half transparent words have no contrast to speak of
    findings["the question"] = await findings_of(page)
    await page.keyboard.press("Enter")
    await expect(page.locator("#notices button")).to_be_visible()
    findings["the way back"] = await findings_of(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    address = await turn(page, "bot", 0).locator(".rewind-link").get_attribute("href")
    await page.goto(f"{told.url}{address}")
    findings["the page of the question"] = await findings_of(page)
    assert not {what: found for what, found in findings.items() if found}
