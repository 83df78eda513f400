"""Deleting for good in a browser: by hand on its page, while another tab shows the story."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import Page, Route, expect

from tests.browser import desk
from tests.support.server import Server
from tests.support.watch import Watch

PUT_OFF_MS = 1000
"""Longer than a page puts anything off: a look at its parts, or keeping what was typed."""


async def test_a_deleted_chat_leaves_every_tab_and_the_others_go_on(
    page: Page, watch: Watch, server: Server
) -> None:
    going, staying = desk.begin_story(server), desk.begin_story(server)
    other = watch.over(await page.context.new_page())
    third = watch.over(await page.context.new_page())
    await desk.open_chat(other, server, going)
    await desk.open_chat(third, server, staying)
    await page.goto(f"{server.url}/chats/{going}/delete")
    title = server.request("GET", f"/chats/{going}").json["title"]
    await page.get_by_label("Type the title to go on").fill(title)
    await page.get_by_role("button", name="Delete for good").click()
    await expect(page.get_by_text("The words are gone")).to_be_visible()
    await expect(other).to_have_url(f"{server.url}/chats")
    await expect(third.locator(f"#rail a[href='/chats/{going}']")).to_have_count(0)
    await desk.say(third, "And we go on.")
    await expect(third.locator(".turn.you .prose")).to_have_text("And we go on.")


async def test_a_tab_that_was_told_that_its_chat_is_gone_asks_nothing_of_it_while_it_leaves(
    page: Page, watch: Watch, server: Server
) -> None:
    """`watch` fails the test for a question that finds nothing; the next page may take its time to come."""
    going, staying = desk.begin_story(server), desk.begin_story(server)
    other = watch.over(await page.context.new_page())
    await desk.open_chat(other, server, staying)
    await desk.open_chat(page, server, going)
    leaving, may_leave = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        leaving.set()
        await may_leave.wait()
        await route.continue_()

    await page.route("**/chats", late)
    await page.fill(desk.BOX, "Words that nobody sent.")
    title = server.request("GET", f"/chats/{going}").json["title"]
    server.request("POST", f"/chats/{going}/delete", form={"name": title})
    await asyncio.wait_for(leaving.wait(), 20)
    await expect(other.locator(f"#rail a[href='/chats/{going}']")).to_have_count(0)
    await other.evaluate(f"new Promise((over) => setTimeout(over, {PUT_OFF_MS}))")
    may_leave.set()
    await expect(page).to_have_url(f"{server.url}/chats")


async def test_a_page_of_a_bot_says_that_the_bot_is_away_or_gone_and_keeps_what_was_typed(
    page: Page, watch: Watch, server: Server
) -> None:
    made = server.request("POST", "/bots/new", form={"name": "Ada Quill", "persona": "Writes."})
    bot = made.json["bot_id"]
    opening = watch.over(await page.context.new_page())
    await page.goto(f"{server.url}/bots/{bot}")
    await opening.goto(f"{server.url}/bots/{bot}/kickoff")
    await page.get_by_label("Who they are").fill("Writes letters nobody reads.")
    await opening.get_by_label("Where does it begin?").fill("A desk at dusk.")
    server.request("POST", f"/bots/{bot}/archive")
    for tab in (page, opening):
        await tab.bring_to_front()
        await expect(tab.locator("#bot-state")).to_contain_text("Ada Quill is put away.")
    await opening.get_by_role("button", name="Bring back to the list").click()
    await expect(opening.locator("#bot-state")).to_be_empty()
    await expect(opening.get_by_label("Where does it begin?")).to_have_value("A desk at dusk.")
    server.request("POST", f"/bots/{bot}/delete", form={"name": "Ada Quill"})
    await expect(opening.locator("#bot-state")).to_contain_text("deleted for good")
    await page.bring_to_front()
    await expect(page.locator("#bot-state")).to_contain_text("deleted for good")
    await expect(page.get_by_role("button", name="Put away")).to_be_hidden()
    await page.get_by_role("button", name="Save it as a new bot").click()
    await expect(page).to_have_url(re.compile("/kickoff$"))
    (again,) = [one for one in server.request("GET", "/bots").json["bots"] if one["name"] == "Ada Quill"]
    assert (again["persona"], again["id"] == bot) == ("Writes letters nobody reads.", False)
