"""What has the focus when htmx puts a fragment in its place: the one that stands for it has it then."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, Route, expect

from chat.web.assets import Assets
from chat.web.pages import environment
from tests.browser import desk
from tests.browser.test_leaving import picture
from tests.browser.test_long_story import tell
from tests.support.server import Server


@pytest.fixture
def model_says() -> str:
    return desk.counted(3)


async def test_who_reaches_for_older_turns_by_keys_goes_on_from_where_they_were(
    page: Page, told: Server
) -> None:
    """Not from the top of what came: the next link stands there, and looked at it would fetch all of the story."""
    chat = desk.begin_story(told)
    tell(told, chat)
    tell(told, chat)
    await desk.open_chat(page, told, chat)
    turns = page.locator(".turn")
    await expect(turns).to_have_count(24)
    pressed = asyncio.Event()

    async def once_pressed(route: Route) -> None:
        await pressed.wait()
        await route.continue_()

    await page.route("**/transcript?before=*", once_pressed)
    await turns.first.focus()
    await page.keyboard.press("Shift+Tab")
    await expect(page.get_by_role("link", name="Earlier in this story")).to_be_focused()
    pressed.set()
    await expect(turns).to_have_count(74)
    before = turns.nth(49)
    await expect(before).to_be_focused()
    await expect(before).to_be_in_viewport()
    await page.keyboard.press("Shift+Tab")
    await expect(before).not_to_be_focused()
    assert await turns.nth(48).evaluate("(turn) => turn.contains(document.activeElement)")
    await expect(page.locator("#older")).to_have_count(1)
    await expect(turns).to_have_count(74)


async def test_look_again_keeps_the_focus_while_what_is_being_done_is_told_anew(
    page: Page, server: Server
) -> None:
    fragment = environment(Assets()).get_template("parts/_backup_progress.html")
    asked: list[int] = []
    seen = asyncio.Event()

    async def at_work(route: Route) -> None:
        answer = await route.fetch()
        form = '<form class="actions"'
        page_at_work = (await answer.text()).replace(form, fragment.render(stage="0 %") + form, 1)
        await route.fulfill(response=answer, body=page_at_work)

    async def progress(route: Route) -> None:
        asked.append(1)
        if len(asked) == 3:
            await seen.wait()
        await route.fulfill(body=fragment.render(stage=f"{len(asked)} %"), content_type="text/html")

    await page.route("**/backups", at_work)
    await page.route("**/backups/progress", progress)
    await page.goto(f"{server.url}/backups")
    await page.get_by_role("link", name="Look again").focus()
    await expect(page.locator("#backup-progress")).to_contain_text("2 %")
    await expect(page.get_by_role("link", name="Look again")).to_be_focused()
    await page.locator("#heading").click()
    await page.get_by_role("button", name="Back up now").focus()
    seen.set()
    await expect(page.locator("#backup-progress")).to_contain_text("3 %")
    await expect(page.get_by_role("button", name="Back up now")).to_be_focused()


async def test_the_link_that_looks_for_servers_keeps_the_focus_when_they_were_looked_for(
    page: Page, server: Server
) -> None:
    may_look = asyncio.Event()

    async def late(route: Route) -> None:
        await may_look.wait()
        await route.continue_()

    await page.route("**/settings/local?*", late)
    await page.goto(f"{server.url}/settings")
    await page.get_by_role("link", name="Look for model servers on this machine").focus()
    may_look.set()
    await expect(page.get_by_role("link", name="Look again")).to_be_focused()


async def test_a_portrait_that_was_taken_away_leaves_the_focus_at_its_form(
    page: Page, server: Server
) -> None:
    bot = server.request("GET", "/bots").json["bots"][0]["id"]
    await page.goto(f"{server.url}/bots/{bot}")
    form = page.locator(f"#portrait-of-{bot}")
    await form.locator("input[type=file]").set_input_files(picture())  # type: ignore[arg-type]
    await form.get_by_role("button", name="Set the portrait").press("Enter")
    await form.get_by_role("button", name="Take it away").press("Enter")
    await expect(form.get_by_role("button", name="Take it away")).to_have_count(0)
    await expect(form.get_by_role("button", name="Set the portrait")).to_be_focused()
