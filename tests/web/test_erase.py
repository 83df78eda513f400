"""Deleting for good behind its pages: what they say, what they refuse, and that no file holds the words afterwards."""

from __future__ import annotations

import asyncio
import json

import pytest

from chat.errors import StoreFull
from chat.settings import Settings
from chat.store import backup, maintenance
from chat.store.scrub import Copy
from chat.store.verify import verify
from chat.web.routes import erase as page
from tests.support.peer import Peer
from tests.support.peer_acts import Reply
from tests.support.restoring import rows
from tests.web.conftest import HTMX, JSON, Visitor

WORD = "xylophone"
FOREIGN_SITE = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}


def holding(settings: Settings, word: str = WORD) -> list[str]:
    """Every file of the data root in which a word stands, backups excepted."""
    root = settings.data_dir
    files = [path for path in root.rglob("*") if path.is_file() and settings.backups_dir not in path.parents]
    return sorted(
        str(path.relative_to(root)) for path in files if word in path.read_bytes().decode("latin-1").lower()
    )


async def played(visitor: Visitor) -> tuple[str, str, str, str]:
    """A bot and its chat in which the word stands wherever something can be written, and another of both."""
    bot = await visitor.bot(
        name="Mira",
        persona=f"Plays the {WORD}.",
        appearance=WORD,
        voice_samples=WORD,
        traits=WORD,
        backstory=WORD,
    )
    chat = await visitor.chat(
        bot, title=f"The {WORD}", place_name=f"Hall of the {WORD}", opening=f"A {WORD} plays."
    )
    await visitor.say(chat, f'"Where is the {WORD}?" I ask about the {WORD}.')
    await visitor.say(chat, f"/whisper Mira my {WORD} is a secret")
    turn = (await visitor.turns(chat))[-1]["id"]
    await visitor.post(f"/chats/{chat}/turns/{turn}/regenerate", JSON)
    await visitor.settled(chat)
    await visitor.post(f"/chats/{chat}/checkpoints", JSON, name=f"before the {WORD}")
    await visitor.post(f"/chats/{chat}/scene/close", JSON, name=f"{WORD} shop", place_type="place")
    await visitor.settled(chat)
    await visitor.client.put(f"/chats/{chat}/draft", data={"prose": f"half a {WORD}"}, headers=JSON)
    other_bot = await visitor.bot(name="Tomas Reed", persona="A ferryman.")
    other = await visitor.chat(other_bot, title="The ferry")
    await visitor.say(other, "We cross the river.")
    await visitor.engine.snapshots.idle()
    return bot, chat, other_bot, other


async def test_no_file_holds_a_word_of_a_deleted_chat_and_the_other_is_as_it_was(visitor: Visitor) -> None:
    bot, chat, _, other = await played(visitor)
    settings = visitor.engine.settings
    asked = await visitor.json(f"/chats/{chat}/delete")
    assert (asked["name"], asked["copies"]) == (f"The {WORD}", [])
    assert asked["chats"][0]["turns"] >= 5
    await visitor.engine.store.checkpoint()
    before = rows(settings)
    answer = await visitor.post(f"/chats/{chat}/delete", JSON, name=f"the {WORD}", feelings="on")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"location": "/chats"}
    assert holding(settings) == ["chat.db"]  # the bot is still there, and plays it
    after = rows(settings)
    for table, was in before.items():
        assert [row for row in after[table] if other in row] == [row for row in was if other in row], table
        assert table == "model_calls" or not any(chat in row for row in after[table]), table
    await visitor.get(f"/chats/{chat}", 404)
    answer = await visitor.post(f"/bots/{bot}/delete", JSON, name="Mira")
    assert answer.status_code == 200, answer.text
    assert holding(settings) == []
    await visitor.say(other, "And back again.")
    assert len(await visitor.turns(other)) >= 4
    await visitor.engine.store.checkpoint()
    assert await asyncio.to_thread(verify, settings) == []
    was = rows(settings)
    await visitor.engine.store.rebuild()
    assert rows(settings) == was


