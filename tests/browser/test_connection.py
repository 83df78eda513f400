"""One connection serves every tab: it follows what is looked at, comes back by itself and tells late tabs all."""

from __future__ import annotations

from typing import Any

import pytest_asyncio
from playwright.async_api import Page

from tests.browser.mockup import ORIGIN, STATIC

WORKER = """
globalThis.SharedWorkerGlobalScope = class {};
globalThis.sources = [];
globalThis.EventSource = class extends EventTarget {
  constructor(url) { super(); this.url = url; this.readyState = 1; sources.push(this); }
  close() { this.readyState = 2; }
  say(kind, told, lastEventId = "") {
    this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(told), lastEventId }));
  }
  fail() { this.readyState = 2; this.onerror(); }
};
globalThis.now = () => sources.at(-1);
globalThis.snapshot = (chat, running = null, head = 5) =>
  now().say("snapshot", { chat, head, epoch: "e1", status: "idle", detail: "", running }, `e1-${head}`);
globalThis.tab = (chat, visible = true) => {
  const { port1, port2 } = new MessageChannel();
  const heard = [];
  port2.onmessage = ({ data }) => heard.push(data);
  globalThis.onconnect({ ports: [port1] });
  port2.postMessage({ chat, visible, joins: true });
  return { heard, port: port2, kinds: () => heard.filter((word) => word.kind).map((word) => word.kind) };
};
globalThis.pause = (ms = 30) => new Promise((done) => setTimeout(done, ms));
"""


@pytest_asyncio.fixture(loop_scope="session")
async def worker(page: Page) -> Page:
    """live.js as a worker runs it, with an EventSource the test speaks for."""

    async def serve(route: Any) -> None:
        if route.request.url.endswith("live.js"):
            await route.fulfill(path=STATIC / "live.js")
        else:
            await route.fulfill(body="<!doctype html><title>worker</title>", content_type="text/html")

    await page.route("**/*", serve)
    await page.goto(ORIGIN)
    await page.evaluate(WORKER)
    await page.evaluate("import('/live.js')")
    return page


async def run(worker: Page, script: str) -> Any:
    return await worker.evaluate("async () => {" + script + "}")


async def test_eight_tabs_share_one_connection(worker: Page) -> None:
    made = await run(
        worker, "for (let n = 0; n < 8; n += 1) tab('c1'); await pause(); return sources.length;"
    )
    assert made == 1


async def test_a_tab_with_another_chat_widens_the_connection(worker: Page) -> None:
    urls = await run(
        worker,
        "tab('c1'); await pause(); tab('c2'); await pause(); return sources.map((s) => [s.url, s.readyState]);",
    )
    assert urls == [["/events?chat=c1", 2], ["/events?chat=c1&chat=c2", 1]]


async def test_hidden_tabs_hold_no_connection(worker: Page) -> None:
    assert await run(worker, "tab('c1', false); await pause(); return sources.length;") == 0


async def test_the_connection_ends_when_nobody_looks_any_more(worker: Page) -> None:
    state = "const one = tab('c1'); await pause(); one.port.postMessage({ bye: true }); await pause(3300);"
    assert await run(worker, f"{state} return now().readyState;") == 2


async def test_each_tab_hears_its_own_chat_and_the_library(worker: Page) -> None:
    script = """
    const one = tab("c1"), two = tab("c2"); await pause();
    now().say("event", { chat: "c1", head: 6, kinds: [], parts: [], turns: [] }, "e1-6");
    now().say("event", { chat: null, head: 7, kinds: [], parts: [], turns: [] }, "e1-7"); await pause();
    return [one.heard, two.heard].map((heard) => heard.filter((word) => word.kind).map((word) => word.data.head));
    """
    assert await run(worker, script) == [[6, 7], [7]]


async def test_a_late_tab_is_told_the_words_so_far_without_a_new_connection(worker: Page) -> None:
    script = """
    tab("c1"); await pause();
    snapshot("c1", { turn: "r1", speaker: "b1", text: "One " });
    now().say("token", { chat: "c1", turn: "r1", offset: 4, text: "two" });
    const late = tab("c1"); await pause();
    return [sources.length, late.heard.find((word) => word.kind === "snapshot").data.running.text];
    """
    assert await run(worker, script) == [1, "One two"]


