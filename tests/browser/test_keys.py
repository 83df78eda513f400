"""Keys and the draft of a turn, as a hand on the keyboard meets them."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.peer import Peer
from tests.support.peer_acts import Reply, Status
from tests.support.server import Server
from tests.support.watch import Watch

DRAFT = "Draft for me"


@pytest.fixture
def model_says() -> str:
    return "*nods*"


async def test_a_draft_goes_behind_what_was_typed_and_can_be_stopped_undone_and_asked_for_again(
    page: Page, watch: Watch, told: Server, peer: Peer
) -> None:
    await desk.open_chat(page, told, desk.begin_story(told))
    turns, box = await page.locator(".turn").count(), page.locator(desk.BOX)
    peer.script(Reply("Never read.", wait_s=60))
    await box.press_sequentially("I knock.")
    await page.get_by_role("button", name=DRAFT).click()
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("button", name=DRAFT)).to_be_enabled()
    await expect(box).to_have_value("I knock.")
    peer.script(Status(401), Reply('"Is anybody in?"'))
    await page.get_by_role("button", name=DRAFT).click()
    await expect(page.locator("#notices").get_by_role("link", name="Open Settings")).to_be_visible()
    await page.get_by_role("button", name=DRAFT).click()
    await expect(box).to_have_value('I knock.\n\n"Is anybody in?"')
    await expect(page.locator("#notices .notice")).to_have_count(0)
    await expect(page.locator(".turn")).to_have_count(turns)
    await box.press("Control+z")
    await expect(box).to_have_value("I knock.")
    watch.errors[:] = [error for error in watch.errors if "502" not in error]


async def test_a_draft_stands_in_every_tab_that_holds_the_same_words_and_goes_when_it_is_sent(
    page: Page, watch: Watch, told: Server, peer: Peer
) -> None:
    await desk.open_chat(page, told, chat := desk.begin_story(told))
    await page.locator(desk.BOX).press_sequentially("I knock.")
    peer.script(Reply("*waits*", wait_s=1.5))
    await page.get_by_role("button", name=DRAFT).click()
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    await desk.open_chat(other := watch.over(await page.context.new_page()), told, chat)
    await expect(other.get_by_role("button", name=DRAFT)).to_be_disabled()
    for tab in (page, other):
        await expect(tab.locator(desk.BOX)).to_have_value("I knock.\n\n*waits*")
        await expect(tab.get_by_role("button", name=DRAFT)).to_be_enabled()
    await page.click(desk.SEND)
    for tab in (page, other):
        await expect(tab.locator(desk.BOX)).to_have_value("")


async def test_the_chosen_key_sends_and_the_others_open_and_leave(page: Page, told: Server) -> None:
    chat = desk.begin_story(told)
    await page.goto(f"{told.url}/shortcuts")
    await page.get_by_label("Enter sends, Shift+Enter makes a new line").check()
    await page.get_by_role("button", name="Save").click()
    await desk.open_chat(page, told, chat)
    box = page.locator(desk.BOX)
    await box.press_sequentially('"One."')
    await box.press("Shift+Enter")
    await box.press_sequentially('"Two?"')
    await expect(box).to_have_value('"One."\n"Two?"')
    await box.press("Enter")
    await expect(page.locator(".turn.you")).to_have_count(1)
    await desk.answered(page)
    await page.locator("#drawer-panel > summary").click()
    await expect(page.locator("#drawer")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#drawer")).to_be_hidden()
    await page.keyboard.press("?")
    await expect(page).to_have_url(f"{told.url}/shortcuts")
    await page.keyboard.press("Escape")
    await expect(page).to_have_url(f"{told.url}/chats/{chat}")
