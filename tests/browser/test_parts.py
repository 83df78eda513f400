"""Facts name parts; the page fetches them, in order, once, and never lets an older one win."""

from __future__ import annotations

import asyncio

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.mockup import Mockup, status, turn
from tests.support.watch import Watch

TURNS = "#transcript .turn"
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest_asyncio.fixture(loop_scope="session")
async def chat(page: Page) -> Mockup:
    mockup = Mockup(page)
    await mockup.open(turn("u1", "Hello.", 10), turn("r1", "Well met.", 10))
    return mockup


def ids(*names: str) -> list[str]:
    return [f"turn-{name}" for name in names]


async def shown(chat: Mockup) -> list[str]:
    found: list[str] = await chat.page.eval_on_selector_all(TURNS, "turns => turns.map(turn => turn.id)")
    return found


async def test_new_turns_stand_in_the_order_they_were_told_whatever_comes_back_first(chat: Mockup) -> None:
    chat.holds["/chats/c1/turns/u2"] = asyncio.Event()
    chat.answers["GET", "/chats/c1/turns/u2"] = turn("u2", "Who is there?", 11)
    chat.answers["GET", "/chats/c1/turns/r2"] = turn("r2", "", 12, running=True)
    await chat.committed(11, "u2", kinds=("user_turn",))
    await chat.committed(12, "r2", kinds=("assistant_turn_started",))
    await chat.page.wait_for_timeout(150)
    chat.holds["/chats/c1/turns/u2"].set()
    await expect(chat.page.locator(TURNS)).to_have_count(4)
    assert await shown(chat) == ids("u1", "r1", "u2", "r2")


async def test_an_older_fragment_never_replaces_a_newer_one(chat: Mockup) -> None:
    chat.answers["GET", "/chats/c1/turns/r1"] = turn("r1", "Edited at 12.", 12)
    await chat.committed(12, "r1", kinds=("turn_edited",))
    await expect(chat.page.locator("#turn-r1 .prose")).to_have_text("Edited at 12.")
    chat.answers["GET", "/chats/c1/turns/r1"] = turn("r1", "Edited at 11.", 11)
    await chat.committed(13, "r1", kinds=("turn_edited",))
    await chat.page.wait_for_timeout(300)
    await expect(chat.page.locator("#turn-r1 .prose")).to_have_text("Edited at 12.")


async def test_a_turn_the_page_already_knows_is_not_fetched_again(chat: Mockup) -> None:
    await chat.committed(10, "r1", kinds=("assistant_turn",))
    await chat.page.wait_for_timeout(200)
    assert "/chats/c1/turns/r1" not in chat.asked


async def test_many_facts_lead_to_one_look_at_a_part(chat: Mockup) -> None:
    chat.answers["GET", "/rail"] = '<nav id="rail" data-head="19"><a href="/bots">Bots</a> now</nav>'
    told = {"chat": None, "kinds": ["bot_authored"], "parts": ["rail"], "turns": []}
    await chat.page.evaluate(
        "told => { for (let h = 11; h < 19; h += 1) tell('event', { ...told, head: h }) }", told
    )
    await expect(chat.page.locator("#rail")).to_have_text("Bots now")
    assert chat.asked.count("/rail") == 1


async def test_the_focus_stays_on_the_link_that_was_rendered_anew(chat: Mockup) -> None:
    chat.answers["GET", "/rail"] = (
        '<nav id="rail" data-head="12"><a href="/x">X</a><a href="/bots">Bots</a></nav>'
    )
    await chat.page.focus("#rail a")
    await chat.tell("event", chat=None, head=12, kinds=["bot_authored"], parts=["rail"], turns=[])
    await expect(chat.page.locator("#rail a")).to_have_count(2)
    assert await chat.page.evaluate("document.activeElement.getAttribute('href')") == "/bots"


async def test_a_rewritten_story_is_taken_over_and_what_did_not_change_is_left_alone(chat: Mockup) -> None:
    await chat.page.evaluate("document.querySelector('#turn-u1').marked = true")
    window = turn("u1", "Hello.", 20) + turn("r9", "Another answer.", 20)
    chat.answers["GET", "/chats/c1/transcript"] = window
    await chat.committed(20, kinds=("branch_forked", "branch_selected"))
    await expect(chat.page.locator("#turn-r9")).to_have_count(1)
    assert await shown(chat) == ids("u1", "r9")
    assert await chat.page.evaluate("document.querySelector('#turn-u1').marked")