async def test_offsets_count_characters_and_not_halves_of_them(worker: Page) -> None:
    script = """
    const one = tab("c1"); await pause();
    const at = performance.now(); performance.now = () => at;
    snapshot("c1", { turn: "r1", speaker: "b1", text: "🙂🙂" });
    now().say("token", { chat: "c1", turn: "r1", offset: 1, text: "🙂 well" });
    now().say("token", { chat: "c1", turn: "r1", offset: 7, text: "!" });
    now().say("token", { chat: "c1", turn: "r1", offset: 8, text: "?" });
    const tokens = () => one.heard.filter((word) => word.kind === "token");
    while (tokens().length < 2) await pause();
    return tokens().map((word) => [word.data.offset, word.data.text]);
    """
    assert await run(worker, script) == [[4, " well"], [9, "!?"]]


async def test_words_are_gathered_for_a_moment_and_come_before_whatever_is_told_after_them(
    worker: Page,
) -> None:
    """The first at once; two chats wait for each other as little as for anything else. No time passes by itself."""
    script = """
    const one = tab("c1"), two = tab("c2"); await pause();
    for (const chat of ["c1", "c2"]) snapshot(chat);
    const due = [], later = setTimeout, at = performance.now();
    const calm = () => new Promise((done) => later(done, 30));
    performance.now = () => at;
    globalThis.setTimeout = (work, wait) => due.push({ work, wait });
    for (let n = 0; n < 40; n += 1) for (const [at, chat] of ["c1", "c2"].entries())
      now().say("token", { chat, turn: `r${at}`, offset: 2 * n, text: "ab" });
    now().say("tool_start", { chat: "c1", turn: "r0", tool: "remember" });
    while (!one.kinds().includes("tool_start") || !two.kinds().includes("token")) await calm();
    const heard = [one, two].map((which) => which.heard.filter((word) => word.kind !== "snapshot" && word.kind));
    due.forEach(({ work }) => work());
    const words = (told) => told.filter((word) => word.kind === "token").map((word) => word.data);
    while (words(two.heard).length < 2) await calm();
    return [heard[0].map((word) => word.kind), words(heard[0]).map((piece) => [piece.offset, piece.text.length]),
      words(heard[1]).map((piece) => piece.text),
      words(two.heard).map((piece) => [piece.offset, piece.text.length]), due.map(({ wait }) => wait)];
    """
    assert await run(worker, script) == [
        ["token", "token", "tool_start"],
        [[0, 2], [2, 78]],
        ["ab"],
        [[0, 2], [2, 78]],
        [50, 50],
    ]


async def test_words_that_are_missing_are_asked_for_by_a_new_connection(worker: Page) -> None:
    script = """
    const one = tab("c1"); await pause();
    snapshot("c1", { turn: "r1", speaker: "b1", text: "One " });
    now().say("token", { chat: "c1", turn: "r1", offset: 9, text: "three" });
    now().say("token", { chat: "c1", turn: "r1", offset: 14, text: "four" }); await pause();
    return [sources.map((source) => source.url), one.kinds()];
    """
    assert await run(worker, script) == [["/events?chat=c1", "/events?chat=c1"], ["snapshot"]]


async def test_a_lost_connection_comes_back_and_resumes_after_the_last_event(worker: Page) -> None:
    script = """
    const one = tab("c1"); await pause();
    snapshot("c1"); now().onopen();
    now().say("event", { chat: "c1", head: 8, kinds: [], parts: [], turns: [] }, "e1-8");
    now().fail(); await pause(400);
    return [now().url, one.heard.filter((word) => word.state).map((word) => word.state)];
    """
    assert await run(worker, script) == ["/events?chat=c1&after=e1-8", ["open", "lost"]]


async def test_a_connection_that_keeps_failing_is_tried_less_and_less_often(worker: Page) -> None:
    script = """
    const random = Math.random; Math.random = () => 1;
    const wait = globalThis.setTimeout, waits = [];
    tab("c1"); await pause();
    globalThis.setTimeout = (done, ms) => { waits.push(ms); return wait(done, 0); };
    for (let n = 0; n < 8; n += 1) { now().fail(); await new Promise((done) => wait(done, 5)); }
    globalThis.setTimeout = wait; Math.random = random;
    return waits;
    """
    assert await run(worker, script) == [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]


async def test_pieces_of_a_reply_that_ended_are_dropped(worker: Page) -> None:
    script = """
    const one = tab("c1"); await pause();
    snapshot("c1", { turn: "r1", speaker: "b1", text: "One " });
    now().say("event", { chat: "c1", head: 9, kinds: ["assistant_turn"], parts: [], turns: ["r1"] }, "e1-9");
    now().say("token", { chat: "c1", turn: "r1", offset: 4, text: "two" });
    const late = tab("c1"); await pause();
    return [one.kinds(), late.heard.find((word) => word.kind === "snapshot").data.running, sources.length];
    """
    assert await run(worker, script) == [["snapshot", "event"], None, 1]
