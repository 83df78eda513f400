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
    await expect(page.locator(f"#shelf .card a[href='/chats/{going}']")).to_have_count(0)
    kept = page.locator(f"#shelf a[href='/chats/{staying}']")
    await expect(kept).to_have_text("The other shore")
    await expect(kept).to_be_focused()


async def test_empty_lists_fill_and_those_that_were_put_away_follow(
    page: Page, watch: Watch, server: Server
) -> None:
    bots = watch.over(await page.context.new_page())
    await page.goto(f"{server.url}/chats")
    await bots.goto(f"{server.url}/bots")
    await expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    for bot in server.request("GET", "/bots").json["bots"]:
        server.request("POST", f"/bots/{bot['id']}/archive", form={})
    await expect(bots.get_by_text("No bot is here yet")).to_be_visible()
    away = bots.locator(".put-away")
    await away.locator("summary").click()
    made = server.request("POST", "/bots/new", form={"name": "Ada Quill", "persona": "Writes."})
    await expect(bots.locator("#shelf .card h2")).to_have_text("Ada Quill")
    await expect(away).to_have_attribute("open", "")
    await expect(away.locator("summary")).to_be_focused()
    server.request("POST", f"/bots/{made.json['bot_id']}/archive", form={})
    await expect(away.get_by_role("link", name="Ada Quill")).to_be_visible()

    server.request("POST", f"/bots/{made.json['bot_id']}/restore", form={})
    chat_id = desk.begin_story(server, made.json["bot_id"])
    await expect(page.locator(f"#shelf a[href='/chats/{chat_id}']")).to_be_visible()
    await expect(page.locator("h1")).to_have_text("Chats")
    server.request("POST", f"/chats/{chat_id}/archive", form={})
    await expect(page.locator(".put-away")).to_contain_text("Put away (1)")
    await expect(page.locator("#at-once, .own-way").first).to_be_visible()


async def test_a_word_without_end_makes_no_page_wider_than_a_phone(page: Page, server: Server) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    endless = {"name": "W" * 100, "persona": "x" * 300, "traits": "y" * 180}
    made = server.request("POST", "/bots/new", form=endless)
    assert made.status in (200, 201)
    bot, chat = f"/bots/{made.json['bot_id']}", f"/chats/{desk.begin_story(server, made.json['bot_id'])}"
    around = [f"{bot}/kickoff", f"{bot}/reset", f"{bot}/delete", f"{chat}/delete", f"{chat}/map", chat]
    for address in ("/bots", "/chats", "/chats/new", "/settings", bot, *around):
        await page.goto(f"{server.url}{address}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390, address


async def test_the_title_of_a_story_has_room_where_there_is_least(page: Page, server: Server) -> None:
    """320 pixels are also what is left of a small screen at four times its size."""
    await page.set_viewport_size({"width": 320, "height": 640})
    chat = desk.begin_story(server)
    await desk.open_chat(page, server, chat)
    await desk.say(page, "Good evening.")
    await desk.answered(page)
    box = await page.locator("h1").bounding_box()
    assert box
    assert box["width"] >= 56, "four letters and the dots that say there are more"
    await page.click("#drawer-panel > summary")
    await expect(page.locator(f".drawer-sheet a[href='/chats/{chat}/map']")).to_be_visible()
