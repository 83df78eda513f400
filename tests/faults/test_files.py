"""Files that cannot be written to or that are damaged, under the real program (TRUST 92, 93, 94, 100)."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing

import pytest

from chat.clock import Clock
from chat.settings import Settings
from chat.store import backup, chain, connections, log
from chat.store.verify import verify
from tests.faults.desk import Desk
from tests.support import pages
from tests.support.restoring import play


def leave_as_if_killed_in_the_first_write(desk: Desk) -> None:
    """Everything is in the database; the write-ahead log has its header and nothing else, and its index is old."""
    path, beside = desk.settings.db_path, desk.settings.data_dir / "aside.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        assert conn.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0
        index = path.with_name("chat.db-shm").read_bytes()
    with closing(sqlite3.connect(beside, isolation_level=None)) as conn:
        conn.execute("pragma journal_mode = wal").fetchone()
        conn.execute("create table begun (anew)")
        header = beside.with_name("aside.db-wal").read_bytes()[:32]
    beside.unlink()
    path.with_name("chat.db-shm").write_bytes(index)
    path.with_name("chat.db-wal").write_bytes(header)


@pytest.mark.parametrize(
    "how", ["folder", "file", "all of it, after a kill", "all of it, after a kill in the first write"]
)
def test_what_cannot_be_written_to_is_read_and_goes_on_by_itself_once_it_can(desk: Desk, how: str) -> None:
    root = desk.settings.data_dir
    if "kill" in how:
        desk.server.start()
        desk.say("a", "Before the disk went.")
        desk.server.kill()
    if "first write" in how:
        leave_as_if_killed_in_the_first_write(desk)
    files = [path for path in root.iterdir() if path.is_file()]
    closed = {"folder": [root], "file": [desk.settings.db_path]}.get(how, [*files, root])
    before = {path: path.read_bytes() for path in files if path.name.startswith(("chat.db", "head"))}
    for path in closed:
        path.chmod(0o500)
    desk.launch()
    page = desk.page("/chats")
    assert page.status == 200
    assert "cannot be written to" in page.text
    assert "You can read everything, but nothing can be written." in page.text
    assert len(desk.get("/chats/a").json["turns"]) >= 20
    refused = desk.post("a", "Hold this for me.")
    assert refused.status == 503
    assert refused.json["error"]["code"] == "store_read_only"
    assert "stories_cannot_be_written" in desk.told
    assert "Traceback" not in desk.told
    assert {path: path.read_bytes() for path in before if not path.name.endswith("-shm")} == {
        path: content for path, content in before.items() if not path.name.endswith("-shm")
    }
    for path in closed:
        path.chmod(0o700)
    desk.until(lambda: desk.get("/ready").status == 200, "it is ready again by itself")
    desk.say("a", "There you are.")
    assert "stories_can_be_written_again" in desk.told
    assert verify(desk.settings) == []


def test_a_damaged_search_index_is_written_anew_while_the_program_runs(desk: Desk) -> None:
    for page in pages.leaves_of(desk.settings.db_path, "memories_fts_data"):
        pages.spoil(desk.settings.db_path, page)
    desk.launch()
    said = desk.post("a", "Where are the nets?")
    assert said.status in (202, 503)
    desk.until(lambda: "mended" in desk.told, "the database is mended")
    desk.until(lambda: desk.get("/ready").status == 200, "it is ready again")
    assert "no event is lost" in " ".join(desk.get("/health").json["warnings"])
    desk.say("a", "And now, where are the nets?")
    assert verify(desk.settings) == []
    assert list(desk.settings.data_dir.glob("chat.db.damaged-*"))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("header", "store_damaged"),
        ("end of the log", "store_damaged"),
        ("truncated", "store_damaged"),
        ("gone", "events_lost"),
    ],
)
def test_a_damaged_log_is_told_on_every_page_and_the_way_back_is_one_of_them(
    desk: Desk, how: str, says: str
) -> None:
    settings = desk.settings
    made = asyncio.run(_backed_up(settings))
    if how == "gone":
        settings.db_path.unlink()
    elif how == "truncated":
        os.truncate(settings.db_path, settings.db_path.stat().st_size // 2)
    else:
        leaf = pages.leaves_of(settings.db_path, "event_log")[-1]
        pages.spoil(settings.db_path, 1 if how == "header" else leaf)
    spoiled = settings.db_path.read_bytes() if settings.db_path.exists() else b""
    desk.launch()
    for address in ("/chats", "/chats/new", "/backups", "/settings"):
        page = desk.page(address)
        assert page.status < 600
        assert made in page.text, address
        assert "/backups" in page.text
    refused = desk.post("a", "Do not write this.")
    assert (refused.status, refused.json["error"]["code"]) == (503, says), "not that there is no such chat"
    assert made in refused.json["error"]["next_step"]
    for address in ("/chats/a", "/bots/bot-mira", "/chats/a/map"):
        page = desk.page(address)
        assert page.status == 503
        assert "There is no such" not in page.text
    assert desk.page("/backups/nothing/restore").status == 404
    assert not settings.db_path.exists() or settings.db_path.read_bytes() == spoiled
    assert "stories_cannot_be_written" in desk.told
    back = desk.server.request("POST", f"/backups/{made}/restore", form={})
    assert back.status == 200, back.text
    desk.until(lambda: desk.get("/ready").status == 200, "the stories are back")
    desk.say("a", "We are back.")
    assert verify(settings) == []


def test_a_torn_write_ahead_log_is_told_although_sqlite_finds_nothing(desk: Desk) -> None:
    """TRUST 94: the head file knows more than the log, and what lies behind the tear is kept."""
    desk.server.start()
    held = sqlite3.connect(f"{desk.settings.db_path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    held.execute("begin")
    held.execute("select count(*) from event_log").fetchone()  # so that no checkpoint empties the log
    desk.say("a", "First.")
    desk.say("a", "Second.")
    desk.server.kill()
    held.close()
    wal = desk.settings.db_path.with_name("chat.db-wal")
    if not wal.exists() or not wal.stat().st_size:
        raise AssertionError("there is no write-ahead log to tear")
    torn = bytearray(wal.read_bytes())
    torn[len(torn) // 2] ^= 1
    wal.write_bytes(torn)
    desk.launch()
    page = desk.page("/chats")
    assert "Events of your stories are gone" in page.text
    assert "accept-loss" in page.text
    refused = desk.post("a", "Third.")
    assert refused.json["error"]["code"] == "events_lost"
    (kept,) = desk.settings.data_dir.glob("chat.db-wal.damaged-*")
    assert kept.read_bytes() == bytes(torn)


def test_an_event_of_a_newer_program_stops_the_start_with_a_sentence(desk: Desk) -> None:
    """TRUST 100: it is never skipped, and the log is not touched."""
    conn = connections.writer(desk.settings.db_path)
    head, body, salt = log.head(conn), b'{"bot_id":"bot-mira"}', bytes(16)
    envelope = (head.id + 1, "library", None, None, "bot_married", 1, "2031-01-01T00:00:00.000Z", None)
    chained = chain.next_hash(head.hash, envelope, chain.body_hash(salt, body))
    log.write_back(conn, [(*envelope, body.decode(), salt, chained)])
    conn.close()
    before = desk.settings.db_path.read_bytes()
    started = desk.server.command("serve", "--no-open", "--port", "0")
    assert started.returncode == 1
    assert "bot_married" in started.stderr
    assert "Start the newer program" in started.stderr
    assert "the_program_could_not_start" in started.stderr
    assert desk.settings.db_path.read_bytes() == before


async def _backed_up(settings: Settings) -> str:
    made = await asyncio.to_thread(backup.make, settings, Clock(), "daily")
    await play(settings, range(41, 45, 2))
    return made.name
