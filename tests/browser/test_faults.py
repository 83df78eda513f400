"""What goes wrong in the middle of a story: the program is killed, the player stops, the words are refused."""

from __future__ import annotations

import re
import threading

import pytest
from playwright.async_api import Page, expect

from tests.browser import desk
from tests.support.peer import Peer
from tests.support.peer_acts import Reply
from tests.support.server import Server
from tests.support.watch import Watch

TEXT = desk.counted(150)
LONG = desk.counted(600)


async def test_a_kill_in_the_middle_of_a_reply_loses_at_most_a_second_and_retry_works(
    page: Page, watch: Watch, told: Server, peer: Peer
) -> None:
    chat = desk.begin_story(told)
    await desk.open_chat(page, told, chat)
    peer.script(Reply(LONG, pace_s=desk.PACE_S))
    await desk.say(page, "Do not fall asleep.")
    await desk.growing(page, 450)
    seen = await desk.growing(page)
    told.kill()
    told.start()
    last = page.locator(".turn.bot").last
    await expect(last.get_by_role("button", name="Retry")).to_be_visible(timeout=30_000)
    kept = await last.locator(".prose").inner_text()
    assert LONG.startswith(kept)
    assert len(seen) - len(kept) <= 6 / desk.PACE_S * 1.1
    await expect(page.locator(".turn.running")).to_have_count(0)
    await expect(page.locator(desk.SEND)).to_be_enabled()
    await expect(page.locator(".turn.you .prose")).to_have_text(["Do not fall asleep."])

    await last.get_by_role("button", name="Retry").click()
    await expect(page.locator(".turn.bot .prose").last).to_have_text(TEXT, timeout=20_000)
    assert await desk.answered(page) == TEXT
    await expect(page.locator(".turn.you .prose")).to_have_text(["Do not fall asleep."])
    told.stop()
    verified = told.command("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    watch.errors[:] = [error for error in watch.errors if "Failed to load resource: net::" not in error]


async def test_the_page_says_that_the_program_is_gone_and_takes_it_back_when_it_is_there_again(
    page: Page, watch: Watch, told: Server
) -> None:
    await desk.open_chat(page, told, desk.begin_story(told))
    told.stop()
    await expect(page.locator("#notices")).to_contain_text(
        "connection to the program is lost", timeout=20_000
    )
    await page.fill(desk.BOX, "Is anybody there?")
    await page.click(desk.SEND)
    await expect(page.locator("#notices")).to_contain_text("cannot be reached")
    await page.get_by_role("button", name="Draft for me").click()
    await expect(page.locator("#notices")).to_contain_text("try this again")
    await expect(page.locator(desk.BOX)).to_have_value("Is anybody there?")
    told.start()
    await page.click(desk.SEND)
    assert await desk.answered(page) == TEXT
    await expect(page.locator("#notices")).to_have_text("", timeout=20_000)
    watch.errors[:] = [error for error in watch.errors if "Failed to load resource: net::" not in error]


@pytest.mark.parametrize("how", ["button", "Escape"])
async def test_stop_ends_the_reply_and_keeps_what_there_is(
    page: Page, told: Server, rest: threading.Event, how: str
) -> None:
    rest.clear()
    await desk.open_chat(page, told, desk.begin_story(told))
    await desk.say(page, "Tell me everything.")
    await desk.growing(page, 60)
    if how == "button":
        await page.get_by_role("button", name="Stop").click()
    else:
        await page.press(desk.BOX, "Escape")
    kept = await desk.answered(page)
    assert TEXT.startswith(kept)
    assert 60 <= len(kept) < len(TEXT)
    rest.set()
    await expect(page.locator(".turn.bot").last).to_contain_text("stopped")
    await desk.say(page, "And now go on.")
    assert await desk.answered(page) == TEXT


@pytest.mark.parametrize("words", ["   \n  ", "x" * 32_001], ids=["blank", "too long"])
async def test_refused_words_stay_in_the_box_and_the_page_says_why(
    page: Page, watch: Watch, server: Server, words: str
) -> None:
    await desk.open_chat(page, server, desk.begin_story(server))
    await page.fill(desk.BOX, words)
    await page.click(desk.SEND)
    await expect(page.locator("#notices")).to_have_text(re.compile(r"\w+ \w+"))
    await expect(page.locator(desk.BOX)).to_have_value(words)
    await expect(page.locator(".turn.you")).to_have_count(0)
    await page.fill(desk.BOX, "Good evening.")
    await page.click(desk.SEND)
    await desk.answered(page)
    await expect(page.locator(".turn.you .prose")).to_have_text(["Good evening."])
    watch.errors[:] = [error for error in watch.errors if "status of 4" not in error]


async def test_emoji_and_right_to_left_words_stand_as_they_were_written(page: Page, server: Server) -> None:
    await desk.open_chat(page, server, desk.begin_story(server))
    words = "שלום 🙂👩‍👩‍👧 e\u0301 <b>&amp;</b> {{7*7}}\n\nVoilà\u202e reversed"
    await desk.say(page, words)
    await desk.answered(page)
    live = await page.locator(".turn.you .prose").inner_text()
    await page.reload()
    assert await page.locator(".turn.you .prose").inner_text() == live
    assert "<b>&amp;</b> {{7*7}}" in live
    assert "שלום 🙂👩‍👩‍👧 e\u0301" in live


async def test_a_reply_of_emoji_is_whole_in_a_tab_that_joined_late(
    page: Page, watch: Watch, server: Server
) -> None:
    """Offsets count characters; a browser's strings count halves of them."""
    await desk.open_chat(page, server, desk.begin_story(server))
    await desk.say(page, "🙂 Tell me a long story about 🙂🙂.")
    late = watch.over(await page.context.new_page())
    await desk.open_chat(late, server, page.url.split("/")[-1])
    assert await desk.answered(page) == await desk.answered(late)
