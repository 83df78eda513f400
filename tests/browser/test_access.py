"""Every page can be used by everyone: no serious finding of axe, on a phone and on a desk."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.server import Server
from tests.support.watch import Watch

PAGES = ("/chats", "/chats/new", "/bots", "/bots/new", "/settings")


async def serious(page: Page) -> list[Any]:
    found = await Axe().run(page)
    return [
        (one["id"], [node["target"] for node in one["nodes"]][:4])
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("width", [390, 1440])
async def test_no_page_has_a_serious_finding(page: Page, watch: Watch, server: Server, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    chat = desk.begin_story(server)
    await desk.open_chat(page, server, chat)
    await desk.say(page, 'I come in. "Good evening."')
    await desk.answered(page)
    findings = {f"/chats/{chat}": await serious(page)}
    await page.click("#drawer-panel summary")
    findings["the drawer"] = await serious(page)
    bot = server.request("GET", "/bots").json["bots"][0]["id"]
    for path in (*PAGES, f"/bots/{bot}", f"/bots/{bot}/kickoff", "/chats/none"):
        await page.goto(server.url + path)
        findings[path] = await serious(page)
    assert not {path: found for path, found in findings.items() if found}
    watch.errors[:] = [error for error in watch.errors if not error.endswith("/chats/none")]


async def test_a_story_is_written_with_the_keyboard_alone(page: Page, server: Server) -> None:
    await desk.open_chat(page, server, desk.begin_story(server))
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.name === 'prose'"):
            break
    await page.keyboard.type('"Who is there?"')
    await page.keyboard.press("Control+Enter")
    await desk.answered(page)
    await expect(page.locator(".turn.you")).to_have_count(1)
    assert await page.evaluate("document.activeElement.name") == "prose"


@pytest.mark.parametrize("width", [390, 1440])
async def test_the_box_stands_below_the_story_and_nothing_is_wider_than_the_page(
    page: Page, server: Server, width: int
) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    await desk.open_chat(page, server, desk.begin_story(server))
    story, box = (
        await page.locator("#page-scroll").bounding_box(),
        await page.locator("#composer").bounding_box(),
    )
    assert story
    assert box
    assert story["height"] > 300
    assert box["y"] >= story["y"] + story["height"] - 1
    assert 600 < box["y"] + box["height"] <= 900
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
