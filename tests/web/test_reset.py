"""The page behind which a bot begins anew: what it says, what it refuses, and the way back it shows."""

from __future__ import annotations

from tests.support.peer import Peer
from tests.support.peer_acts import Reply
from tests.web.conftest import JSON, Visitor


async def told(visitor: Visitor) -> tuple[str, str, str]:
    bot = await visitor.bot(name="Mira Vale")
    first, second = await visitor.chat(bot, title="One"), await visitor.chat(bot, title="Two")
    await visitor.say(first, "I hid the lantern.")
    return bot, first, second


async def test_the_page_lists_the_chats_with_what_would_go(visitor: Visitor) -> None:
    bot, first, second = await told(visitor)
    page = await visitor.get(f"/bots/{bot}/reset?chat={first}")
    assert "1 memory, affinity" in page.text
    assert "checked" in page.by_id(f"chat-{first}").attrs
    assert "checked" not in page.by_id(f"chat-{second}").attrs
    listed = await visitor.json(f"/bots/{bot}/reset")
    assert [(one["id"], one["memories"]) for one in listed["chats"]] == [(second, 0), (first, 1)]


async def test_a_reset_without_script_leads_to_the_story_with_a_way_back(visitor: Visitor) -> None:
    bot, first, _ = await told(visitor)
    answer = await visitor.post(f"/bots/{bot}/reset", **{f"chat-{first}": "on", "name": "mira  vale"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/chats/{first}?went=reset")
    page = await visitor.get(f"/chats/{first}?went=reset")
    assert "The story begins again with your next words." in page.text
    assert "Mira Vale knows nothing of what came before this." in page.text
    await visitor.post(f"/chats/{first}/undo", JSON)
    assert "knows nothing" not in (await visitor.get(f"/chats/{first}")).text


async def test_another_name_is_refused_and_what_was_ticked_stays(visitor: Visitor) -> None:
    bot, first, _ = await told(visitor)
    answer = await visitor.post(f"/bots/{bot}/reset", **{f"chat-{first}": "on", "name": "Tomas"})
    assert answer.status_code == 422
    assert "not the name" in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert " checked" in answer.text


async def test_a_script_names_the_chats_and_several_are_told_on_the_bots_page(visitor: Visitor) -> None:
    bot, first, second = await told(visitor)
    answer = await visitor.client.post(
        f"/bots/{bot}/reset", json={"chats": [first, second], "name": "Mira Vale"}, headers=JSON
    )
    assert answer.json() == {"chats": [first, second], "location": f"/bots/{bot}?reset=2"}
    assert "was reset in 2 chats" in (await visitor.get(f"/bots/{bot}?reset=2")).text


async def test_foreign_chats_and_foreign_sites_change_nothing(visitor: Visitor) -> None:
    bot, first, _ = await told(visitor)
    other = await visitor.bot(name="Tomas")
    for address in (f"/bots/{other}/reset", "/bots/nobody/reset"):
        answer = await visitor.post(address, JSON, **{f"chat-{first}": "on", "name": "Tomas"})
        assert answer.status_code == 404
    forged = await visitor.post(
        f"/bots/{bot}/reset", {"Origin": "http://evil.test"}, **{f"chat-{first}": "on", "name": "Mira Vale"}
    )
    assert forged.status_code == 403
    assert (await visitor.turns(first))[-1]["role"] == "assistant"
    assert "knows nothing" not in (await visitor.get(f"/chats/{first}")).text


async def test_a_reply_in_progress_is_said_and_can_be_stopped_with_the_reset(
    connected: Visitor, peer: Peer
) -> None:
    bot = await connected.bot(name="Mira Vale")
    chat = await connected.chat(bot, title="One")
    peer.script(Reply("slowly and", stall_after=1))
    await connected.post(f"/chats/{chat}/turns", JSON, prose="Go on.")
    while not (running := connected.engine.running_reply(chat)) or not running.text:
        await connected.pause()
    form = {f"chat-{chat}": "on", "name": "Mira Vale"}
    answer = await connected.post(f"/bots/{bot}/reset", **form)
    assert answer.status_code == 409
    assert "Stop the reply and reset" in answer.text
    answer = await connected.post(f"/bots/{bot}/reset", **form, stop="on")
    assert answer.status_code == 303
    await connected.settled(chat)
    assert "knows nothing" in (await connected.get(f"/chats/{chat}")).text
