"""At the desk of a chat, in a browser: from Send to one's own words, to the first word of the reply and to all of it,
stored, and what a streamed word costs the page.

Words count as shown when they stand in the page; the frame that paints them is the next one. The first word of the
upstream comes at once, the others at a pace, each with the time of its sending in it: from the first to the last of
them is the time the upstream streams, which is no part of what the program takes for a turn. Nothing of the answer is
made up by the page: one's own words come back from the server, committed. The words are typed, as by a hand: they are
a draft before they are sent. What is measured in noise does not count, see `quiet`; beside a minimal engine, asked in
turn, it does.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.browsed import Tab, chromium
from tests.bench.direct import helper_process, upstream
from tests.bench.disk import synced
from tests.bench.figures import ROUNDS, Line, Scale, at_most, ms, within
from tests.bench.quiet import ENOUGH, Quiet, counting, told
from tests.bench.served import Served, served
from tests.bench.stories import story_of_turns

SHORT, LONG, LONG_QUICK = 100, 100_000, 10_000
OWN_MS, FIRST_MS, FLAT = 15, 25, 1.1
WHOLE_MINIMAL, TURN_MINIMAL = 3, 1.5
"""Times what a minimal engine takes in the same minutes."""
TOKEN_MS, THOUSAND_MS, GROWTH = 1.0, 50, 1.2
SHOWN = (
    ("own", "own words shown", OWN_MS),
    ("first", "first word shown", FIRST_MS),
    ("whole", "reply stored and shown, but streaming", None),
)
ANSWER, PACED, LATE_WORDS = 40, 200, 1_200
MOST_TRIES = 5
LONG_REPLIES, WINDOWS, WATCHED_S = 4, 8, 0.5
Sent = tuple[dict[str, float], bool]
SEND = """() => new Promise((done) => {
  const seen = {};
  const story = document.getElementById("transcript");
  const turns = new Set([...story.querySelectorAll(".turn")].map((turn) => turn.id));
  const fresh = (kind) => [...story.querySelectorAll(kind)].find((turn) => !turns.has(turn.id));
  let began = 0;
  const watch = new MutationObserver(() => {
    const now = performance.now() - began;
    if (!seen.own && fresh(".turn.you")) seen.own = now;
    const reply = fresh(".turn.bot");
    if (!seen.first && reply?.querySelector(".prose").textContent.trim()) seen.first = now;
    if (!seen.own || !seen.first || !reply || reply.matches(".running")) return;
    watch.disconnect();
    const sent = reply.querySelector(".prose").textContent.match(/[0-9]{9,}/g).map(BigInt);
    seen.whole = now - Number(sent.at(-1) - sent[0]) / 1e6;
    done(seen);
  });
  watch.observe(story, { childList: true, subtree: true, characterData: true });
  began = performance.now();
  document.getElementById("send").click();
})"""
TYPE = """prose => {
  const box = document.getElementById("prose");
  box.value = prose;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}"""
HAND_MS = 450
SAY = """prose => {
  document.getElementById("prose").value = prose;
  document.getElementById("send").click();
}"""
# Ten looks a second: each of them is work of the page's main thread, which is measured meanwhile.
AT_REST = """() => new Promise((done) => {
  let calm = 0;
  const isBusy = () =>
    document.querySelector("#composer[aria-busy], .turn.running") || document.getElementById("send").disabled;
  const look = () => {
    calm = isBusy() ? 0 : calm + 100;
    calm > 150 ? done() : setTimeout(look, 100);
  };
  look();
})"""


def measure(scale: Scale) -> list[Line]:
    turns = scale.of(LONG, LONG_QUICK)
    short, long = story_of_turns(SHORT), story_of_turns(turns)
    with tempfile.TemporaryDirectory(prefix="chat-bench-desk-") as name, upstream() as port:
        first, second = short.copy_to(Path(name) / "short"), long.copy_to(Path(name) / "long")
        with served(first, port) as few, served(second, port) as many:
            few.wait_until_backed_up()
            many.wait_until_backed_up()
            addresses = [_address(few, first.chats[0]), _address(many, second.chats[0])]
            with helper_process("minimal", str(port), str(Path(name) / "minimal.db")) as least:
                addresses.append(f"http://127.0.0.1:{least}/")
                return asyncio.run(_measured(addresses, ENOUGH, turns, Quiet(scale.of(100, 30))))


def _address(server: Served, chat_id: str) -> str:
    return f"http://127.0.0.1:{server.port}/chats/{chat_id}"


async def _measured(addresses: list[str], sent: int, turns: int, quiet: Quiet) -> list[Line]:
    """Of a short story, a long one and the minimal engine."""
    async with chromium() as browser:
        tabs = [await _tab(browser, address, quiet) for address in addresses]
        taken = await _taken(tabs, quiet, sent)
        shown = [*_shown(taken, turns), *_beside_least(taken), synced(HAND_MS / 1000)]
        return shown + await _costs(tabs, turns) + await _while_streaming(tabs[0], quiet)


async def _tab(browser: Any, address: str, quiet: Quiet) -> Tab:
    tab = await Tab.open(await browser.new_context(), address)
    for number in range(4):
        await _sent(tab, f"A word ahead. bench:brisk:{number + 2}", quiet)
    return tab


async def _sent(tab: Tab, prose: str, quiet: Quiet) -> Sent:
    """What the page saw, and whether it was quiet when it was sent and when the reply stood there."""
    await tab.page.bring_to_front()
    await tab.page.evaluate(TYPE, prose)
    await asyncio.sleep(HAND_MS / 1000)
    before = quiet.wait()
    seen: dict[str, float] = await tab.page.evaluate(SEND)
    after = quiet.is_now()
    await tab.page.evaluate(AT_REST)
    return seen, before and after


async def _taken(tabs: list[Tab], quiet: Quiet, sent: int) -> list[list[Sent]]:
    """What each tab saw, all in turn, until that many turns of each were sent in quiet."""
    taken: list[list[Sent]] = [[] for _ in tabs]
    for number in range(MOST_TRIES * sent):
        for tab, seen in zip(tabs, taken, strict=True):
            seen.append(await _sent(tab, f"And then, {number}? bench:brisk:{ANSWER}", quiet))
        if all(sum(was_quiet for _, was_quiet in seen) >= sent for seen in taken):
            break
    return taken


def _shown(taken: list[list[Sent]], turns: int) -> list[Line]:
    lines = []
    for kind, words, limit in SHOWN:
        early, late = (median(one[kind] for one in counting(seen)) for seen in taken[:2])
        lines += [
            within(f"Send to {words}, {SHORT} turns", ms(early / 1000), told(taken[0]), early, limit, "ms"),
            at_most(f"the same at {turns:,} turns", ms(late / 1000), told(taken[1]), late / early, FLAT),
        ]
    return lines


def _beside_least(taken: list[list[Sent]]) -> list[Line]:
    """Pairs of neighbours in time, quiet or not: noise takes from both."""
    lines = []
    for kind, words, limit in (
        *((kind, words, None) for kind, words, _ in SHOWN[:2]),
        (*SHOWN[2][:2], WHOLE_MINIMAL),
    ):
        own, least = ([seen[kind] for seen, _ in taken[at]] for at in (0, -1))
        ratio = median(one / other for one, other in zip(own, least, strict=True))
        what, reference = f"{words}, beside a minimal engine", f"{ms(median(least) / 1000)} minimal"
        lines.append(within(what, ms(median(own) / 1000), reference, ratio, limit, "times"))
    return lines


async def _costs(tabs: list[Tab], turns: int) -> list[Line]:
    """Main-thread time of a thousand words at once, and of all of a turn by the words of its reply."""
    few = tabs[0]
    flood = median([await _busy_ms(few, "bench:flood:1000") for _ in range(ROUNDS)])
    rest = median([await _busy_ms(few, "bench:flood:1") for _ in range(ROUNDS)])
    paced = [[await _busy_ms(tab, f"bench:prose:{PACED}") / PACED for tab in tabs] for _ in range(3)]
    early, late, least = (median(column) for column in zip(*paced, strict=True))
    return [
        within(
            "main thread, 1,000 words",
            f"{flood:.1f} ms a turn",
            f"{rest:.1f} of one word",
            flood - rest,
            THOUSAND_MS,
            "ms",
        ),
        within("main thread per word, all of the turn", f"{early:.2f} ms", "10 ms apart", early, None, "ms"),
        at_most(f"the same at {turns:,} turns", f"{late:.2f} ms", f"{early:.2f} ms", late / early, FLAT),
        at_most(
            "the same, beside a minimal engine",
            f"{early:.2f} ms",
            f"{least:.2f} ms minimal",
            early / least,
            TURN_MINIMAL,
        ),
    ]


async def _said(tab: Tab, prose: str) -> None:
    """Says it without looking on, which would be work for the page too."""
    await tab.page.bring_to_front()
    await tab.page.evaluate(SAY, prose)
    await tab.page.evaluate(AT_REST)


async def _busy_ms(tab: Tab, mark: str) -> float:
    before = await tab.busy_s()
    await _said(tab, mark)
    return (await tab.busy_s() - before) * 1000


async def _while_streaming(tab: Tab, quiet: Quiet) -> list[Line]:
    """What a word costs while it streams, and late in a long reply, beside what it costs at the beginning."""
    early: list[tuple[float, bool]] = []
    late: list[tuple[float, bool]] = []
    for _ in range(LONG_REPLIES):
        sending = asyncio.ensure_future(_said(tab, f"bench:prose:{LATE_WORDS}"))
        await tab.page.wait_for_selector(".turn.running [data-growing] p")
        await asyncio.sleep(1)
        early += [await _per_word(tab, quiet) for _ in range(WINDOWS)]
        while len((await _growing(tab)).split()) < LATE_WORDS / 2:
            await asyncio.sleep(0.1)
        late += [await _per_word(tab, quiet) for _ in range(WINDOWS)]
        await sending
        if all(sum(was_quiet for _, was_quiet in taken) >= ENOUGH for taken in (early, late)):
            break
    first, last = median(counting(early)), median(counting(late))
    words = f"main thread per word, {LATE_WORDS:,} words in paragraphs"
    return [
        within(
            "main thread per word, while it streams", f"{first:.2f} ms", told(early), first, TOKEN_MS, "ms"
        ),
        at_most(words, f"{last:.2f} ms", f"{first:.2f} ms at first", last / first, GROWTH),
    ]


async def _per_word(tab: Tab, quiet: Quiet) -> tuple[float, bool]:
    before = quiet.is_now()
    words, busy = len((await _growing(tab)).split()), await tab.busy_s()
    await asyncio.sleep(WATCHED_S)
    took, more = await tab.busy_s() - busy, len((await _growing(tab)).split()) - words
    return took * 1000 / more, before and quiet.is_now()


async def _growing(tab: Tab) -> str:
    text: str = await tab.page.locator(".turn.running [data-growing]").text_content()
    return text
