"""Deleting for good in a browser: by hand on its page, while another tab shows the story."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.server import Server
from tests.support.watch import Watch


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
