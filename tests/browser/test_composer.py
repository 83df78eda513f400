"""The box never loses a word: not to a refusal, not to a dead network, not to a second press of Send."""

from __future__ import annotations

import asyncio
import json

import pytest_asyncio
from playwright.async_api import Page, Route, expect

from tests.browser.mockup import ORIGIN, Mockup, field, status, turn
from tests.support.watch import Watch

TURNS = "/chats/c1/turns"
DRAFT = "/chats/c1/draft"


@pytest_asyncio.fixture(loop_scope="session")
async def chat(page: Page) -> Mockup:
    mockup = Mockup(page)
    await mockup.open(turn("u1", "Hello.", 10))
    mockup.answers["POST", TURNS] = turn("u2", "Who is there?", 12, name="You") + turn(
        "r2", "", 12, running=True
    )
    mockup.answers["PUT", DRAFT] = "<p>kept</p>"
    mockup.answers["GET", "/chats/c1/transcript"] = turn("u1", "Hello.", 10)
    mockup.statuses["POST", TURNS] = 202
    return mockup


TYPE = """(box, words) => {
  for (const letter of words) {
    box.value += letter;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }
}"""
"""Quicker than any hand rests, however busy the machine is."""


def turns_of(chat: Mockup) -> list[str]:
    return [body for path, body in chat.posted if path == TURNS]


def drafts_of(chat: Mockup) -> list[str]:
    return [json.loads(body)["prose"] for path, body in chat.posted if path == DRAFT]


async def test_ctrl_and_enter_sends_and_the_words_stand_as_the_server_answered_them(chat: Mockup) -> None:
    await chat.page.fill("#composer textarea", "Who is there?")
    await chat.page.press("#composer textarea", "Control+Enter")
    await expect(chat.page.locator("#turn-u2 .prose")).to_have_text("Who is there?")
    await expect(chat.page.locator("#composer textarea")).to_have_value("")
    assert [field(body, "prose") for body in turns_of(chat)] == ["Who is there?"]


async def test_nothing_is_sent_during_a_reply_but_the_next_words_can_be_written(chat: Mockup) -> None:
    box, send = chat.page.locator("#composer textarea"), chat.page.locator("#send")
    await box.fill("Who is there?")
    await send.click()
    await expect(chat.page.locator("#turn-r2")).to_have_count(1)
    await expect(send).to_be_disabled()
    await box.press_sequentially("And who")
    await box.press("Control+Enter")
    assert len(turns_of(chat)) == 1
    chat.answers["GET", "/chats/c1/turns/r2"] = turn("r2", "Nobody.", 14)
    await chat.committed(14, "r2", kinds=("assistant_turn",))
    await expect(send).to_be_enabled()
    await expect(box).to_have_value("And who")


async def test_a_refused_text_stays_in_the_box_and_the_reason_is_shown(chat: Mockup, watch: Watch) -> None:
    chat.answers["POST", TURNS] = '<div hx-swap-oob="innerHTML:#notices"><p>That is too long.</p></div>'
    chat.statuses["POST", TURNS] = 422
    await chat.page.fill("#composer textarea", "Too much")
    await chat.page.click("#send")
    await expect(chat.page.locator("#notices")).to_have_text("That is too long.")
    await expect(chat.page.locator("#composer textarea")).to_have_value("Too much")
    await expect(chat.page.locator("#send")).to_be_enabled()
    watch.errors.clear()


async def test_a_dead_network_keeps_the_words_and_sending_again_is_the_same_turn(
    chat: Mockup, watch: Watch
) -> None:
    chat.down = True
    await chat.page.fill("#composer textarea", "Who is there?")
    await chat.page.click("#send")
    await expect(chat.page.locator("#notices")).to_contain_text("cannot be reached")
    await chat.page.evaluate("say('open')")
    await expect(chat.page.locator("#notices")).to_have_text("")  # it can be reached again
    await expect(chat.page.locator("#composer textarea")).to_have_value("Who is there?")
    chat.down = False
    await chat.page.click("#send")
    await expect(chat.page.locator("#turn-u2")).to_have_count(1)
    await expect(chat.page.locator("#notices")).to_have_text("")
    first, second = (field(body, "idempotency_key") for body in turns_of(chat))
    assert first == second
    watch.errors.clear()


async def test_other_words_after_a_failure_are_another_turn(chat: Mockup, watch: Watch) -> None:
    chat.down = True
    await chat.page.fill("#composer textarea", "Who is there?")
    await chat.page.click("#send")
    await expect(chat.page.locator("#notices")).to_contain_text("cannot be reached")
    chat.down = False
    await chat.page.fill("#composer textarea", "Who is it?")
    await chat.page.click("#send")
    await expect(chat.page.locator("#turn-u2")).to_have_count(1)
    first, second = (field(body, "idempotency_key") for body in turns_of(chat))
    assert first != second
    watch.errors.clear()


