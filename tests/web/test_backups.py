"""The page of backups: what there is, one more now, and a way back that says first what it would change."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from chat.errors import StoreFull
from chat.store import backup
from chat.store.backup_folder import BackupFolder
from chat.web.routes import backups as page
from tests.support.dom import parse
from tests.support.peer import Peer
from tests.support.peer_acts import Reply
from tests.web.conftest import HTMX, JSON, KEY, Visitor

FOREIGN_SITE = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}


async def made(visitor: Visitor) -> str:
    answer = await visitor.post("/backups", JSON)
    assert answer.status_code == 200, answer.text
    name: str = answer.json()["backup"]["name"]
    return name


async def test_an_empty_shelf_says_so_and_settings_lead_there(visitor: Visitor) -> None:
    assert "There is no backup yet." in (await visitor.get("/backups")).text
    assert await visitor.json("/backups") == {
        "backups": [],
        "stage": "",
        "folder": str(visitor.engine.settings.backups_dir),
    }
    links = [link.attrs["href"] for link in (await visitor.get("/settings")).by_id("backups").all("a")]
    assert links == ["/backups"]


async def test_one_press_makes_one_and_the_list_says_what_it_holds(visitor: Visitor) -> None:
    await visitor.chat()
    answer = await visitor.post("/backups")
    assert (answer.status_code, answer.headers["location"]) == (303, "/backups")
    (one,) = (await visitor.json("/backups"))["backups"]
    assert (one["verified"], one["events"], one["chats"]) == (True, visitor.engine.store.head, 1)
    assert one["reason"] == "by-hand"
    assert 0 <= one["age_s"] < 60
    shown = (await visitor.get("/backups")).text
    assert f"{one['events']} events, 1 chat, " in shown
    assert "Verified" in shown
    assert "just now" in shown
    assert one["name"] in shown


async def test_a_backup_that_takes_long_shows_how_far_it_is(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "SOON_S", 0.01)
    make, go_on = backup.make, asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(settings, clock, reason, tell):  # type: ignore[no-untyped-def]
        tell("copying")
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)
        return make(settings, clock, reason, tell)

    monkeypatch.setattr(backup, "make", slow)
    assert (await visitor.post("/backups")).status_code == 303
    shown = await visitor.get("/backups")
    assert "copying" in shown.by_id("backup-progress").text
    assert not [form for form in shown.all("form") if form.attrs.get("action") == "/backups"]
    assert "copying" in (await visitor.client.get("/backups/progress", headers=HTMX)).text
    assert (await visitor.json("/backups/progress"))["stage"] == "copying"
    refused = await visitor.post("/backups", JSON)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "backup_running")
    assert "at this moment" in (await visitor.post("/backups")).text
    go_on.set()
    async with asyncio.timeout(20):
        while not (await visitor.json("/backups"))["backups"]:
            await asyncio.sleep(0.02)
        while visitor.engine.backups.stage:
            await asyncio.sleep(0.02)
    ended = await visitor.client.get("/backups/progress", headers=HTMX)
    assert (ended.status_code, ended.headers["hx-redirect"]) == (204, "/backups")


async def test_a_backup_that_fails_is_told_and_the_list_stays(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await made(visitor)

    def full(*args: object) -> None:
        raise StoreFull("The disk is full, so the file could not be written.")

    with monkeypatch.context() as patch:
        patch.setattr(backup, "make", full)
        refused = await visitor.post("/backups", JSON)
        assert (refused.status_code, refused.json()["error"]["code"]) == (507, "store_full")
        assert (await visitor.post("/backups")).status_code == 303
        shown = (await visitor.get("/backups")).text
    assert "The disk is full" in shown
    assert name in shown
    await made(visitor)
    assert "The disk is full" not in (await visitor.get("/backups")).text


async def test_a_backup_that_fails_for_a_reason_nobody_foresaw_is_told_too(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*args: object) -> None:
        raise RuntimeError("odd")

    with monkeypatch.context() as patch:
        patch.setattr(backup, "make", odd)
        assert (await visitor.post("/backups")).status_code == 303
        shown = (await visitor.get("/backups")).text
    assert "could not be made" in shown
    assert "Back up now to try again" in shown
    await made(visitor)
    assert "could not be made" not in (await visitor.get("/backups")).text


async def test_the_way_back_says_what_it_would_change_then_does_it_and_leads_back(visitor: Visitor) -> None:
    kept_chat, changed = await visitor.chat(title="The pier"), await visitor.chat(title="The mill")
    await visitor.say(changed, "Hello.")
    name = await made(visitor)
    same = (await visitor.get(f"/backups/{name}/restore")).text
    assert "would change nothing" in same
    assert "No turn of any chat" not in same, "it is said once"
    await visitor.say(changed, "What lies behind the mill?")
    new = await visitor.chat(title="The ferry")
    told = await visitor.json(f"/backups/{name}/restore")
    assert {chat["chat_id"]: (chat["gained"], chat["lost"]) for chat in told["chats"]}[changed] == (0, 2)
    assert new in {chat["chat_id"] for chat in told["chats"]}
    assert kept_chat not in {chat["chat_id"] for chat in told["chats"]}
    shown = await visitor.get(f"/backups/{name}/restore")
    assert "2 turns would go" in shown.text
    assert len(await visitor.turns(changed)) == 5
    answer = await visitor.post(f"/backups/{name}/restore")
    assert answer.status_code == 200
    (safety,) = [one["name"] for one in (await visitor.json("/backups"))["backups"] if one["name"] != name]
    assert "2 turns went" in parse(answer.text).text
    assert safety in parse(answer.text).text
    assert len(await visitor.turns(changed)) == 3
    assert (await visitor.client.get(f"/chats/{new}")).status_code == 404
    assert (await visitor.say(changed, "And now?")).status_code == 202
    back = await visitor.post(f"/backups/{safety}/restore", JSON)
    assert back.json()["safety"]
    assert len(await visitor.turns(changed)) == 5
    assert (await visitor.client.get(f"/chats/{new}")).status_code == 200
    assert (await visitor.client.get("/ready")).status_code == 200


async def test_a_reply_that_is_being_written_is_stopped_first_when_that_is_wanted(
    connected: Visitor, peer: Peer
) -> None:
    chat_id = await connected.chat()
    await connected.say(chat_id, "One.")
    name = await made(connected)
    address = f"/backups/{name}/restore"
    assert not (await connected.get(address)).one("form", action=address).all("input")
    peer.script(Reply("word " * 400, pace_s=0.02))
    reply_id = (await connected.post(f"/chats/{chat_id}/turns", JSON, prose="Two.")).json()["reply_id"]
    while not (running := connected.engine.running_reply(chat_id)) or not running.text:
        await connected.pause()
    assert (await connected.post(f"/chats/{chat_id}/turns/{reply_id}/digest", JSON)).status_code == 422
    assert (await connected.post(address, JSON)).json()["error"]["code"] == "turn_running"
    refused = await connected.post(address)
    assert refused.status_code == 409
    for shown in (parse(refused.text), await connected.get(address)):
        form = shown.one("form", action=address)
        assert form.one("button").text == "Stop the reply and go back"
        fields = {one.attrs["name"]: one.attrs["value"] for one in form.all("input")}
    assert (await connected.post(address, **fields)).status_code == 200
    assert [turn["text"] for turn in await connected.turns(chat_id)][1:] == ["One.", '*nods* "Mm-hm."']
    (safety,) = [one["name"] for one in (await connected.json("/backups"))["backups"] if one["name"] != name]
    await connected.post(f"/backups/{safety}/restore", JSON)
    stopped = (await connected.turns(chat_id))[-1]
    assert (stopped["id"], stopped["stop_reason"]) == (reply_id, "user_stop")


@pytest.mark.parametrize(
    "name",
    [
        "nothing", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f", "%2Fabs", "a%00b", "x.db%2F..%2Fy", "x" * 300, "a-folder",
        "a-link", "a-pipe", "%F0%9F%92%A5", "progress",
    ],
)  # fmt: skip
async def test_only_listed_names_lead_anywhere(visitor: Visitor, name: str) -> None:
    """TRUST 76."""
    await made(visitor)
    folder = visitor.engine.settings.backups_dir
    (folder / "a-folder.db").mkdir()
    (folder / "a-link.db").symlink_to(visitor.engine.settings.db_path)
    os.mkfifo(folder / "a-pipe.db")
    head = visitor.engine.store.head
    for answer in (
        await visitor.client.get(f"/backups/{name}/restore", headers=JSON),
        await visitor.post(f"/backups/{name}/restore", JSON),
    ):
        assert answer.status_code == 404, answer.text
        assert answer.json()["error"]["message"]
    assert visitor.engine.store.head == head
    assert len((await visitor.json("/backups"))["backups"]) == 1


async def test_a_damaged_backup_is_told_in_a_sentence_and_changes_nothing(visitor: Visitor) -> None:
    name = await made(visitor)
    path = visitor.engine.settings.backups_dir / f"{name}.db"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    head = visitor.engine.store.head
    for answer in (
        await visitor.client.get(f"/backups/{name}/restore", headers=JSON),
        await visitor.post(f"/backups/{name}/restore", JSON),
    ):
        assert answer.status_code == 503
        assert "not as it was written" in answer.json()["error"]["message"]
    assert visitor.engine.store.head == head
    assert (await visitor.client.get("/ready")).status_code == 200


async def test_hostile_names_and_manifests_are_text_on_the_page(visitor: Visitor) -> None:
    folder = visitor.engine.settings.backups_dir
    name = await made(visitor)
    (folder / "<img src=x onerror=alert(1)>.db").write_bytes(b"x")
    manifest = folder / f"{name}.json"
    manifest.write_text(manifest.read_text().replace("by-hand", "<script>alert(1)</script>"))
    answer = await visitor.client.get("/backups")
    assert "<script>alert" not in answer.text
    assert "onerror" not in answer.text
    assert "&lt;script&gt;" in answer.text


async def test_a_page_elsewhere_can_make_nothing_happen(visitor: Visitor) -> None:
    name = await made(visitor)
    head = visitor.engine.store.head
    for path in ("/backups", f"/backups/{name}/restore"):
        assert (await visitor.post(path, FOREIGN_SITE)).status_code == 403
    assert (visitor.engine.store.head, len(await visitor.engine.backups.all())) == (head, 1)


async def test_a_backup_made_elsewhere_at_this_moment_is_told(visitor: Visitor) -> None:
    with BackupFolder(visitor.engine.settings.backups_dir) as folder, folder.locked():
        assert (await visitor.post("/backups", JSON)).status_code == 409


async def test_the_key_is_on_no_page_and_in_no_file_of_a_backup(connected: Visitor) -> None:
    name = await made(connected)
    pages = [await connected.client.get(path) for path in ("/backups", f"/backups/{name}/restore")]
    files = [path.read_bytes() for path in connected.engine.settings.backups_dir.iterdir()]
    assert not [one for one in pages if KEY in one.text]
    assert not [one for one in files if KEY.encode() in one]


async def test_a_reply_the_database_did_not_take_is_in_the_backup_of_what_was_there(
    connected: Visitor, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat_id = await connected.chat()
    earlier = await made(connected)
    execute, runs = connected.engine.store.execute, connected.engine.runs

    async def no_room_for_replies(*args: Any, **named: Any) -> Any:
        if (run := runs.get(chat_id)) and run.is_started:
            raise StoreFull("The disk is full.")
        return await execute(*args, **named)

    monkeypatch.setattr(connected.engine.store, "execute", no_room_for_replies)
    peer.script(Reply("The tide comes in."))
    await connected.say(chat_id, "Hello?")
    monkeypatch.undo()
    assert (await connected.json(f"/chats/{chat_id}/notice"))["notice"]
    restored = (await connected.post(f"/backups/{earlier}/restore", JSON)).json()
    assert (await connected.json(f"/chats/{chat_id}/notice"))["notice"] is None
    assert [one["text"] for one in await connected.turns(chat_id)] == ["Fog."]
    await connected.post(f"/backups/{restored['safety']}/restore", JSON)
    assert (await connected.turns(chat_id))[-1]["text"] == "The tide comes in."