async def test_without_script_the_page_says_what_goes_and_takes_the_typed_name(visitor: Visitor) -> None:
    bot, chat, other_bot, other = await played(visitor)
    shown = (await visitor.get(f"/bots/{bot}/delete")).text
    assert "every chat they are in" in shown
    assert f"The {WORD}: " in shown
    assert "turns on 2 branches" in shown
    assert "No backup made earlier holds these words." in shown
    wrong = await visitor.post(f"/bots/{bot}/delete", name="Tomas")
    assert (wrong.status_code, "What was typed is not the name" in wrong.text) == (422, True)
    assert chat in visitor.engine.store.library.chats
    answer = await visitor.post(f"/bots/{bot}/delete", name=" mira ", back_up="on")
    assert (answer.status_code, answer.headers["location"]) == (303, "/deleting")
    shown = (await visitor.get("/deleting")).text
    assert "The words are gone" in shown
    assert "1 backup or copy made before still holds them" in shown
    assert set(visitor.engine.store.library.chats) == {other}
    assert other_bot in visitor.engine.store.library.bots
    assert holding(visitor.engine.settings) == []
    (kept,) = (await visitor.json("/backups"))["backups"]
    assert kept["reason"] == "before-delete"
    assert chat in [
        one["chat_id"] for one in (await visitor.json(f"/backups/{kept['name']}/restore"))["chats"]
    ]


async def test_copies_go_too_when_that_is_ticked(visitor: Visitor) -> None:
    _, chat, _, _ = await played(visitor)
    await asyncio.to_thread(backup.make, visitor.engine.settings, visitor.engine.clock, "daily")
    assert "1 copy made earlier holds these words" in (await visitor.get(f"/chats/{chat}/delete")).text
    answer = await visitor.post(f"/chats/{chat}/delete", HTMX, name=f"The {WORD}", copies="on", back_up="on")
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/deleting")
    assert "No backup holds them." in (await visitor.get("/deleting")).text
    (kept,) = (await visitor.json("/backups"))["backups"]
    assert (kept["reason"], kept["verified"]) == ("after-delete", True)


async def test_a_reply_that_is_being_written_is_not_deleted_by_the_way(
    connected: Visitor, peer: Peer
) -> None:
    chat = await connected.chat(title="The ferry")
    peer.script(Reply("slowly " * 80, pace_s=0.05))
    posted = await connected.post(f"/chats/{chat}/turns", JSON, prose="We cross.")
    assert posted.status_code == 202
    refused = await connected.post(f"/chats/{chat}/delete", name="The ferry")
    assert refused.status_code == 409
    assert "Stop the reply and delete for good" in refused.text
    answer = await connected.post(f"/chats/{chat}/delete", JSON, name="The ferry", stop="on")
    assert answer.status_code == 200, answer.text
    assert connected.engine.runs.all() == []
    assert chat not in connected.engine.store.library.chats


async def test_who_else_asks_is_refused(visitor: Visitor) -> None:
    chat = await visitor.chat(title="The ferry")
    for path in (f"/chats/{chat}/delete", f"/bots/{next(iter(visitor.engine.store.library.bots))}/delete"):
        assert (await visitor.post(path, FOREIGN_SITE, name="The ferry")).status_code == 403
    for path in ("/chats/nowhere/delete", "/bots/nowhere/delete", f"/bots/{chat}/delete"):
        await visitor.get(path, 404)
        assert (await visitor.post(path, JSON, name="The ferry")).status_code == 404
    assert chat in visitor.engine.store.library.chats


async def test_what_could_not_be_finished_is_said_and_done_by_the_next_start(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, chat, _, _ = await played(visitor)
    monkeypatch.setattr(page, "SOON_S", 5)

    def full(settings: Settings) -> Copy:
        raise StoreFull("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Copy, "begin", full)
        answer = await visitor.post(f"/chats/{chat}/delete", name=f"The {WORD}")
        assert answer.status_code == 507
    assert "The disk is full." in (await visitor.get("/deleting")).text
    assert chat not in visitor.engine.store.library.chats
    await visitor.engine.store.exchange(lambda: None)  # as a start does
    assert await visitor.engine.store.is_scrubbed()
    listed = await asyncio.to_thread(
        maintenance.list_events, visitor.engine.settings, limit=-1, stream=f"chat:{chat}"
    )
    assert {json.dumps(one["data"]) for one in listed} == {"{}"}
