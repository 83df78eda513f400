"""What is asked of a chat, a bot or a persona while it is being deleted, or while a backup takes the stories' place.

The writer does one thing after another, so such a request stands in line and finds nothing any more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from chat.domain.events import NewEvent
from chat.engine.turn import start_reply
from chat.store.copies import Copies
from chat.store.erase import Wanted
from chat.store.state import State
from chat.store.verify import verify
from tests.support.erasing import holding
from tests.support.peer import Peer
from tests.support.peer_acts import Answer, Reply, Silence
from tests.web.conftest import JSON, Visitor

WORD = "xylophone"
LATEST, OWN = "{latest}", "{own}"
ASKED: list[tuple[str, dict[str, str]]] = [
    ("turns", {"prose": f"One more {WORD}."}),
    (f"turns/{LATEST}/regenerate", {}),
    (f"turns/{LATEST}/regenerate", {"prose": f"Another {WORD}."}),
    (f"turns/{LATEST}/continue", {}),
    (f"turns/{LATEST}/edit", {"prose": f"No {WORD}."}),
    (f"turns/{OWN}/edit", {"prose": f"No {WORD}.", "go_on": "on"}),
    (f"turns/{OWN}/rewind", {}),
    ("undo", {}),
    ("redo", {}),
    ("scene/close", {"name": f"The {WORD}"}),
    ("drawer/weather/-", {"revision": "0", "weather": WORD}),
    ("rename", {"title": f"The {WORD}"}),
    ("checkpoints", {"name": f"A {WORD}"}),
]


async def until(visitor: Visitor, true: Any) -> None:
    while not true():
        await visitor.pause()


@asynccontextmanager
async def held(visitor: Visitor) -> AsyncIterator[None]:
    """The writer is busy inside; whatever is asked of it stands in line, in the order it was asked."""
    begun, over = threading.Event(), threading.Event()

    def wait(state: State) -> list[NewEvent]:
        begun.set()
        over.wait(20)
        return []

    waiting = asyncio.ensure_future(visitor.engine.store.execute(wait))
    try:
        await until(visitor, begun.is_set)
        yield
    finally:
        over.set()
        await waiting


def in_line(visitor: Visitor) -> int:
    return visitor.engine.store._writer._jobs.qsize()


async def behind(
    visitor: Visitor, first: tuple[str, dict[str, str]], then: tuple[str, dict[str, str]], how: str = "POST"
) -> tuple[httpx2.Response, httpx2.Response]:
    """Both are asked while the writer is busy: `first` stands in line when `then` is asked."""

    def asked(path: str, form: dict[str, str], method: str = "POST") -> asyncio.Future[httpx2.Response]:
        return asyncio.ensure_future(visitor.client.request(method, path, data=form, headers=JSON))

    async with held(visitor):
        before = in_line(visitor)
        one = asked(*first)
        await until(visitor, lambda: in_line(visitor) > before or one.done())
        two = asked(*then, how)
        await until(visitor, lambda: in_line(visitor) > before + 1 or two.done())
    return await one, await two


async def told(visitor: Visitor, bot: str) -> tuple[str, dict[str, str]]:
    """A chat on its own with two exchanges: its id, and turns to ask something of."""
    chat = await visitor.chat(bot, title="The ferry", continuity="own")
    await visitor.say(chat, "We cross.")
    await visitor.say(chat, "And back.")
    turns = await visitor.turns(chat)
    own = next(one["id"] for one in turns if one["role"] == "user")
    return chat, {"latest": turns[-1]["id"], "own": own}


async def test_what_is_asked_of_a_chat_that_is_being_deleted_is_told_that_it_is_gone(
    connected: Visitor,
) -> None:
    bot = await connected.bot(name="Mira Vale")
    for path, form in ASKED:
        chat, turns = await told(connected, bot)
        wanted = (f"/chats/{chat}/delete", {"name": "The ferry"})
        deleted, answer = await behind(connected, wanted, (f"/chats/{chat}/{path.format(**turns)}", form))
        assert deleted.status_code == 200, deleted.text
        assert (answer.status_code, path) == (404, path), answer.text
        assert connected.engine.runs.all() == []
    chat, _ = await told(connected, bot)
    wanted = (f"/chats/{chat}/delete", {"name": "The ferry"})
    deleted, answer = await behind(
        connected, wanted, (f"/bots/{bot}/reset", {"name": "Mira Vale", f"chat-{chat}": "on"})
    )
    assert (deleted.status_code, answer.status_code) == (200, 404), answer.text
    assert holding(connected.engine.settings, WORD) == []


async def test_words_typed_while_their_chat_is_being_deleted_are_in_no_file(connected: Visitor) -> None:
    bot = await connected.bot(name="Mira Vale")
    chat, _ = await told(connected, bot)
    deleted, kept = await behind(
        connected,
        (f"/chats/{chat}/delete", {"name": "The ferry"}),
        (f"/chats/{chat}/draft", {"prose": f"half a {WORD}"}),
        "PUT",
    )
    assert (deleted.status_code, kept.status_code) == (200, 404), kept.text
    deleted, kept = await behind(
        connected,
        (f"/bots/{bot}/delete", {"name": "Mira Vale"}),
        (f"/bots/{bot}/kickoff", {"action": "save", "opening": f"A {WORD} plays."}),
    )
    assert (deleted.status_code, kept.status_code) == (200, 404), kept.text
    assert holding(connected.engine.settings, WORD) == []


async def test_words_typed_in_another_chat_are_kept_while_one_database_takes_the_place_of_another(
    connected: Visitor,
) -> None:
    chat, _ = await told(connected, await connected.bot(name="Mira Vale"))
    made = (await connected.post("/backups", JSON)).json()["backup"]["name"]
    restored, kept = await behind(
        connected,
        (f"/backups/{made}/restore", {}),
        (f"/chats/{chat}/draft", {"prose": f"half a {WORD}"}),
        "PUT",
    )
    assert (restored.status_code, kept.status_code) == (200, 204), kept.text
    assert (await connected.json(f"/chats/{chat}/draft"))["prose"] == f"half a {WORD}"


async def test_what_was_asked_of_a_story_is_not_done_in_the_one_that_takes_its_place(
    connected: Visitor,
) -> None:
    chat, _ = await told(connected, await connected.bot(name="Mira Vale"))
    before = await connected.turns(chat)
    made = (await connected.post("/backups", JSON)).json()["backup"]["name"]
    await connected.say(chat, "And once more.")
    restored, undone = await behind(connected, (f"/backups/{made}/restore", {}), (f"/chats/{chat}/undo", {}))
    assert (restored.status_code, undone.status_code) == (200, 409), undone.text
    assert await connected.turns(chat) == before
    assert (await connected.post(f"/chats/{chat}/undo", JSON)).json()["words"] == "And back."


@pytest.mark.parametrize("who", ["bot", "persona"])
async def test_no_story_begins_with_somebody_who_is_being_deleted(connected: Visitor, who: str) -> None:
    bot = await connected.bot(name="Mira Vale")
    posted = await connected.post("/settings", JSON, you_id="new", name="Finn", persona="A pilot.")
    you = next(one["id"] for one in posted.json()["personas"] if one["name"] == "Finn")
    gone, name = (f"/bots/{bot}", "Mira Vale") if who == "bot" else (f"/settings/personas/{you}", "Finn")
    begin = {"action": "confirm", "place_name": "The pier", "opening": "Fog.", "you_id": you}
    deleted, begun = await behind(
        connected, (f"{gone}/delete", {"name": name}), (f"/bots/{bot}/kickoff", begin)
    )
    assert (deleted.status_code, begun.status_code) == (200, 404), begun.text
    assert connected.engine.store.library.chats == {}


@pytest.mark.parametrize("lost", ["the chat itself", "a chat that had it from there"])
@pytest.mark.parametrize("action", ["parse", "begin"])
async def test_no_feeling_is_carried_over_from_a_chat_that_is_deleted_while_an_opening_is_read(
    connected: Visitor, monkeypatch: pytest.MonkeyPatch, lost: str, action: str
) -> None:
    """Once its feelings were read and before the draft is kept: the later one may have them from the one that goes."""
    bot = await connected.bot(name="Mira Vale", kickoff_prose="A pier at dusk.")
    first = await connected.chat(bot, title="The ferry")
    drawer = await connected.json(f"/chats/{first}/drawer")
    edge = next(one for one in drawer["editable"] if one["what"] == "edge")
    felt = {"revision": str(edge["revision"]), "affinity": "71", "summary": f"Afraid of the {WORD}."}
    await connected.post(f"/chats/{first}/drawer/edge/{edge['id']}", JSON, **felt)
    if lost != "the chat itself":
        await connected.post(f"/bots/{bot}/kickoff", JSON, action="begin")
    here, keep, deleted = connected.engine.store, connected.engine.store.save_draft, list[int]()

    async def late(key: str, body: str | None, **named: Any) -> bool:
        assert body
        if not deleted:
            assert WORD in body
            gone = await connected.post(f"/chats/{first}/delete", JSON, name="The ferry", feelings="on")
            deleted.append(gone.status_code)
        return await keep(key, body, **named)

    monkeypatch.setattr(here, "save_draft", late)
    answer = await connected.post(f"/bots/{bot}/kickoff", JSON, action=action, prose="A pier at dusk.")
    assert (answer.status_code, deleted) == (200, [200]), answer.text
    assert WORD not in answer.text
    assert holding(connected.engine.settings, WORD) == []


async def test_a_story_is_not_begun_with_feelings_from_a_chat_that_is_being_deleted(
    connected: Visitor,
) -> None:
    bot = await connected.bot(name="Mira Vale")
    first = await connected.chat(bot, title="The ferry")
    drawer = await connected.json(f"/chats/{first}/drawer")
    edge = next(one for one in drawer["editable"] if one["what"] == "edge")
    felt = {"revision": str(edge["revision"]), "affinity": "71", "summary": f"Afraid of the {WORD}."}
    await connected.post(f"/chats/{first}/drawer/edge/{edge['id']}", JSON, **felt)
    await connected.post(f"/bots/{bot}/kickoff", JSON, action="parse", prose="A pier at dusk.")
    deleted, begun = await behind(
        connected,
        (f"/chats/{first}/delete", {"name": "The ferry"}),
        (f"/bots/{bot}/kickoff", {"action": "confirm"}),
    )
    assert (deleted.status_code, begun.status_code) == (200, 200), begun.text
    feeling = (await connected.json(f"/chats/{begun.json()['chat_id']}/drawer"))["feelings"][0]
    assert (feeling["affinity"], feeling["from_chat"]) == (50, None)
    assert holding(connected.engine.settings, WORD) == []


async def test_a_story_begun_again_from_an_old_page_is_another_than_the_deleted_one(visitor: Visitor) -> None:
    page = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    bot = (await visitor.json("/bots"))["bots"][0]["id"]
    begin = {"action": "begin", "draft_id": page}
    first = (await visitor.post(f"/bots/{bot}/kickoff", JSON, **begin)).json()["chat_id"]
    assert first == page
    await visitor.say(first, "I wait.")
    title = (await visitor.json(f"/chats/{first}"))["title"]
    deleted = await visitor.post(f"/chats/{first}/delete", JSON, name=title)
    assert deleted.status_code == 200, deleted.text
    second = (await visitor.post(f"/bots/{bot}/kickoff", JSON, **begin)).json()["chat_id"]
    assert second != first
    before = await visitor.turns(second)
    await visitor.say(second, "I wait again.")
    undone = await visitor.post(f"/chats/{second}/undo", JSON)
    assert undone.status_code == 200, undone.text
    assert await visitor.turns(second) == before
    await visitor.engine.store.checkpoint()
    assert await asyncio.to_thread(verify, visitor.engine.settings) == []


async def test_a_deletion_that_is_refused_ends_nothing_of_what_is_worked_out_there(
    connected: Visitor, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words were posted while it was made ready: it stops there, and what it had ended already goes on."""
    chat = await connected.chat(title="The ferry")
    felt = {"source": "Mira", "target": "You", "affinity": 3, "trust": 1, "reason": "the ferry", "cites": [1]}
    peer.script(Silence(), Answer({"feelings": [felt], "significance": 1}), on="DigestAnswer")
    await connected.post(f"/chats/{chat}/turns", JSON, prose='"We cross."')
    await until(connected, lambda: any(one.schema_name for one in peer.requests))
    copies, begun, goes_on = connected.engine.store.copies, asyncio.Event(), asyncio.Event()

    async def slowly(wanted: Wanted) -> Copies:
        begun.set()
        await goes_on.wait()
        return await copies(wanted)

    monkeypatch.setattr(connected.engine.store, "copies", slowly)
    deleting = asyncio.ensure_future(connected.post(f"/chats/{chat}/delete", JSON, name="The ferry"))
    await begun.wait()
    peer.script(Reply("slowly and", stall_after=1))
    said = (await connected.post(f"/chats/{chat}/turns", JSON, prose='"And back."')).json()
    goes_on.set()
    assert (await deleting).status_code == 409
    await connected.post(f"/chats/{chat}/turns/{said['reply_id']}/stop", JSON)
    await connected.settled(chat)
    feelings = (await connected.json(f"/chats/{chat}/drawer"))["feelings"]
    assert "the ferry" in [one["reason"] for one in feelings]


async def test_a_reply_whose_chat_is_gone_ends_and_holds_up_nothing(connected: Visitor) -> None:
    engine, bot_id = connected.engine, await connected.bot()
    run = engine.new_run("a-chat-that-was-deleted")
    engine.runs.reserve(run)

    async def tell(*_: object) -> Any:
        raise KeyError(run.chat_id)

    start_reply(engine, run, bot_id, tell)
    assert run.task
    await asyncio.wait({run.task})
    assert not engine.runs.all(), "a backup could never be put back"
