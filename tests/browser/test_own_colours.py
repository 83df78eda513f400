"""On paper every theme is dark on white, and a system that forces its own colours gets them in pictures too."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.server import Server


async def themed(page: Page, server: Server, theme: str) -> None:
    await page.context.add_cookies([{"name": "theme", "value": theme, "url": server.url}])


async def colour(page: Page, selector: str, name: str) -> str:
    """As the browser computed it."""
    found = await page.locator(selector).first.evaluate(
        "(element, name) => getComputedStyle(element)[name]", name
    )
    return str(found)


def light_of(rgb: str) -> float:
    return sum(int(part) for part in re.findall(r"\d+", rgb)[:3]) / 3


async def test_the_systems_own_colours_are_those_of_the_map_and_mark_what_is_chosen(
    page: Page, server: Server
) -> None:
    chat = desk.begin_story(server)
    desk.begin_story(server)
    await themed(page, server, "light")
    await page.emulate_media(forced_colors="active", color_scheme="dark")
    await page.goto(f"{server.url}/chats/{chat}/map")
    await expect(page.locator(".map .scene-place")).to_be_visible()
    text = await colour(page, "body", "color")
    assert await colour(page, ".map .scene-place", "fill") == text
    here, other = ".rail-list a[aria-current]", ".rail-list a:not([aria-current])"
    assert await colour(page, here, "backgroundColor") != await colour(page, other, "backgroundColor")
    chosen, rest = ".theme-switch [aria-pressed=true]", ".theme-switch [aria-pressed=false]"
    assert await colour(page, chosen, "backgroundColor") != await colour(page, rest, "backgroundColor")


@pytest.mark.parametrize("theme", ["dark", "phosphor"])
async def test_a_story_is_printed_dark_on_white(page: Page, server: Server, theme: str) -> None:
    chat = desk.begin_story(server)
    await themed(page, server, theme)
    await page.goto(f"{server.url}/chats/{chat}")
    assert light_of(await colour(page, ".opening .prose", "color")) > 120
    await page.emulate_media(media="print")
    assert light_of(await colour(page, ".opening .prose", "color")) < 90
    assert light_of(await colour(page, "html", "backgroundColor")) > 230
    await expect(page.locator(".map-link, .theme-switch").first).to_be_hidden()
