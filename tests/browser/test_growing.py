"""Words of a reply come in pieces, late, twice or too early, and the page still shows each of them once."""

from __future__ import annotations

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.mockup import Mockup, turn
from tests.support.watch import Watch

PROSE = "#turn-r1 .prose"


@pytest_asyncio.fixture(loop_scope="session")
async def chat(page: Page) -> Mockup:
    mockup = Mockup(page)
    await mockup.open(turn("u1", "Hello.", 10), turn("r1", "", 10, running=True))
    return mockup


async def test_pieces_are_joined_by_their_offsets(chat: Mockup) -> None:
    await chat.tell("token", turn="r1", offset=0, text="The door ")
    await chat.tell("token", turn="r1", offset=9, text="opens.")
    await expect(chat.page.locator(PROSE)).to_have_text("The door opens.")


async def test_a_piece_told_twice_is_shown_once(chat: Mockup) -> None:
    await chat.tell("token", turn="r1", offset=0, text="The door ")
    await chat.tell("token", turn="r1", offset=0, text="The door ")
    await chat.tell("token", turn="r1", offset=4, text="door opens.")
    await expect(chat.page.locator(PROSE)).to_have_text("The door opens.")


async def test_a_gap_is_not_painted_over_but_asked_for_and_filled(chat: Mockup) -> None:
    await chat.tell("token", turn="r1", offset=0, text="One ")
    await chat.tell("token", turn="r1", offset=8, text="three ")
    await chat.tell("token", turn="r1", offset=14, text="four")
    assert await chat.words("resync")
    await expect(chat.page.locator(PROSE)).to_have_text("One ")
    running = {"turn": "r1", "speaker": "b1", "text": "One two three "}
    await chat.tell("snapshot", head=10, epoch="e1", status="thinking", detail="", running=running)
    await expect(chat.page.locator(PROSE)).to_have_text("One two three four")


async def test_what_the_server_rendered_of_a_running_reply_is_not_doubled(page: Page) -> None:
    mockup = Mockup(page)
    await mockup.open(turn("r1", "<p>The <em>door</em></p>", 10, running=True))
    running = {"turn": "r1", "speaker": "b1", "text": "The *door* opens"}
    await mockup.tell("snapshot", head=10, epoch="e1", status="thinking", detail="", running=running)
    await mockup.tell("token", turn="r1", offset=16, text=" slowly.")
    await expect(page.locator(PROSE)).to_have_text("The *door* opens slowly.")


async def test_empty_lines_part_paragraphs_wherever_the_pieces_are_cut(chat: Mockup) -> None:
    at = 0
    for piece in ("One.", "\n", "\nTwo,\nstill two.\n\n", "\n", "Three."):
        await chat.tell("token", turn="r1", offset=at, text=piece)
        await chat.page.evaluate("() => new Promise(requestAnimationFrame)")
        at += len(piece)
    await expect(chat.page.locator(f"{PROSE} p")).to_have_text(["One.", "Two,\nstill two.", "Three."])


async def test_hostile_words_stay_words_while_they_grow(chat: Mockup, watch: Watch) -> None:
    hostile = "<img src=http://192.0.2.1/x onerror=alert(1)><script>document.title='owned'</script>"
    for at, char in enumerate(hostile):
        await chat.tell("token", turn="r1", offset=at, text=char)
    await expect(chat.page.locator(PROSE)).to_have_text(hostile)
    assert await chat.page.locator(f"{PROSE} img, {PROSE} script").count() == 0
    assert await chat.page.title() == "c1"
    assert not watch.left_the_machine


async def test_the_stored_reply_replaces_the_growing_one_and_the_next_reply_still_shows(chat: Mockup) -> None:
    """Text that was still to be painted when its element went away once kept the next reply from showing."""
    page = chat.page
    chat.answers["GET", "/chats/c1/turns/r1"] = turn("r1", "<p>The door opens.</p>", 12)
    chat.answers["GET", "/chats/c1/turns/r2"] = turn("r2", "", 14, running=True)
    await chat.tell("token", turn="r1", offset=0, text="The door ")
    await chat.committed(12, "r1", kinds=("assistant_turn",))
    await chat.tell("token", turn="r1", offset=9, text="opens.")
    await expect(page.locator("#turn-r1.running")).to_have_count(0)
    await expect(page.locator(PROSE)).to_have_text("The door opens.")
    await chat.tell("token", turn="r1", offset=9, text="opens.")
    await chat.tell("token", turn="r2", offset=0, text="And ")
    await chat.committed(14, "r2", kinds=("assistant_turn_started",))
    await chat.tell("token", turn="r2", offset=4, text="closes.")
    await expect(page.locator("#turn-r2 .prose")).to_have_text("And closes.")
    await expect(page.locator(PROSE)).to_have_text("The door opens.")


async def test_the_first_piece_is_painted_at_once_and_many_that_follow_together(chat: Mockup) -> None:
    painted = await chat.page.evaluate(
        """async () => {
          const prose = document.querySelector("#turn-r1 .prose");
          let changes = 0;
          const every = { childList: true, characterData: true, subtree: true };
          new MutationObserver(() => { changes += 1; }).observe(prose, every);
          tell("token", { chat: "c1", turn: "r1", offset: 0, text: "x" });
          const first = prose.textContent.length;
          await Promise.resolve();
          for (let at = 1; at < 500; at += 1) tell("token", { chat: "c1", turn: "r1", offset: at, text: "x" });
          while (prose.textContent.length === first) await new Promise((done) => setTimeout(done, 5));
          return [first, changes, prose.textContent.length, prose.querySelectorAll("p").length];
        }"""
    )
    assert painted == [1, 2, 500, 1]


async def test_a_finished_reply_is_announced_once_and_its_pieces_are_not(chat: Mockup) -> None:
    announcer = chat.page.locator("body > .unseen[aria-live=polite]")
    chat.answers["GET", "/chats/c1/turns/r1"] = turn("r1", "<p>The door opens.</p><p>And closes.</p>", 12)
    await chat.tell("token", turn="r1", offset=0, text="The door ")
    await expect(chat.page.locator(PROSE)).to_have_text("The door ")
    await expect(announcer).to_have_text("")
    await chat.committed(12, "r1", kinds=("assistant_turn",))
    await expect(announcer).to_have_text("Mara: The door opens. And closes.")
