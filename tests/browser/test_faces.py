"""A failed reply shows its face in every tab of its chat, with its wait counted down, and nowhere else."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.peer import Peer
from tests.support.peer_acts import Reply, Status
from tests.support.server import Server
from tests.support.watch import Watch

AGAIN = "Yes, I hear you."
COUNTED = re.compile(r"in \d+ seconds?")


@pytest.fixture
def model_says() -> str:
    return AGAIN


async def test_too_many_requests_count_down_in_every_tab_and_retry_works_in_any(
    page: Page, watch: Watch, told: Server, peer: Peer
) -> None:
    chat, other = desk.begin_story(told), desk.begin_story(told)
    await desk.open_chat(page, told, chat)
    second = watch.over(await page.context.new_page())
    await desk.open_chat(second, told, chat)
    elsewhere = watch.over(await page.context.new_page())
    await desk.open_chat(elsewhere, told, other)
    peer.script(Status(429, {"error": {"message": "slow down"}}, retry_after="31"))
    await page.bring_to_front()
    await desk.say(page, "Do you hear me?")
    for tab in (page, second):
        await tab.bring_to_front()
        await expect(tab.locator(".face-what")).to_contain_text("too many requests")
        await expect(tab.locator(".face-means")).to_have_text("Your turn is kept; it has no answer yet.")
        wait = tab.locator(".face .countdown")
        await expect(wait).to_have_text(re.compile(r"in \d+ seconds"))
        shown = await wait.inner_text()
        await expect(wait).not_to_have_text(shown)
    await expect(elsewhere.locator(".face")).to_have_count(0)
    await second.get_by_role("button", name="Retry").click()
    for tab in (second, page):
        await tab.bring_to_front()
        await expect(tab.locator(".turn.bot .prose")).to_have_text([AGAIN])
        await expect(tab.locator(".face")).to_have_count(0)
        await expect(tab.locator(".turn.you .prose")).to_have_text("Do you hear me?")


async def test_a_server_that_is_asked_again_is_counted_down_above_the_box(
    page: Page, told: Server, peer: Peer
) -> None:
    await desk.open_chat(page, told, desk.begin_story(told))
    peer.script(Status(429, retry_after="30"))
    await desk.say(page, "Do you hear me?")
    wait = page.locator("#status .countdown")
    await expect(wait).to_have_text(COUNTED)
    first = await wait.inner_text()
    await expect(wait).not_to_have_text(first)
    await expect(wait).to_have_text(COUNTED)
    assert int((await wait.inner_text()).split()[1]) < int(first.split()[1])
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator(".face-what")).to_have_text("You stopped this reply here.")
    peer.script(Reply(AGAIN))
    await page.get_by_role("button", name="Retry").click()
    await expect(page.locator(".turn.bot .prose")).to_have_text([AGAIN])
