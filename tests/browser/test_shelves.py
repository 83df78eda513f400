"""The lists of chats and bots follow what other tabs do, and keep the focus meanwhile."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.server import Server
from tests.support.watch import Watch


async def test_lists_show_what_was_done_in_another_tab(page: Page, watch: Watch, server: Server) -> None:
    going, staying = desk.begin_story(server), desk.begin_story(server)
    bots = watch.over(await page.context.new_page())
    await page.goto(f"{server.url}/chats")
    await bots.goto(f"{server.url}/bots")
    await page.locator(f"#shelf a[href='/chats/{staying}']").focus()
    made = server.request("POST", "/bots/new", form={"name": "Ada Quill", "persona": "Writes."})
    card = bots.locator(f"#shelf a[href='/bots/{made.json['bot_id']}']")
    await expect(card).to_have_text("Ada Quill")
    server.request("POST", f"/bots/{made.json['bot_id']}", form={"name": "Ada Penn"})
    await expect(card).to_have_text("Ada Penn")
    server.request("POST", f"/chats/{staying}/rename", form={"title": "The other shore"})
    server.request("POST", f"/chats/{going}/archive", form={})
    await expect(page.locator(f"#shelf a[href='/chats/{going}']")).to_have_count(0)
    kept = page.locator(f"#shelf a[href='/chats/{staying}']")
    await expect(kept).to_have_text("The other shore")
    await expect(kept).to_be_focused()
