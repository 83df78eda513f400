"""Undo and redo of the last action, whatever kind it was: through the running program, with words that say which."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chat.store import views
from tests.support.peer import Peer
from tests.support.peer_acts import Reply
from tests.web.conftest import HTMX, JSON, Visitor
from tests.web.test_time_travel import again, told

Act = Callable[[Visitor, str, list[str], Peer], Awaitable[None]]


async def turn(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    await visitor.say(chat_id, "Three.")


async def other_words(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    await again(visitor, chat_id, replies[-1], prose="Two, but better.")


async def new_reply(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    peer.script(Reply("Another."))
    await again(visitor, chat_id, replies[-1])


async def weather(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    await edited(visitor, chat_id, "weather/-", weather="hail")


async def clock(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    await edited(visitor, chat_id, "clock/-", at="1999-12-31T23:59")


async def edited(visitor: Visitor, chat_id: str, what: str, **values: str) -> None:
    async with visitor.engine.store.reading() as reader:
        world = await views.world(reader, chat_id)
    revision = str(world.state.setting_revision)
    answer = await visitor.post(f"/chats/{chat_id}/drawer/{what}", JSON, revision=revision, **values)
    assert answer.status_code == 200, answer.text


async def rewind(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    await visitor.post(f"/chats/{chat_id}/turns/{replies[0]}/rewind", JSON)


async def swipe(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    await visitor.post(f"/chats/{chat_id}/branches/{replies[2]}/select", JSON)


async def moment(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    branch = visitor.engine.store.library.chats[chat_id].branch_id
    await visitor.post(f"/chats/{chat_id}/branches/{branch}/select", JSON, step="1")


async def checkpoint(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    made = await visitor.post(f"/chats/{chat_id}/checkpoints", JSON, name="Day one", turn=replies[0])
    await visitor.post(f"/chats/{chat_id}/checkpoints/{made.json()['checkpoint_id']}/go", JSON)


async def pin(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    await pinned(visitor, chat_id, "on")


async def unpin(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    await pinned(visitor, chat_id, "")


async def pinned(visitor: Visitor, chat_id: str, value: str) -> None:
    memory = (await state(visitor, chat_id))["memories"][0][0]
    answer = await visitor.post(f"/chats/{chat_id}/drawer/pin/{memory}", JSON, pinned=value)
    assert answer.status_code == 200, answer.text


async def close(visitor: Visitor, chat_id: str, replies: list[str], peer: Peer) -> None:
    await visitor.post(f"/chats/{chat_id}/scene/close", JSON, name="The cellar")


async def state(visitor: Visitor, chat_id: str) -> dict[str, Any]:
    """Everything an action may change, as it is now."""
    assert await visitor.engine.digests.wait(chat_id, 20)
    host = visitor.engine.store.library.chats[chat_id].bot_ids[0]
    async with visitor.engine.store.reading() as reader:
        world = await views.world(reader, chat_id)
        memories = await views.memories_of(reader, host, "main")
    return {
        "turns": [one["id"] for one in await visitor.turns(chat_id)],
        "weather": world.state.weather,
        "clock": world.state.clock_at,
        "place": getattr(world.place(), "name", ""),
        "scene": world.state.scene_id,
        "memories": [(one.id, one.pinned, one.consolidated) for one in memories],
    }


@pytest.mark.parametrize(
    ("act", "before", "says"),
    [
        (turn, None, "your last turn"),
        (other_words, None, "your last turn"),
        (new_reply, None, "the new reply"),
        (weather, None, "your change of the weather"),
        (clock, None, "your change of the clock"),
        (rewind, None, "the rewind to “nods Mm-hm.”"),
        (swipe, new_reply, "the change of reply"),
        (moment, None, "the change of branch"),
        (checkpoint, None, "the return to “Day one”"),
        (pin, None, "the pin of a memory"),
        (unpin, pin, "letting go of a pin"),
        (close, None, "the close of the scene at The pier"),
    ],
)
async def test_the_last_action_is_named_taken_back_and_done_again(
    connected: Visitor, peer: Peer, act: Act, before: Act | None, says: str
) -> None:
    chat_id, replies = await told(connected, "One.", "Two.")
    replies.append(connected.engine.store.library.chats[chat_id].branch_id)
    if before:
        await before(connected, chat_id, replies[:2], peer)
    was = await state(connected, chat_id)
    await act(connected, chat_id, replies if act is swipe else replies[:2], peer)
    became = await state(connected, chat_id)
    assert became != was
    page = await connected.get(f"/chats/{chat_id}")
    assert page.by_id("undo").text == f"Undo: {says}"
    answer = await connected.post(f"/chats/{chat_id}/undo", HTMX)
    assert answer.status_code == 200, answer.text
    assert await state(connected, chat_id) == was
    page = await connected.get(f"/chats/{chat_id}/map")
    assert page.by_id("redo").text == f"Redo: {says}"
    await connected.post(f"/chats/{chat_id}/redo", HTMX)
    assert await state(connected, chat_id) == became


async def test_a_rewind_is_named_alike_in_both_directions_although_its_turn_was_edited_after_it(
    connected: Visitor, peer: Peer
) -> None:
    chat_id, replies = await told(connected, "One.", "Two.")
    edited = await connected.post(
        f"/chats/{chat_id}/turns/{replies[0]}/edit", JSON, prose="Mara only smiles."
    )
    assert edited.status_code == 200, edited.text
    await rewind(connected, chat_id, replies, peer)
    named = (await connected.get(f"/chats/{chat_id}")).by_id("undo").text
    await connected.post(f"/chats/{chat_id}/undo", HTMX)
    assert "Mara only smiles." in (await connected.get(f"/chats/{chat_id}")).by_id("transcript").text
    steps = await connected.json(f"/chats/{chat_id}/steps")
    assert (named, steps["redo_told"]) == ("Undo: the rewind to “nods Mm-hm.”", named.removeprefix("Undo: "))