async def test_two_presses_of_send_are_one_turn(chat: Mockup) -> None:
    chat.holds[TURNS] = asyncio.Event()
    await chat.page.fill("#composer textarea", "Who is there?")
    await chat.page.press("#composer textarea", "Control+Enter")
    await chat.page.press("#composer textarea", "Control+Enter")
    await chat.page.evaluate("document.querySelector('#composer').requestSubmit()")
    chat.holds[TURNS].set()
    await expect(chat.page.locator("#turn-u2")).to_have_count(1)
    assert len(turns_of(chat)) == 1


async def test_a_draft_is_saved_when_the_hand_rests(chat: Mockup) -> None:
    await chat.page.locator("#composer textarea").evaluate(TYPE, "Wait for")
    await chat.until(lambda: bool(drafts_of(chat)))
    await chat.page.wait_for_timeout(700)
    assert drafts_of(chat) == ["Wait for"]


async def test_what_is_typed_before_the_page_is_ready_to_listen_is_saved_too(chat: Mockup) -> None:
    typed = asyncio.Event()

    async def once_typed(route: Route) -> None:
        await typed.wait()
        await route.fallback()

    await chat.page.route("**/static/composer.js", once_typed)
    await chat.page.goto(f"{ORIGIN}/chats/c1?slowly", wait_until="commit")
    await chat.page.locator("#composer textarea").press_sequentially("Wait for")
    typed.set()
    await chat.until(lambda: drafts_of(chat) == ["Wait for"])
    await expect(chat.page.locator("#composer textarea")).to_have_value("Wait for")


async def test_a_draft_is_saved_when_the_page_goes_away(chat: Mockup) -> None:
    await chat.page.fill("#composer textarea", "Not yet said")
    await chat.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    await chat.until(lambda: drafts_of(chat) == ["Not yet said"])


async def test_a_sent_turn_does_not_come_back_as_a_draft(chat: Mockup) -> None:
    chat.holds[DRAFT] = asyncio.Event()
    await chat.page.fill("#composer textarea", "Who is there?")
    await chat.until(lambda: drafts_of(chat) == ["Who is there?"])
    await chat.page.click("#send")
    await chat.page.wait_for_timeout(100)
    assert not turns_of(chat)
    chat.holds[DRAFT].set()
    await expect(chat.page.locator("#turn-u2")).to_have_count(1)
    await chat.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    await chat.page.wait_for_timeout(100)
    assert drafts_of(chat) == ["Who is there?"]


async def test_escape_stops_the_reply(chat: Mockup) -> None:
    chat.answers["GET", "/chats/c1/status"] = status(12, "Mara is writing.", stop="r2")
    chat.answers["POST", "/chats/c1/turns/r2/stop"] = "<p>stopped</p>"
    await chat.tell("status", status="thinking", detail="Mara is thinking.")
    await expect(chat.page.locator("#stop")).to_have_count(1)
    async with chat.page.expect_request("**/stop"):
        await chat.page.press("#composer textarea", "Escape")


async def test_what_is_typed_while_words_are_sent_stays_behind_them(chat: Mockup) -> None:
    chat.holds[TURNS] = asyncio.Event()
    box = chat.page.locator("#composer textarea")
    await box.fill("Who is there?")
    await chat.page.evaluate(
        "() => { document.getElementById('send').click();"
        " const box = document.querySelector('#composer textarea'); box.value += ' And'; }"
    )
    chat.holds[TURNS].set()
    await expect(chat.page.locator("#turn-u2")).to_have_count(1)
    await expect(box).to_have_value(" And")
    assert [field(body, "prose") for body in turns_of(chat)] == ["Who is there?"]


async def test_a_slow_answer_is_told_and_a_second_press_sends_nothing(chat: Mockup) -> None:
    chat.holds[TURNS] = asyncio.Event()
    await chat.page.fill("#composer textarea", "Who is there?")
    await chat.page.click("#send")
    await chat.page.evaluate("() => document.getElementById('send').click()")
    await expect(chat.page.locator("#composer")).to_have_attribute("aria-busy", "true")
    await expect(chat.page.locator("#send")).to_be_disabled()
    chat.holds[TURNS].set()
    await expect(chat.page.locator("#turn-u2")).to_have_count(1)
    await expect(chat.page.locator("#composer[aria-busy]")).to_have_count(0)
    assert len(turns_of(chat)) == 1
