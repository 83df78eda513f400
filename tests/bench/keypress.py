"""From a key to the frame that shows it, in one of ten tabs, while a reply streams into all of them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from statistics import median, quantiles

from tests.bench.browsed import Tab, chromium
from tests.bench.direct import upstream
from tests.bench.figures import Line, Scale, ms, within
from tests.bench.served import served
from tests.bench.stories import story_of_turns

TABS, TURNS, PAINT_MS = 10, 100, 100
KEYS_A_SECOND, PIECES_A_SECOND = 8, 100
WATCH = """() => {
  globalThis.keysToPaint = [];
  document.getElementById("prose").addEventListener("keydown", (event) => {
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => globalThis.keysToPaint.push(performance.now() - event.timeStamp);
      channel.port2.postMessage(0);
    });
  });
}"""


def measure(scale: Scale) -> list[Line]:
    story = story_of_turns(TURNS)
    with tempfile.TemporaryDirectory(prefix="chat-bench-keys-") as name, upstream() as port:
        copy = story.copy_to(Path(name) / "story")
        with served(copy, port) as server:
            url = f"http://127.0.0.1:{server.port}/chats/{copy.chats[0]}"
            taken = asyncio.run(_typed(url, scale.of(100, 30)))
    p95 = quantiles(taken, n=20)[-1]
    what = f"keypress to paint p95, {TABS} tabs streaming"
    return [within(what, ms(p95 / 1000), f"median {ms(median(taken) / 1000)}", p95, PAINT_MS, "ms")]


async def _typed(url: str, keys: int) -> list[float]:
    """Milliseconds of each key, typed by hand in the first tab while the others look on."""
    async with chromium() as browser:
        context = await browser.new_context()
        tabs = [await Tab.open(context, url) for _ in range(TABS)]
        page = tabs[0].page
        await page.bring_to_front()
        pieces = 3 * keys * PIECES_A_SECOND // KEYS_A_SECOND  # a key takes its time on a busy machine
        await page.fill("#prose", f"bench:pace:{pieces}")
        await page.click("#send")
        for tab in tabs:
            await tab.page.wait_for_selector(".turn.running [data-growing] p")
        await page.evaluate(WATCH)
        for number in range(keys):
            await page.locator("#prose").press("abcdefgh "[number % 9])
            await asyncio.sleep(1 / KEYS_A_SECOND)
        assert await page.locator(".turn.running").count(), "the reply ended before the last key"
        taken: list[float] = await page.evaluate("globalThis.keysToPaint")
        assert len(taken) == keys
        return taken