async def test_older_turns_that_were_loaded_stay_when_the_window_is_renewed(chat: Mockup) -> None:
    window = '<p class="older" id="older"><a href="?before=r1">Earlier</a></p>' + turn("r1", "Well met.", 20)
    chat.answers["GET", "/chats/c1/transcript"] = window + turn("u2", "Yes.", 20)
    await chat.committed(20, kinds=("branch_selected",))
    await expect(chat.page.locator("#turn-u2")).to_have_count(1)
    assert await shown(chat) == ids("u1", "r1", "u2")
    assert await chat.page.locator("#older").count() == 0


async def test_a_window_of_quite_other_turns_replaces_everything(chat: Mockup) -> None:
    chat.answers["GET", "/chats/c1/transcript"] = turn("u8", "Later.", 90) + turn("r8", "Much later.", 90)
    await chat.committed(90, kinds=("branch_selected",))
    await expect(chat.page.locator("#turn-r8")).to_have_count(1)
    assert await shown(chat) == ids("u8", "r8")


async def test_a_snapshot_that_is_ahead_renews_the_page(chat: Mockup) -> None:
    chat.answers["GET", "/chats/c1/transcript"] = turn("u1", "Hello.", 30) + turn("r1", "Interrupted.", 30)
    chat.answers["GET", "/chats/c1/status"] = status(30, "The reply was interrupted.")
    chat.answers["GET", "/rail"] = '<nav id="rail" data-head="30"></nav>'
    await chat.tell("snapshot", head=30, epoch="e1", status="idle", detail="", running=None)
    await expect(chat.page.locator("#turn-r1 .prose")).to_have_text("Interrupted.")
    await expect(chat.page.locator(".status-text")).to_have_text("The reply was interrupted.")


async def test_another_history_counts_from_its_own_beginning(chat: Mockup) -> None:
    chat.answers["GET", "/chats/c1/transcript"] = turn("u1", "Restored.", 5)
    chat.answers["GET", "/chats/c1/status"] = status(5, "Restored.")
    chat.answers["GET", "/rail"] = '<nav id="rail" data-head="5"></nav>'
    await chat.tell("snapshot", head=5, epoch="e2", status="idle", detail="", running=None)
    await expect(chat.page.locator(TURNS)).to_have_text(["Restored."])
    await expect(chat.page.locator(".status-text")).to_have_text("Restored.")


async def test_the_reader_stays_where_they_read_and_follows_only_at_the_end(chat: Mockup) -> None:
    page = chat.page
    await page.add_style_tag(
        content="#page-scroll { height: 200px; overflow-y: auto; overflow-anchor: none }"
    )
    place = "(([scroller]) => [scroller.scrollTop, scroller.scrollHeight - scroller.clientHeight])"
    words = chat.page.locator("#turn-r2 p")
    chat.answers["GET", "/chats/c1/turns/r2"] = turn("r2", "", 12, running=True)
    await chat.committed(12, "r2", kinds=("assistant_turn_started",))
    await chat.tell("token", turn="r2", offset=0, text="A line.\n\n" * 60)
    await expect(words).to_have_count(60)
    await page.evaluate(PAINTED)
    top, end = await page.eval_on_selector_all("#page-scroll", place)
    assert end > 400
    assert abs(top - end) <= 1
    await page.evaluate("document.querySelector('#page-scroll').scrollTop = 100")
    await page.evaluate(PAINTED)
    await chat.tell("token", turn="r2", offset=540, text="A line.\n\n" * 60)
    await expect(words).to_have_count(120)
    await page.evaluate(PAINTED)
    assert (await page.eval_on_selector_all("#page-scroll", place))[0] == 100


async def test_a_part_that_could_not_be_fetched_is_fetched_later(chat: Mockup, watch: Watch) -> None:
    chat.answers["GET", "/chats/c1/status"] = status(12, "Writing.")
    chat.down = True
    await chat.tell("status", status="thinking", detail="")
    await chat.page.wait_for_timeout(300)
    chat.down = False
    await expect(chat.page.locator(".status-text")).to_have_text("Writing.")
    watch.errors.clear()


async def test_facts_about_another_chat_leave_the_story_alone(chat: Mockup) -> None:
    chat.answers["GET", "/rail"] = '<nav id="rail" data-head="40">Two chats</nav>'
    told = {"head": 40, "kinds": ["user_turn"], "parts": ["transcript", "rail"], "turns": ["z1"]}
    await chat.tell("event", **told | {"chat": "c2"})
    await expect(chat.page.locator("#rail")).to_have_text("Two chats")
    assert not [path for path in chat.asked if "z1" in path]


