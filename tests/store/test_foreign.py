"""Files nobody vouches for: what is no whole log is refused, and of the rest only the event rows are taken."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable

import pytest

from chat.clock import Clock
from chat.errors import ChatError, StoreDamaged, UnknownEvent
from chat.settings import Settings
from chat.store import backup, chain, connections, log, restore
from chat.store.backup_folder import Backup
from chat.store.verify import verify
from tests.support.restoring import edited, place, rows


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


FOREIGN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "text": lambda content: b"Dear diary, " * 4000,
    "cut off": _cut,
    "one page short": lambda content: content[:-4096],
    "random bytes behind the header": lambda content: content[:100] + b"\xa5" * (len(content) - 100),
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("kind", FOREIGN)
async def test_what_is_no_whole_database_is_refused_and_nothing_is_touched(
    settings: Settings, kept: Backup, kind: str
) -> None:
    """TRUST 78."""
    place(settings, "odd", FOREIGN[kind]((settings.backups_dir / f"{kept.name}.db").read_bytes()))
    await must_refuse(settings, "odd")


async def test_a_broken_page_of_the_log_is_refused_and_one_of_anything_else_does_no_harm(
    settings: Settings, kept: Backup
) -> None:
    """TRUST 78."""
    content = (settings.backups_dir / f"{kept.name}.db").read_bytes()
    conn = sqlite3.connect(settings.backups_dir / f"{kept.name}.db")
    roots = dict(conn.execute("select name, rootpage from sqlite_master where rootpage > 0"))
    conn.close()
    for name, table in (("odd", "event_log"), ("fine", "memories")):
        start = 4096 * (roots[table] - 1)
        place(settings, name, content[:start] + b"\xff" * 4096 + content[start + 4096 :])
    await must_refuse(settings, "odd")
    await asyncio.to_thread(restore.restore, settings, Clock(), "fine")
    assert verify(settings) == []


async def test_a_huge_hollow_file_is_refused_before_a_byte_is_copied(
    settings: Settings, kept: Backup
) -> None:
    """TRUST 78."""
    place(settings, "hollow", (settings.backups_dir / f"{kept.name}.db").read_bytes())
    with (settings.backups_dir / "hollow.db").open("r+b") as file:
        file.truncate(10_000_000_000)
    await must_refuse(settings, "hollow")


async def must_refuse(
    settings: Settings, name: str, kind: type[ChatError] = StoreDamaged, says: str = "."
) -> None:
    before, listed = rows(settings), backup.listing(settings)
    for attempt in (restore.restore, restore.prepare):
        with pytest.raises(kind, match=says) as refusal:
            await asyncio.to_thread(attempt, settings, Clock(), name)
        assert refusal.value.next_step
    assert rows(settings) == before
    assert backup.listing(settings) == listed
    assert not settings.restoring_dir.exists()
    assert not list(settings.data_dir.glob("*.work"))


@pytest.mark.parametrize(
    "statements",
    [
        ("drop table event_log",),
        ("alter table event_log rename to old_log", "create view event_log as select * from old_log"),
        ("alter table event_log add column extra text default ''",),
        ("alter table event_log add column twice text generated always as (payload_json || payload_json)",),
        (
            "alter table event_log rename to old_log",
            "create virtual table event_log using fts5 "
            "(id, stream, branch_id, step, kind, version, ts, caused_by, payload_json, salt, hash)",
        ),
    ],
)
async def test_a_database_without_an_ordinary_log_is_refused(
    settings: Settings, kept: Backup, statements: tuple[str, ...]
) -> None:
    """TRUST 78."""
    await must_refuse(settings, edited(settings, kept, "odd", *statements), says="another program")


@pytest.mark.parametrize(
    "statement",
    [
        "update event_log set payload_json = replace(payload_json, 'lamp', 'lemp') where id = 9",
        "update event_log set ts = '' where id = 9",
        "delete from event_log where id = 9",
        "update event_log set hash = zeroblob(32) where id = 9",
        "update event_log set payload_json = cast(x'7bff7d' as text) where id = 9",
    ],
)
async def test_a_changed_row_is_found_although_sqlite_sees_nothing(
    settings: Settings, kept: Backup, statement: str
) -> None:
    """TRUST 84."""
    drops = [f"drop trigger event_log_never_{what}" for what in ("changes", "shrinks")]
    await must_refuse(settings, edited(settings, kept, "odd", *drops, statement), says="Event")


async def test_a_changed_byte_in_a_backup_of_our_own_is_found(settings: Settings, kept: Backup) -> None:
    path = settings.backups_dir / f"{kept.name}.db"
    content = bytearray(path.read_bytes())
    content[content.index(b"The lamp is lit")] ^= 1
    path.write_bytes(content)
    await must_refuse(settings, kept.name, says="not as it was written")


async def test_a_manifest_that_tells_of_another_head_is_not_believed(
    settings: Settings, kept: Backup
) -> None:
    path = settings.backups_dir / f"{kept.name}.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"head_id": 5}))
    await must_refuse(settings, kept.name, says="manifest")


def forged(settings: Settings, made: Backup, kind: str, body: str, stream: str = "library") -> str:
    """A backup with one more event, chained as ours are, that this program would not have written."""
    name = edited(settings, made, "forged")
    conn = sqlite3.connect(settings.backups_dir / f"{name}.db", isolation_level=None)
    head = log.head(conn)
    branch, step = ("a-1", 99) if stream.startswith("chat:") else (None, None)
    envelope = (head.id + 1, stream, branch, step, kind, 1, "2026-01-01T00:00:00.000Z", None)
    digest = chain.next_hash(head.hash, envelope, chain.body_hash(bytes(16), body.encode()))
    conn.execute(f"insert into event_log values ({','.join('?' * 11)})", (*envelope, body, bytes(16), digest))
    conn.close()
    return name


async def test_an_event_of_a_newer_program_is_refused(settings: Settings, kept: Backup) -> None:
    await must_refuse(settings, forged(settings, kept, "bot_married", "{}"), UnknownEvent, "bot_married")


@pytest.mark.parametrize(
    ("kind", "body", "stream"),
    [
        ("user_turn", "{}", "chat:a"),
        ("bot_authored", "[1, 2]", "library"),
        ("chat_renamed", '{"chat_id": "nowhere", "title": "x", "prior": "y"}', "library"),
        ("bot_archived", '{"bot_id": "nobody"}', "library"),
        ("chat_created", '{"chat_id": 1e999}', "library"),
        ("scene_closed", '{"scene_id": "s"}', "chat:nowhere"),
    ],
)
async def test_events_that_make_no_story_are_refused_in_a_sentence(
    settings: Settings, kept: Backup, kind: str, body: str, stream: str
) -> None:
    await must_refuse(settings, forged(settings, kept, kind, body, stream), ChatError)


async def test_what_else_is_in_a_foreign_file_does_not_come_along(settings: Settings, kept: Backup) -> None:
    """Tables, views, triggers, false rows and a broken index of somebody else; the events are sound (TRUST 78)."""
    name = edited(
        settings,
        kept,
        "visited",
        "create table recipes (x)",
        "create view spying as select load_extension('x')",
        "create trigger biting after insert on drafts begin delete from event_log; end",
        "update turns set text = 'never said'",
        "insert into people values ('you:x', 'Nobody', '', '', '', 0, '', '')",
        "update memories_fts_data set block = x'ffffffff'",
        "drop trigger event_log_never_changes",
        "create index odd on event_log (length(payload_json))",
        "drop table drafts",
        "create table drafts (key, body, updated_at)",
        "insert into drafts values ('composer:zz', x'00ff', 'now')",
    )
    seen = await asyncio.to_thread(restore.restore, settings, Clock(), name)
    assert seen.preview.backup.manifest is None
    assert verify(settings) == []
    conn = connections.read_only(settings.db_path)
    found = {name for (name,) in conn.execute("select name from sqlite_master")}
    assert {"event_log_never_changes", "turns"} <= found
    assert not {"recipes", "spying", "biting", "odd"} & found
    assert conn.execute("select count(*) from turns where text = 'never said'").fetchone() == (0,)
    assert conn.execute("select count(*) from drafts").fetchone() == (0,)
    conn.close()


async def test_an_older_schema_is_no_hindrance(settings: Settings, kept: Backup) -> None:
    """A database of the first schema has the log and little else (TRUST 78)."""
    tables = ["memories_fts", "edge_changes", "witnesses", "memories", "activities", "scenes"]
    name = edited(
        settings, kept, "old", *(f"drop table {table}" for table in tables), "delete from migrations"
    )
    await asyncio.to_thread(restore.restore, settings, Clock(), name)
    assert verify(settings) == []
    assert kept.manifest
    assert len(rows(settings)["event_log"]) == kept.manifest.events
