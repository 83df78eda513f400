"""The hub: every subscriber gets everything once, in order, and a slow one is told to start afresh."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from chat.engine import hub as hub_module
from chat.engine.hub import Hub, Subscription

Frame = tuple[str, dict[str, Any]]


def make_hub(text: str = "") -> Hub:
    running = {"turn": "t1", "speaker": "b", "text": text} if text else None
    return Hub("ep", lambda chat_id: {"head": 7, "status": "idle", "detail": "", "running": running})


def frames(body: bytes) -> list[Frame]:
    found = []
    for block in body.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


async def take(subscription: Subscription) -> list[Frame]:
    return frames(await asyncio.wait_for(subscription.next(), 20))


async def test_two_tabs_get_the_same_tokens_joined_into_one_frame() -> None:
    hub = make_hub()
    tabs = [hub.subscribe(["a"]), hub.subscribe(["a"])]
    for offset, text in ((0, "The "), (4, "lamp "), (9, "hums.")):
        hub.token("a", "t1", offset, text)
    for tab in tabs:
        assert await take(tab) == [
            ("token", {"chat": "a", "turn": "t1", "offset": 0, "text": "The lamp hums."})
        ]


async def test_a_tab_hears_only_its_own_chats_and_the_library() -> None:
    hub = make_hub()
    first, second = hub.subscribe(["a"]), hub.subscribe(["b"])
    hub.token("a", "t1", 0, "for a")
    hub.commit(None, 8, {"kinds": ["bot_authored"], "parts": ["rail"], "turns": []})
    assert [(kind, data["chat"]) for kind, data in await take(first)] == [("token", "a"), ("event", None)]
    assert [(kind, data["chat"]) for kind, data in await take(second)] == [("event", None)]


async def test_tokens_of_two_replies_are_never_joined() -> None:
    hub = make_hub()
    tab = hub.subscribe(["a"])
    hub.token("a", "t1", 0, "one")
    hub.token("a", "t2", 3, "two")
    hub.token("a", "t2", 9, "gap")
    told = [(data["turn"], data["offset"], data["text"]) for _, data in await take(tab)]
    assert told == [("t1", 0, "one"), ("t2", 3, "two"), ("t2", 9, "gap")]


async def test_order_of_tokens_and_other_frames_is_kept() -> None:
    hub = make_hub()
    tab = hub.subscribe(["a"])
    hub.token("a", "t1", 0, "last words")
    hub.commit("a", 9, {"kinds": ["assistant_turn"], "parts": ["transcript"], "turns": ["t1"]})
    hub.send("a", "done", {"turn": "t1"})
    assert [kind for kind, _ in await take(tab)] == ["token", "event", "done"]


async def test_a_tab_that_falls_behind_is_told_to_resync_and_gets_a_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "ITEMS_KEPT", 10)
    hub = make_hub("so far")
    stalled, quick = hub.subscribe(["a"]), hub.subscribe(["a"])
    for number in range(50):
        hub.token("a", "t1", number, "x")
        await quick.next()
    told = await take(stalled)
    assert [kind for kind, _ in told] == ["resync", "snapshot"]
    assert told[1][1]["running"]["text"] == "so far"
    assert len(hub.channel("a").items) <= 11


async def test_a_stream_resumes_after_a_commit_without_loss_or_repeat() -> None:
    hub = make_hub()
    for head in (3, 5, 8):
        hub.commit("a", head, {"kinds": [], "parts": [], "turns": []})
    tab = hub.subscribe(["a"])
    missed = tab.missed(3)
    assert missed is not None
    assert [(kind, data["head"]) for kind, data in frames(missed)] == [
        ("event", 5),
        ("event", 8),
        ("snapshot", 7),
    ]
    hub.token("a", "t1", 0, "next")
    assert [kind for kind, _ in await take(tab)] == ["token"]


async def test_a_commit_forgotten_by_the_hub_cannot_be_resumed_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "ITEMS_KEPT", 2)
    hub = make_hub()
    for head in range(1, 9):
        hub.commit("a", head, {"kinds": [], "parts": [], "turns": []})
    assert hub.subscribe(["a"]).missed(1) is None
    assert hub.subscribe(["a"]).missed(8) is not None


async def test_tokens_are_not_kept_when_nobody_listens() -> None:
    hub = make_hub()
    tab = hub.subscribe(["a"])
    hub.token("a", "t1", 0, "x" * 1000)
    tab.close()
    hub.token("a", "t1", 1000, "y")
    assert hub.channel("a").items == []


async def test_closing_the_hub_ends_every_stream() -> None:
    hub = make_hub()
    tabs = [hub.subscribe(["a"]), hub.subscribe(["b"])]
    waiting = [asyncio.create_task(tab.next()) for tab in tabs]
    await asyncio.sleep(0)
    hub.close()
    assert await asyncio.gather(*waiting) == [b"", b""]
    assert hub.subscriber_count() == 0


async def test_hostile_text_cannot_end_a_frame() -> None:
    hub = make_hub()
    tab = hub.subscribe(["a"])
    text = "\n\nevent: done\ndata: {}\r\r\u2028id: 9"
    hub.token("a", "t1", 0, text)
    body = await tab.next()
    assert body.count(b"\n\n") == 1
    assert frames(body)[0][1]["text"] == text