async def test_a_stored_reply_comes_alone_and_what_stands_around_it_with_one_request_later(
    chat: Mockup,
) -> None:
    chat.holds["/chats/c1/turns/r2"] = asyncio.Event()
    chat.answers["GET", "/chats/c1/turns/r2"] = turn("r2", "Nobody.", 14)
    chat.answers["GET", "/chats/c1/status"] = status(14, "It is your turn.")
    chat.answers["GET", "/rail"] = '<nav id="rail" data-head="14">Now</nav>'
    await chat.committed(14, "r2", kinds=("assistant_turn",), parts=("rail", "steps"))
    await chat.tell("status", status="stopped", detail="The reply was stopped.")
    await expect(chat.page.locator("#rail")).to_have_text("Now")
    line = chat.page.locator("#status")
    await expect(line).to_have_attribute("data-status", "idle")
    assert chat.fetched == ["turn=r2", "part=rail&part=steps"], (
        "the line waits for the turn, and is not laid out"
    )
    chat.holds["/chats/c1/turns/r2"].set()
    await expect(chat.page.locator("#turn-r2")).to_have_count(1)
    await expect(chat.page.locator(".status-text")).to_have_text("It is your turn.")
    assert chat.fetched[2:] == ["part=status"]


async def test_the_focus_follows_a_reply_that_is_told_twice_and_not_the_one_it_took_the_place_of(
    page: Page,
) -> None:
    """A reply that comes whole at once stands beside the one it replaces for a moment, at the same step."""

    def reply(turn_id: str, label: str, head: int) -> str:
        button = f'<button data-hand="again">{label}</button>'
        article = turn(turn_id, "Well met.", head).replace("<article", '<article data-step="2" tabindex="-1"')
        return article.replace("</article>", f"{button}</article>")

    chat = Mockup(page)
    await chat.open(turn("u1", "Hello.", 10), reply("r1", "Retry", 10))
    await page.focus("#turn-r1 button")
    chat.answers["GET", "/chats/c1/turns/r2"] = reply("r2", "Write it again", 12)
    await chat.committed(12, "r2", kinds=("assistant_turn",))
    await page.focus("#turn-r2 button")
    chat.answers["GET", "/chats/c1/turns/r2"] = reply("r2", "Write it anew", 13)
    await chat.committed(13, "r2", kinds=("assistant_turn",))
    await expect(page.get_by_role("button", name="Write it anew")).to_be_focused()


async def test_a_reply_is_asked_for_when_its_last_word_is_there_and_not_once_more_when_it_is_stored(
    chat: Mockup,
) -> None:
    chat.answers["GET", "/chats/c1/turns/r2"] = turn("r2", "", 12, running=True)
    await chat.committed(12, "r2", kinds=("assistant_turn_started",))
    await expect(chat.page.locator("#turn-r2.running")).to_have_count(1)
    held = chat.holds["/chats/c1/turns/r2"] = asyncio.Event()
    chat.answers["GET", "/chats/c1/turns/r2"] = turn("r2", "Well met again.", 14)
    await chat.tell("tool_start", turn="r9", tool="remember")
    await chat.tell("tool_start", turn="r2", tool="narrate")
    await chat.tell("tool_start", turn="r2", tool="remember")
    await chat.committed(14, "r2", kinds=("assistant_turn",))
    await chat.page.wait_for_timeout(150)
    held.set()
    await expect(chat.page.locator("#turn-r2")).to_have_text("Well met again.")
    await chat.page.wait_for_timeout(150)
    assert chat.fetched == ["turn=r2", "turn=r2"], "as it began, and as it ended"


async def test_a_reply_that_was_not_stored_yet_when_it_was_asked_for_is_asked_for_again(chat: Mockup) -> None:
    chat.answers["GET", "/chats/c1/turns/r2"] = turn("r2", "", 12, running=True)
    await chat.committed(12, "r2", kinds=("assistant_turn_started",))
    await expect(chat.page.locator("#turn-r2.running")).to_have_count(1)
    await chat.tell("token", turn="r2", offset=0, text="Well")
    await chat.tell("tool_start", turn="r2", tool="remember")
    await chat.page.wait_for_timeout(150)
    await expect(chat.page.locator("#turn-r2 p")).to_have_text("Well")
    chat.answers["GET", "/chats/c1/turns/r2"] = turn("r2", "Well met again.", 14)
    await chat.committed(14, "r2", kinds=("assistant_turn",))
    await expect(chat.page.locator("#turn-r2")).to_have_text("Well met again.")
    assert chat.fetched == ["turn=r2"] * 3
