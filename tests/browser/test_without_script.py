"""With JavaScript switched off the story can still be read, written, stopped and begun."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser import desk
from tests.support.server import Server


@pytest_asyncio.fixture(loop_scope="session")
async def plain(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(java_script_enabled=False)
    yield await context.new_page()
    await context.close()


async def reload_until_answered(page: Page) -> None:
    for _ in range(60):
        if not await page.locator(".turn.running").count() and await page.locator(desk.SEND).is_enabled():
            return
        await page.wait_for_timeout(150)
        await page.reload()
    raise AssertionError("The reply never ended.")


async def test_a_story_is_begun_written_and_read_without_script(plain: Page, server: Server) -> None:
    await plain.goto(server.url)
    await plain.locator("main a[href$='/kickoff']").first.click()
    await plain.fill("textarea[name=prose]", desk.PROSE)
    await plain.click("button[value=parse]")
    await plain.click("button[value=confirm]")
    for count, words in enumerate(("First line\nsecond line.", "And more."), start=1):
        await plain.fill(desk.BOX, words)
        await plain.click(desk.SEND)
        await expect(plain.locator(".turn.you")).to_have_count(count)
        await reload_until_answered(plain)
        await expect(plain.locator(".turn.bot")).to_have_count(count)
    first = await plain.locator(".turn.you .prose").first.inner_text()
    assert first == "First line\nsecond line."
    await expect(plain.locator(desk.BOX)).to_have_value("")


async def test_a_refused_turn_comes_back_in_the_box_without_script(plain: Page, server: Server) -> None:
    await desk.open_chat(plain, server, desk.begin_story(server))
    await plain.fill(desk.BOX, "y" * 32_001)
    await plain.click(desk.SEND)
    await expect(plain.locator("#notices")).not_to_have_text("")
    await expect(plain.locator(desk.BOX)).to_have_value("y" * 32_001)


async def test_a_reply_is_stopped_without_script(plain: Page, told: Server) -> None:
    await desk.open_chat(plain, told, desk.begin_story(told))
    await plain.fill(desk.BOX, "Tell me everything.")
    await plain.click(desk.SEND)
    await plain.get_by_role("button", name="Stop").click()
    await expect(plain.locator(".turn.running")).to_have_count(0)
    await expect(plain.locator(desk.SEND)).to_be_enabled()


@pytest.mark.parametrize("model_says", [desk.counted(3)])
async def test_older_turns_are_a_link_away_without_script(plain: Page, told: Server) -> None:
    server = told
    chat = desk.begin_story(server)
    for number in range(28):
        answer = server.request("POST", f"/chats/{chat}/turns", form={"prose": f"Line {number}."})
        assert answer.status == 202, answer.text
        while server.request("GET", f"/chats/{chat}/status").json["turn_id"]:
            pass
    await desk.open_chat(plain, server, chat)
    assert await plain.locator(".turn.you .prose").get_by_text("Line 0.", exact=True).count() == 0
    await plain.get_by_role("link", name="Earlier in this story").click()
    await expect(plain.locator(".turn.you .prose").get_by_text("Line 0.", exact=True)).to_have_count(1)
    await plain.get_by_role("link", name="Back to the latest").click()
    await expect(plain.locator(".turn.you .prose").get_by_text("Line 27.", exact=True)).to_have_count(1)
