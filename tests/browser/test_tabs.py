"""Several tabs on one story: all in step, none in the other's way, and none needed for a reply to end well."""

from __future__ import annotations

import asyncio
import threading

from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.server import Server
from tests.support.watch import Watch

TEXT = desk.counted(150)


SHOW = """isShown => {
  Object.defineProperty(document, "hidden", { get: () => !isShown, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""A browser without a screen hides no tab; what it would say of one that is hidden is said here."""


async def another(page: Page, watch: Watch) -> Page:
    return watch.over(await page.context.new_page())


async def test_what_is_said_in_one_tab_grows_and_stands_in_both(
    page: Page, watch: Watch, told: Server, rest: threading.Event
) -> None:
    rest.clear()
    chat = desk.begin_story(told)
    other = await another(page, watch)
    for tab in (page, other):
        await desk.open_chat(tab, told, chat)
    await page.bring_to_front()
    await desk.say(page, "Hello there.")
    await expect(other.locator(".turn.you .prose")).to_have_text("Hello there.")
    for tab in (page, other):
        assert TEXT.startswith(await desk.growing(tab, 40))
        await expect(tab.locator(desk.SEND)).to_be_disabled()
    rest.set()
    assert await desk.answered(page) == await desk.answered(other) == TEXT
    assert await desk.transcript(page) == await desk.transcript(other)


async def test_a_reload_in_the_middle_of_a_reply_loses_and_doubles_nothing(
    page: Page, told: Server, rest: threading.Event
) -> None:
    rest.clear()
    await desk.open_chat(page, told, desk.begin_story(told))
    await desk.say(page, "Tell me all of it.")
    for characters in (60, 200, 400):
        so_far = await desk.growing(page, characters)
        await page.reload()
        again = await desk.growing(page, len(so_far))
        assert TEXT.startswith(again)
    rest.set()
    assert await desk.answered(page) == TEXT


async def test_eight_tabs_are_live_at_once(
    page: Page, watch: Watch, told: Server, rest: threading.Event
) -> None:
    rest.clear()
    chat = desk.begin_story(told)
    tabs = [page, *[await another(page, watch) for _ in range(7)]]
    for tab in tabs:
        await desk.open_chat(tab, told, chat)
    await desk.say(tabs[0], "To all of you.")
    growing = await asyncio.gather(*(desk.growing(tab, 30) for tab in tabs))
    assert all(TEXT.startswith(text) for text in growing)
    await tabs[3].reload()
    await tabs[5].evaluate(SHOW, False)
    rest.set()
    await desk.answered(tabs[0])
    behind = await desk.last_reply(tabs[5])
    await tabs[5].evaluate(SHOW, True)
    assert len(behind) < len(TEXT), "a tab nobody looks at takes in nothing"
    ends = await asyncio.gather(*(desk.answered(tab) for tab in tabs))
    assert set(ends) == {TEXT}
    stories = {tuple(await desk.transcript(tab)) for tab in tabs}
    assert len(stories) == 1


async def test_a_reply_ends_although_every_tab_was_closed(
    page: Page, told: Server, rest: threading.Event
) -> None:
    rest.clear()
    chat = desk.begin_story(told)
    context = page.context
    await desk.open_chat(page, told, chat)
    await desk.say(page, "I am leaving now.")
    await desk.growing(page, 20)
    await page.close()
    later = await context.new_page()
    rest.set()
    async with asyncio.timeout(30):
        while (await asyncio.to_thread(told.request, "GET", f"/chats/{chat}/status")).json["turn_id"]:
            await asyncio.sleep(0.05)
    await desk.open_chat(later, told, chat)
    assert await desk.answered(later) == TEXT


async def test_of_two_turns_posted_at_once_one_is_taken_and_the_other_keeps_its_words(
    page: Page, watch: Watch, told: Server
) -> None:
    chat = desk.begin_story(told)
    other = await another(page, watch)
    for tab in (page, other):
        await desk.open_chat(tab, told, chat)
    await page.fill(desk.BOX, "I was first.")
    await other.fill(desk.BOX, "No, I was.")
    await asyncio.gather(*(tab.press(desk.BOX, "Control+Enter") for tab in (page, other)))
    await asyncio.gather(*(desk.answered(tab) for tab in (page, other)))
    await expect(page.locator(".turn.you")).to_have_count(1)
    assert await desk.transcript(page) == await desk.transcript(other)
    kept = [await tab.input_value(desk.BOX) for tab in (page, other)]
    said = await page.locator(".turn.you .prose").inner_text()
    assert {said, *filter(None, kept)} == {
        "I was first.",
        "No, I was.",
    }  # the box of the first may show them too
    watch.errors[:] = [error for error in watch.errors if "409" not in error]


