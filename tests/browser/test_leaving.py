"""What is typed into a page of fields is not lost to anything else that is done there; portraits follow everywhere."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from playwright.async_api import Dialog, Page, expect

from tests.browser import desk
from tests.support.server import Server
from tests.support.watch import Watch

TYPED = "Keeps the ferry, and a grudge."


def picture(colour: str = "red") -> dict[str, str | bytes]:
    out = io.BytesIO()
    Image.new("RGB", (40, 40), colour).save(out, "PNG")
    return {"name": "face.png", "mimeType": "image/png", "buffer": out.getvalue()}


async def test_a_portrait_is_set_refused_and_taken_away_beside_what_is_typed(
    page: Page, watch: Watch, server: Server, tmp_path: Path
) -> None:
    bot = server.request("GET", "/bots").json["bots"][0]["id"]
    await page.goto(f"{server.url}/bots/{bot}")
    await page.fill("#persona", TYPED)
    form = page.locator(".portrait-form")
    await form.locator("input[type=file]").set_input_files(picture())  # type: ignore[arg-type]
    await form.get_by_role("button", name="Set the portrait").click()
    await expect(form.locator("img")).to_have_count(1)
    await expect(form.get_by_role("button", name="Set the portrait")).to_be_focused()
    kept = await form.locator("img").get_attribute("src")
    no_picture = {"name": "a.heic", "mimeType": "image/heic", "buffer": b"no picture"}
    await form.locator("input[type=file]").set_input_files(no_picture)  # type: ignore[arg-type]
    await form.get_by_role("button", name="Set the portrait").click()
    await expect(form.get_by_role("alert")).to_contain_text("cannot be read as a PNG, JPEG or WebP")
    assert await form.locator("img").get_attribute("src") == kept
    large = tmp_path / "large.png"
    large.write_bytes(b"x" * 12_100_000)
    await form.locator("input[type=file]").set_input_files(large)
    await form.get_by_role("button", name="Set the portrait").click()
    await expect(page.locator("#notices")).to_contain_text("The file is larger than 12 MB")
    await expect(page.locator("#notices")).to_be_in_viewport()
    await form.get_by_role("button", name="Take it away").click()
    await expect(form.locator("img")).to_have_count(0)
    await expect(page.locator("#persona")).to_have_value(TYPED)
    watch.errors[:] = [error for error in watch.errors if "/portrait" not in error]


async def test_typed_words_are_asked_about_before_the_page_goes_and_not_once_they_are_sent(
    page: Page, server: Server
) -> None:
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    bot = server.request("GET", "/bots").json["bots"][0]["id"]
    await page.goto(f"{server.url}/bots/{bot}")
    page.on("dialog", stay)
    await page.locator("#persona").press_sequentially(TYPED)
    typed = await page.locator("#persona").input_value()
    await page.get_by_role("button", name="Dark").click()
    await expect(page.locator("#persona")).to_have_value(typed)
    assert asked == ["beforeunload"]
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator("#notices")).to_contain_text("saved")
    await page.get_by_role("button", name="Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert asked == ["beforeunload"]


async def test_a_new_portrait_and_name_reach_the_story_in_another_tab(
    page: Page, watch: Watch, server: Server
) -> None:
    bot = server.request("GET", "/bots").json["bots"][0]["id"]
    await desk.open_chat(page, server, desk.begin_story(server))
    await desk.say(page, "Good evening.")
    await desk.answered(page)
    author = watch.over(await page.context.new_page())
    await author.goto(f"{server.url}/bots/{bot}")
    form = author.locator(".portrait-form")
    await form.locator("input[type=file]").set_input_files(picture("blue"))  # type: ignore[arg-type]
    await form.get_by_role("button", name="Set the portrait").click()
    await expect(form.locator("img")).to_have_count(1)
    await page.bring_to_front()
    await expect(page.locator(".turn.bot img")).to_have_count(1)
    server.request("POST", f"/bots/{bot}", form={"name": "Mira the Elder"})
    await expect(page.locator(".turn.bot .name")).to_have_text("Mira the Elder")


async def test_what_came_of_a_press_is_told_above_a_drawer_that_covers_the_page(
    page: Page, watch: Watch, server: Server
) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await desk.open_chat(page, server, desk.begin_story(server))
    await page.click("#drawer-panel > summary")
    naming = page.locator(".drawer-sheet .naming")
    told = page.locator("#notices .notice-message")
    for name, said in (("Before the storm", "called “Before the storm”"), ("   ", "name")):
        await naming.locator("input").fill(name)
        await naming.get_by_role("button").click()
        await expect(told).to_contain_text(said)
        await expect(told).to_be_visible()
        await told.click()  # nothing lies above it
    await page.keyboard.press("Escape")
    watch.errors[:] = [error for error in watch.errors if "/checkpoints" not in error]
