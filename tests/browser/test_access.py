"""Every page can be used by everyone: no finding of axe on any page, in every theme, and by keys.

States have theirs where they are tested: waits and what went wrong in `test_access_states`, the drawer, the map, other
words and time travel in files of their own.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.browser import desk
from tests.support.peer import Peer
from tests.support.peer_acts import Status
from tests.support.server import Server
from tests.support.watch import Watch

PAGES = (
    "/chats",
    "/chats/new",
    "/chats/{chat}/delete",
    "/bots",
    "/bots/new",
    "/bots/{bot}",
    "/bots/{bot}/delete",
    "/bots/{bot}/reset",
    "/settings",
    "/settings/personas/{persona}/delete",
    "/deleting",
    "/backups",
    "/health",
    "/shortcuts",
    "/chats/none",
    "/bots/{bot}/kickoff",
)


async def findings_of(page: Page) -> list[Any]:
    found = await Axe().run(page)
    return [
        (one["id"], [node["target"] for node in one["nodes"]][:4]) for one in found.response["violations"]
    ]


async def themed(page: Page, server: Server, theme: str, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    await page.context.add_cookies([{"name": "theme", "value": theme, "url": server.url}])


@pytest.mark.parametrize(("width", "theme"), [(390, "phosphor"), (1440, "light"), (390, "dark")])
async def test_no_page_has_a_finding(
    page: Page, watch: Watch, server: Server, width: int, theme: str
) -> None:
    await themed(page, server, theme, width)
    await page.goto(server.url + "/chats")
    findings = {"the first page anybody sees": await findings_of(page)}
    chat = desk.begin_story(server)
    await desk.open_chat(page, server, chat)
    findings["a story without a turn"] = await findings_of(page)
    await page.click("#drawer-panel summary")
    findings["the drawer"] = await findings_of(page)
    there = {"chat": chat, "bot": server.request("GET", "/bots").json["bots"][0]["id"]}
    for name in ("Ann", "Bo"):
        assert server.request("POST", "/settings", form={"you_id": "new", "name": name}).status == 200
    people = server.request("GET", "/settings").json["personas"]
    there["persona"] = next(one["id"] for one in people if one["name"] == "Bo")
    for path in PAGES:
        await page.goto(server.url + path.format(**there))
        findings[path] = await findings_of(page)
    await page.click("button[value=parse]")
    await expect(page.locator(".kickoff-fields")).to_be_visible()
    findings["the fields of an opening"] = await findings_of(page)
    assert server.request("POST", "/backups").status in (200, 202, 303)
    await page.goto(server.url + "/backups")
    await page.locator(".card-actions a").first.click(timeout=20_000)
    findings["what going back would change"] = await findings_of(page)
    await page.get_by_role("button", name="Go back to this backup").click()
    await expect(page.locator("#heading")).to_have_text("Back at a backup")
    findings["what going back changed"] = await findings_of(page)
    assert not {path: found for path, found in findings.items() if found}
    watch.errors[:] = [error for error in watch.errors if not error.endswith("/chats/none")]


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1440, "phosphor")])
async def test_no_reply_has_a_finding_while_it_grows_nor_when_it_failed(
    page: Page, told: Server, peer: Peer, rest: threading.Event, width: int, theme: str
) -> None:
    rest.clear()
    await themed(page, told, theme, width)
    await desk.open_chat(page, told, desk.begin_story(told))
    await desk.say(page, 'I come in. "Good evening."')
    await desk.growing(page, 40)
    findings = {"growing": await findings_of(page)}
    await page.focus(".stop")
    await page.keyboard.press("Enter")
    await expect(page.locator(".face-what")).to_be_visible()
    findings["stopped"] = await findings_of(page)
    await expect(page.locator(desk.BOX)).to_be_focused()  # not lost with the button it was on
    peer.script(*[Status(503)] * 8)
    await page.locator(".turn.bot button", has_text="Retry").click()
    await expect(page.locator(".face")).to_contain_text("503", timeout=20_000)
    findings["failed"] = await findings_of(page)
    assert not {state: found for state, found in findings.items() if found}


async def test_a_thumb_hits_the_small_words_of_the_drawer(browser: Browser, server: Server) -> None:
    """Three pixels beside a word of twenty are still that word: 24 in all, at least."""
    phone = await browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, reduced_motion="reduce"
    )
    page = await phone.new_page()
    await desk.open_chat(page, server, desk.begin_story(server))
    await desk.say(page, "Good evening.")
    await desk.answered(page)
    await page.tap("#drawer-panel > summary")
    hands = page.locator(".edit > summary, .pin button, .drawer-head a")
    await expect(page.locator(".pin button")).not_to_have_count(0)
    for hand in await hands.all():
        await hand.scroll_into_view_if_needed()
        missed = await hand.evaluate(
            """(hand) => {
              const { left, right, top, bottom } = hand.getBoundingClientRect();
              const [x, y] = [(left + right) / 2, (top + bottom) / 2];
              const around = [[x, top - 3], [x, bottom + 3], [left - 3, y], [right + 3, y]];
              return around.filter(([x, y]) => !hand.contains(document.elementFromPoint(x, y)));
            }"""
        )
        assert missed == [], await hand.inner_text()
    await phone.close()


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


async def test_the_keyboard_keeps_its_place_when_its_button_goes(
    page: Page, told: Server, rest: threading.Event
) -> None:
    rest.clear()
    await desk.open_chat(page, told, desk.begin_story(told))
    await page.fill(desk.BOX, '"Who is there?"')
    await page.keyboard.press("Tab")
    while not await page.locator(desk.SEND).evaluate("send => send === document.activeElement"):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await desk.growing(page)
    await expect(page.locator(desk.BOX)).to_be_focused()
    rest.set()
    await desk.answered(page)
    rest.clear()
    await page.get_by_role("button", name="Write it again").focus()
    await page.keyboard.press("Enter")
    await desk.growing(page)
    await expect(page.locator(".turn.bot.running")).to_be_focused()
    rest.set()
    await desk.answered(page)
    await expect(page.locator(".turn.bot").last).to_be_focused()


async def test_no_key_leads_below_a_drawer_that_covers_the_page(page: Page, server: Server) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await desk.open_chat(page, server, desk.begin_story(server))
    await page.click("#drawer-panel summary")
    await page.locator("#drawer-panel a[href]").last.focus()
    for _ in range(4):
        await page.keyboard.press("Tab")
        assert not await page.evaluate("!!document.activeElement.closest('#page-scroll, .desk')")
    await page.locator("#drawer-panel a[href]").last.focus()
    await page.keyboard.press("Escape")
    await expect(page.locator(desk.BOX)).to_be_visible()


async def test_why_a_text_is_too_long_is_before_ones_eyes(page: Page, watch: Watch, server: Server) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"{server.url}/bots/new")
    await page.fill("#name", "Ada Quill")
    await page.fill("#backstory", "b" * 32_001)
    await page.get_by_role("button", name="Save and set the opening").click()
    await expect(page.locator("#wrong-backstory")).to_be_in_viewport()
    watch.errors[:] = [error for error in watch.errors if "413" not in error]


async def test_what_a_test_of_the_connection_found_is_before_ones_eyes(page: Page, told: Server) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"{told.url}/settings")
    await page.get_by_role("button", name="Save and test").click()
    found = page.get_by_role("list", name="What works")
    await expect(found).to_be_focused()
    await expect(found).to_be_in_viewport()


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
