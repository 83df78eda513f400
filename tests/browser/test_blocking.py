"""What the database did not take: the page waits until that was read, and no word of it is lost by reading it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.browser.test_access import findings_of, themed
from tests.support.limits import NO_SPACE, limited
from tests.support.server import Server
from tests.support.watch import Watch

WORDS = "Do not lose this."
HAS_FOCUS = "(dialog) => dialog.contains(document.activeElement)"
MAY_LEAD_TO = "(box) => { box.focus(); return box === document.activeElement; }"


@contextmanager
def full_disk(server: Server, watch: Watch) -> Iterator[None]:
    assert server.process
    with limited(server.process.pid, NO_SPACE, 4096):
        yield
    watch.errors[:] = [error for error in watch.errors if "status of 507" not in error]


@pytest.mark.parametrize(
    ("width", "theme", "way"), [(390, "phosphor", "Escape"), (1440, "light", "button")], ids=["phone", "desk"]
)
async def test_words_the_database_does_not_take_wait_below_a_notice_that_must_be_read(
    page: Page, watch: Watch, server: Server, width: int, theme: str, way: str
) -> None:
    await themed(page, server, theme, width)
    chat, other = desk.begin_story(server), desk.begin_story(server)
    elsewhere = watch.over(await page.context.new_page())
    await desk.open_chat(elsewhere, server, other)
    await page.bring_to_front()
    await desk.open_chat(page, server, chat)
    dialog, box = page.get_by_role("alertdialog", name="Nothing could be written"), page.locator(desk.BOX)
    with full_disk(server, watch):
        await page.fill(desk.BOX, WORDS)
        await page.press(desk.BOX, "Control+Enter")
        await expect(dialog).to_contain_text("Free some disk space")
        assert await dialog.evaluate("(dialog) => dialog.matches(':modal')")
        assert await dialog.evaluate("(dialog) => dialog === document.activeElement"), "no button of it"
        assert not await box.evaluate(MAY_LEAD_TO)
        for key in ("Tab", "Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab", "?", "Tab"):
            await page.keyboard.press(key)
            assert await page.evaluate(
                "!document.activeElement.closest('.masthead, .desk-inner > form, .story')"
            )
        assert not await findings_of(page)
        if way == "Escape":
            await page.keyboard.press("Escape")
        else:
            await dialog.get_by_role("button", name="Back to the page").click()
    await expect(dialog).to_have_count(0)
    await expect(box).to_be_focused()
    await expect(box).to_have_value(WORDS)
    await expect(page.locator("#notices")).to_contain_text("Free some disk space")
    assert not await findings_of(page)
    await expect(elsewhere.locator("#notices")).to_be_empty()
    await page.keyboard.press("Control+Enter")
    await desk.answered(page)
    await expect(page.locator(".turn.you .prose")).to_have_text([WORDS])
    await expect(page.locator("#notices")).to_be_empty()


async def test_a_page_that_comes_with_such_a_notice_waits_too_and_has_the_words_below(
    page: Page, watch: Watch, server: Server
) -> None:
    await page.goto(f"{server.url}/bots/new")
    await page.fill("#name", "Ada Quill")
    await page.fill("#persona", WORDS)
    with full_disk(server, watch):
        await page.get_by_role("button", name="Save and set the opening").click()
        dialog = page.locator("dialog.blocking:modal")
        await expect(dialog).to_contain_text("Free some disk space")
        await expect(dialog).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(dialog.get_by_role("button", name="Back to the page")).to_be_focused()
        await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await expect(page.locator("#notices")).to_contain_text("Free some disk space")
    await expect(page.locator("#persona")).to_have_value(WORDS)


async def test_a_notice_that_must_be_read_is_seen_above_an_open_drawer(
    page: Page, watch: Watch, server: Server
) -> None:
    """The desk, where notices stand, is hidden below a drawer that covers a narrow page."""
    await page.set_viewport_size({"width": 390, "height": 844})
    await desk.open_chat(page, server, desk.begin_story(server))
    await page.click("#drawer-panel summary")
    scene = page.locator("#drawer .edit").first
    await scene.locator("summary").click()
    await scene.locator(".field input").first.fill("The cellar")
    with full_disk(server, watch):
        await scene.locator("form button").first.click()
        await expect(page.locator("dialog.blocking:modal .notice-message")).to_be_visible()
        await page.keyboard.press("Escape")
    await expect(page.locator("dialog.blocking")).to_have_count(0)
    await expect(page.locator("#drawer-panel")).to_have_attribute("open", "")
    await expect(page.locator("#notices .notice-message")).to_be_visible()
    assert await page.locator("#drawer-panel").evaluate(HAS_FOCUS)
