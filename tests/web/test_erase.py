"""Deleting for good behind its pages: what they say, what they refuse, and that no file holds the words afterwards."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from chat.engine import recovery
from chat.engine.erasing import CHECKED
from chat.errors import NotFound, StoreFull
from chat.settings import Settings
from chat.store import backup, maintenance
from chat.store.erase import Wanted
from chat.store.scrub import Copy
from chat.store.verify import verify
from chat.store.work_folders import work_folder
from chat.web.routes import erase as page
from tests.support.peer import Peer, Received
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


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Says the word to whoever does, also where something else was asked for: those lie in the quarantine."""

    def answer(received: Received) -> Reply:
        return Reply(f'*nods* "A {"ferry" if WORD not in received.text else WORD}."')

    with Peer(default=answer) as running:
        yield running


async def played(connected: Visitor) -> tuple[str, str, str, str]:
    """A bot and its chat in which the word stands wherever something can be written, and another of both."""
    bot = await connected.bot(
        name="Mira",
        persona=f"Plays the {WORD}.",
        appearance=WORD,
        voice_samples=WORD,
        traits=WORD,
        backstory=WORD,
    )
    chat = await connected.chat(
        bot, title=f"The {WORD}", place_name=f"Hall of the {WORD}", opening=f"A {WORD} plays."
    )
    await connected.say(chat, f'"Where is the {WORD}?" I ask about the {WORD}.')
    await connected.say(chat, f"/whisper Mira my {WORD} is a secret")
    turn = (await connected.turns(chat))[-1]["id"]
    await connected.post(f"/chats/{chat}/turns/{turn}/regenerate", JSON)
    await connected.settled(chat)
    await connected.post(f"/chats/{chat}/checkpoints", JSON, name=f"before the {WORD}")
    await connected.post(f"/chats/{chat}/scene/close", JSON, name=f"{WORD} shop", place_type="place")
    await connected.settled(chat)
    await connected.client.put(f"/chats/{chat}/draft", data={"prose": f"half a {WORD}"}, headers=JSON)
    other_bot = await connected.bot(name="Tomas Reed", persona="A ferryman.")
    other = await connected.chat(other_bot, title="The ferry")
    await connected.say(other, "We cross the river.")
    await connected.engine.snapshots.idle()
    return bot, chat, other_bot, other


async def test_no_file_holds_a_word_of_a_deleted_chat_and_the_other_is_as_it_was(connected: Visitor) -> None:
    bot, chat, _, other = await played(connected)
    settings = connected.engine.settings
    asked = await connected.json(f"/chats/{chat}/delete")
    assert (asked["name"], asked["copies"]) == (f"The {WORD}", [])
    assert asked["chats"][0]["turns"] >= 5
    quarantined = list(settings.quarantine_dir.iterdir())
    assert any(chat in path.read_text() for path in quarantined)
    await connected.engine.store.checkpoint()
    before = rows(settings)
    answer = await connected.post(f"/chats/{chat}/delete", JSON, name=f"the {WORD}", feelings="on")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"location": "/chats"}
    assert [path.name for path in quarantined if path.exists() and chat in path.read_text()] == []
    assert holding(settings) == ["chat.db"]  # the bot is still there, and plays it
    after = rows(settings)
    for table, was in before.items():
        assert [row for row in after[table] if other in row] == [row for row in was if other in row], table
        assert table == "model_calls" or not any(chat in row for row in after[table]), table
    await connected.get(f"/chats/{chat}", 404)
    answer = await connected.post(f"/bots/{bot}/delete", JSON, name="Mira")
    assert answer.status_code == 200, answer.text
    assert holding(settings) == []
    await connected.say(other, "And back again.")
    assert len(await connected.turns(other)) >= 4
    await connected.engine.store.checkpoint()
    assert await asyncio.to_thread(verify, settings) == []
    was = rows(settings)
    await connected.engine.store.rebuild()
    assert rows(settings) == was