async def test_after_an_aside_which_nobody_answers_the_next_words_can_be_sent_from_every_tab(
    page: Page, watch: Watch, told: Server
) -> None:
    chat = desk.begin_story(told)
    other = watch.over(await page.context.new_page())
    await desk.open_chat(other, told, chat)
    await desk.open_chat(page, told, chat)
    await desk.say(page, "((Slower, please.))")
    await expect(other.locator(".turn.you")).to_have_count(1)
    await page.wait_for_timeout(300)  # what is told of it has arrived
    for tab in (page, other):
        await expect(tab.locator("#status")).to_contain_text("Your turn.")
        await expect(tab.locator(desk.SEND)).to_be_enabled()
    await desk.say(page, "I wait.")
    assert (await desk.answered(page)).startswith("w0000")


async def test_two_chats_in_two_tabs_do_not_mix(page: Page, watch: Watch, told: Server) -> None:
    one, two = desk.begin_story(told), desk.begin_story(told)
    other = await another(page, watch)
    await desk.open_chat(page, told, one)
    await desk.open_chat(other, told, two)
    await desk.say(page, "This is the first story.")
    await desk.say(other, "This is the second story.")
    assert await desk.answered(page) == await desk.answered(other) == TEXT
    await expect(page.locator(".turn.you .prose")).to_have_text(["This is the first story."])
    await expect(other.locator(".turn.you .prose")).to_have_text(["This is the second story."])


async def test_a_draft_is_there_after_a_reload_and_in_a_new_browser(page: Page, told: Server) -> None:
    chat = desk.begin_story(told)
    await desk.open_chat(page, told, chat)
    await page.fill(desk.BOX, "Half a thought\nand a half")
    await page.reload()
    await expect(page.locator(desk.BOX)).to_have_value("Half a thought\nand a half")
    assert page.context.browser
    stranger = await page.context.browser.new_context()
    elsewhere = await stranger.new_page()
    await desk.open_chat(elsewhere, told, chat)
    await expect(elsewhere.locator(desk.BOX)).to_have_value("Half a thought\nand a half")
    await desk.say(elsewhere, "A whole thought.")
    await desk.answered(elsewhere)
    await elsewhere.reload()
    await expect(elsewhere.locator(desk.BOX)).to_have_value("")
    await stranger.close()


async def test_without_a_shared_worker_a_tab_has_a_connection_of_its_own(
    page: Page, told: Server, rest: threading.Event
) -> None:
    rest.clear()
    await page.add_init_script("delete globalThis.SharedWorker")
    await desk.open_chat(page, told, desk.begin_story(told))
    await desk.say(page, "Just me.")
    assert TEXT.startswith(await desk.growing(page, 40))
    rest.set()
    assert await desk.answered(page) == TEXT


async def test_the_back_button_shows_the_story_as_it_is_now(page: Page, watch: Watch, told: Server) -> None:
    chat = desk.begin_story(told)
    await desk.open_chat(page, told, chat)
    await desk.say(page, "Wait here.")
    await desk.answered(page)
    await page.click("#rail a[href='/bots']")
    other = await another(page, watch)
    await desk.open_chat(other, told, chat)
    await desk.say(other, "Said elsewhere.")
    await desk.answered(other)
    await page.bring_to_front()
    await page.go_back()
    await expect(page.locator(".turn.you")).to_have_count(2)
    await desk.say(page, "Back again.")
    assert await desk.answered(page) == TEXT


async def test_words_that_wait_in_one_tab_stand_in_the_empty_box_of_another_and_in_no_other_box(
    page: Page, watch: Watch, told: Server
) -> None:
    chat, elsewhere = desk.begin_story(told), desk.begin_story(told)
    empty, busy, far = [await another(page, watch) for _ in range(3)]
    for tab in (page, empty, busy):
        await desk.open_chat(tab, told, chat)
    await desk.open_chat(far, told, elsewhere)
    await busy.fill(desk.BOX, "Mine.")
    await expect(empty.locator(desk.BOX)).to_have_value("Mine.")
    await busy.locator(desk.BOX).press_sequentially(" And more.")
    await expect(empty.locator(desk.BOX)).to_have_value("Mine. And more.")
    asked: list[str] = []
    empty.on("request", lambda request: asked.append(request.url))
    await page.fill(desk.BOX, "*I knock.*")
    await expect(empty.locator(desk.BOX)).to_have_value("*I knock.*")
    await expect(busy.locator(desk.BOX)).to_have_value("Mine. And more.")
    await expect(far.locator(desk.BOX)).to_have_value("")
    assert not asked
    await empty.locator(desk.BOX).press_sequentially(" Twice.")
    await expect(page.locator(desk.BOX)).to_have_value("*I knock.* Twice.")
    await empty.click(desk.SEND)
    for tab in (empty, page):
        await expect(tab.locator(desk.BOX)).to_have_value("")
    await expect(busy.locator(desk.BOX)).to_have_value("Mine. And more.")