async def test_without_script_the_page_says_what_goes_and_takes_the_typed_name(connected: Visitor) -> None:
    bot, chat, other_bot, other = await played(connected)
    shown = (await connected.get(f"/bots/{bot}/delete")).text
    assert "every chat they are in" in shown
    assert f"The {WORD}: " in shown
    assert "turns on 2 branches" in shown
    assert "No backup made earlier holds these words." in shown
    wrong = await connected.post(f"/bots/{bot}/delete", name="Tomas")
    assert (wrong.status_code, "What was typed is not the name" in wrong.text) == (422, True)
    wrong = await connected.post(f"/chats/{chat}/delete", name="Tomas")
    assert (wrong.status_code, "What was typed is not the title" in wrong.text) == (422, True)
    assert chat in connected.engine.store.library.chats
    answer = await connected.post(f"/bots/{bot}/delete", name=" mira ", back_up="on")
    assert (answer.status_code, answer.headers["location"]) == (303, "/deleting")
    shown = (await connected.get("/deleting")).text
    assert "The words are gone" in shown
    assert "1 backup made before still holds them" in shown
    assert set(connected.engine.store.library.chats) == {other}
    assert other_bot in connected.engine.store.library.bots
    assert holding(connected.engine.settings) == []
    (kept,) = (await connected.json("/backups"))["backups"]
    assert kept["reason"] == "before-delete"
    assert chat in [
        one["chat_id"] for one in (await connected.json(f"/backups/{kept['name']}/restore"))["chats"]
    ]


async def test_copies_go_too_when_that_is_ticked(connected: Visitor) -> None:
    _, chat, _, _ = await played(connected)
    await asyncio.to_thread(backup.make, connected.engine.settings, connected.engine.clock, "daily")
    assert "1 copy made earlier holds these words" in (await connected.get(f"/chats/{chat}/delete")).text
    answer = await connected.post(
        f"/chats/{chat}/delete", HTMX, name=f"The {WORD}", copies="on", back_up="on"
    )
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/deleting")
    assert "No backup holds them." in (await connected.get("/deleting")).text
    (kept,) = (await connected.json("/backups"))["backups"]
    assert (kept["reason"], kept["verified"]) == ("after-delete", True)


async def test_what_else_may_hold_the_words_is_named_when_they_are_gone(connected: Visitor) -> None:
    _, chat, _, other = await played(connected)
    settings = connected.engine.settings
    aside = settings.db_path.with_name("chat.db.damaged-2026-01-01T000000Z")
    aside.write_text(WORD)
    settings.backups_dir.mkdir(exist_ok=True)
    (settings.backups_dir / "from elsewhere.db").write_text(WORD)
    await connected.post(f"/chats/{chat}/delete", name=f"The {WORD}", back_up="off")
    shown = (await connected.get("/deleting")).text
    assert "every file but those named here" in shown
    assert "No backup holds them." in shown
    assert f"may hold them until you delete it: {aside.name}, in" in shown
    assert "What is in 1 file this program did not make is not known: from elsewhere, in" in shown
    said = await connected.json("/deleting")
    assert said["left"] == {"backups": 0, "damaged": [aside.name], "foreign": ["from elsewhere"]}
    assert said["copies_left"] == 2
    assert holding(settings) == ["chat.db", aside.name], "the bot is still there, and plays it"
    title = connected.engine.store.library.chats[other].title
    await connected.post(f"/chats/{other}/delete", name=title, copies="on")
    shown = (await connected.get("/deleting")).text
    assert "not known: from elsewhere, in" in shown
    assert "damaged" not in shown
    assert not aside.exists()


async def test_the_list_of_backups_says_which_still_hold_what_was_deleted(connected: Visitor) -> None:
    _, chat, _, _ = await played(connected)
    settings, clock = connected.engine.settings, connected.engine.clock
    await asyncio.to_thread(backup.make, settings, clock, "daily")
    assert "deleted for good" not in (await connected.get("/backups")).text
    await connected.post(f"/chats/{chat}/delete", HTMX, name=f"The {WORD}", back_up="on")
    await asyncio.to_thread(backup.make, settings, clock, "by-hand")
    kept = (await connected.json("/backups"))["backups"]
    assert sorted((one["reason"], one["holds_deleted"]) for one in kept) == [
        ("before-delete", True),
        ("by-hand", False),
        ("daily", True),
    ]
    assert (await connected.get("/backups")).text.count("words that you deleted for good later") == 2


async def test_a_backup_comes_before_unless_it_is_refused(connected: Visitor) -> None:
    """Also for a script that has never heard of it; an empty checkbox of the page refuses it."""
    one, two = await connected.chat(title="The ferry"), await connected.chat(title="The pier")
    page = (await connected.client.get(f"/chats/{one}/delete")).text
    assert page.index('name="back_up" value="off"') < page.index('name="back_up" type="checkbox" checked')
    answer = await connected.post(f"/chats/{one}/delete", JSON, name="The ferry", back_up="off")
    assert answer.status_code == 200, answer.text
    reasons = [one["reason"] for one in (await connected.json("/backups"))["backups"]]
    assert "before-delete" not in reasons
    answer = await connected.post(f"/chats/{two}/delete", JSON, name="The pier")
    assert answer.status_code == 200, answer.text
    (kept, *_) = (await connected.json("/backups"))["backups"]
    assert "before-delete" in kept["name"]


async def test_a_reply_that_is_being_written_is_not_deleted_by_the_way(
    connected: Visitor, peer: Peer
) -> None:
    chat = await connected.chat(title="The ferry")
    peer.script(Reply("slowly and", stall_after=1))
    posted = await connected.post(f"/chats/{chat}/turns", JSON, prose="We cross.")
    assert posted.status_code == 202
    refused = await connected.post(f"/chats/{chat}/delete", name="The ferry")
    assert refused.status_code == 409
    assert "Stop the reply and delete for good" in refused.text
    answer = await connected.post(f"/chats/{chat}/delete", JSON, name="The ferry", stop="on")
    assert answer.status_code == 200, answer.text
    assert connected.engine.runs.all() == []
    assert chat not in connected.engine.store.library.chats


async def test_a_reply_in_another_chat_goes_on_meanwhile(connected: Visitor, peer: Peer) -> None:
    going, staying = await connected.chat(title="The ferry"), await connected.chat(title="The pier")
    text = "slowly " * 40
    rest = threading.Event()
    peer.script(Reply(text, rest=rest))
    posted = await connected.post(f"/chats/{staying}/turns", JSON, prose="Go on.")
    assert posted.status_code == 202
    while not (running := connected.engine.running_reply(staying)) or not running.text:
        await connected.pause()
    answer = await connected.post(f"/chats/{going}/delete", JSON, name="The ferry")
    assert answer.status_code == 200, answer.text
    assert connected.engine.runs.get(staying) is not None
    rest.set()
    await connected.settled(staying)
    last = (await connected.turns(staying))[-1]
    assert (last["status"], last["text"].strip()) == ("whole", text.strip())


async def told_in_another(connected: Visitor, peer: Peer) -> tuple[str, str]:
    """A chat, and one of the same bot in which a reply was written with memories of the first at hand."""
    bot = await connected.bot(name="Mira Vale")
    first, second = await connected.chat(bot, title="One"), await connected.chat(bot, title="Two")
    peer.script(Reply('"The brass key lies under the lamp."'))
    await connected.say(first, '"Where did you hide the brass key?"')
    peer.script(Reply('"It lies under the lamp, as I said."'))
    await connected.say(second, '"Tell me, where is the brass key?"')
    return first, second


async def test_who_was_told_of_it_elsewhere_can_lose_those_replies(connected: Visitor, peer: Peer) -> None:
    first, second = await told_in_another(connected, peer)
    shown = (await connected.get(f"/chats/{first}/delete")).text
    assert "Two: 1 reply was written with memories of this at hand" in shown
    answer = await connected.post(f"/chats/{first}/delete", JSON, name="One", told="on", feelings="on")
    assert answer.status_code == 200, answer.text
    assert [turn["text"] for turn in (await connected.turns(second))[1:]] == [
        '"Tell me, where is the brass key?"'
    ]
    assert holding(connected.engine.settings, "under the lamp") == []
    before = await connected.json(f"/chats/{second}")
    assert before["detail"] == "Nobody has answered this yet. Ask for the reply, or write on."
    await recovery.recover(connected.engine)  # as a start does: nothing was interrupted
    assert await connected.json(f"/chats/{second}") == before
    await connected.say(second, "I look for it myself.")
    said = [turn for turn in await connected.turns(second) if turn["text"]]
    assert said[-1]["status"] == "whole"
    await connected.post(f"/chats/{second}/undo", JSON)
    assert (await connected.json(f"/chats/{second}"))["turns"] == before["turns"]
    await connected.post(f"/chats/{second}/redo", JSON)
    assert [turn for turn in await connected.turns(second) if turn["text"]] == said
    await connected.engine.store.checkpoint()
    assert await asyncio.to_thread(verify, connected.engine.settings) == []


async def test_a_checkpoint_at_a_reply_that_was_deleted_does_not_lead_to_what_is_said_next(
    connected: Visitor, peer: Peer
) -> None:
    first, second = await told_in_another(connected, peer)
    named = await connected.post(f"/chats/{second}/checkpoints", JSON, name="told")
    (kept,) = connected.engine.store.library.checkpoints.values()
    assert named.status_code == 201, named.text
    answer = await connected.post(f"/chats/{first}/delete", JSON, name="One", told="on")
    assert answer.status_code == 200, answer.text
    before = [turn["text"] for turn in await connected.turns(second)]
    assert "under the lamp" not in " ".join(before)
    await connected.say(second, "I look for it myself.")
    after = [turn["text"] for turn in await connected.turns(second)]
    back = await connected.post(f"/chats/{second}/checkpoints/{kept.id}/go", JSON)
    assert back.status_code == 200, back.text
    assert [turn["text"] for turn in await connected.turns(second)] == before
    await connected.post(f"/chats/{second}/undo", JSON)
    assert [turn["text"] for turn in await connected.turns(second)] == after
    was = rows(connected.engine.settings)
    await connected.engine.store.rebuild()
    assert rows(connected.engine.settings) == was


async def test_words_on_their_way_when_the_chat_goes_stay_nowhere(connected: Visitor) -> None:
    chat = await connected.chat(title="The ferry")
    wanted = Wanted(chat_ids=(chat,))
    await connected.engine.store.erase(wanted)
    with pytest.raises(NotFound):
        await connected.engine.store.save_draft(f"composer:{chat}", f"half a {WORD}")
    with closing(sqlite3.connect(connected.engine.settings.db_path, isolation_level=None)) as earlier:
        earlier.execute("insert into drafts values (?, ?, '')", (f"composer:{chat}", f"half a {WORD}"))
    copy = await asyncio.to_thread(Copy.begin, connected.engine.settings)
    await connected.engine.store.exchange(copy.put_in_place)
    assert holding(connected.engine.settings) == []


async def test_who_else_asks_is_refused(connected: Visitor) -> None:
    chat = await connected.chat(title="The ferry")
    for path in (f"/chats/{chat}/delete", f"/bots/{next(iter(connected.engine.store.library.bots))}/delete"):
        assert (await connected.post(path, FOREIGN_SITE, name="The ferry")).status_code == 403
    for path in ("/chats/nowhere/delete", "/bots/nowhere/delete", f"/bots/{chat}/delete"):
        await connected.get(path, 404)
        assert (await connected.post(path, JSON, name="The ferry")).status_code == 404
    assert chat in connected.engine.store.library.chats


async def test_a_check_that_is_being_made_keeps_its_copy_and_the_words_go_when_it_ends(
    connected: Visitor,
) -> None:
    _, chat, _, _ = await played(connected)
    settings = connected.engine.settings
    with work_folder(settings, "verify") as folder:
        shutil.copy(settings.db_path, folder / "copy.db")
        posted = asyncio.ensure_future(
            connected.post(f"/chats/{chat}/delete", JSON, name=f"The {WORD}", feelings="on")
        )
        while connected.engine.erasing.stage != CHECKED:
            assert not posted.done()
            await connected.pause()
        assert chat not in connected.engine.store.library.chats
        assert (folder / "copy.db").exists()
        await connected.get("/deleting")
    assert (await posted).status_code == 200
    assert holding(settings) == ["chat.db"]  # the bot is still there, and plays it
    assert connected.engine.erasing.problem is None


async def test_what_could_not_be_finished_is_said_and_done_by_the_next_start(
    connected: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, chat, _, _ = await played(connected)
    monkeypatch.setattr(page, "SOON_S", 5)

    def full(settings: Settings) -> Copy:
        raise StoreFull("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Copy, "begin", full)
        answer = await connected.post(f"/chats/{chat}/delete", name=f"The {WORD}")
        assert answer.status_code == 507
    assert "The disk is full." in (await connected.get("/deleting")).text
    assert chat not in connected.engine.store.library.chats
    await connected.engine.store.exchange(lambda: None)  # as a start does
    assert await connected.engine.store.is_scrubbed()
    listed = await asyncio.to_thread(
        maintenance.list_events, connected.engine.settings, limit=-1, stream=f"chat:{chat}"
    )
    assert {json.dumps(one["data"]) for one in listed} == {"{}"}
