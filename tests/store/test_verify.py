"""`verify` finds what was done to the file behind our back, and says it in sentences."""

from __future__ import annotations

import pytest

from chat.clock import Clock
from chat.settings import Settings
from chat.store import Store, connections, maintenance
from chat.store.verify import verify
from tests.support import stories


@pytest.fixture
async def closed(told: Store, settings: Settings) -> Settings:
    await told.execute(lambda state: stories.forked("a", "a-2", "a-1", 4))
    await told.close()
    return settings


def tamper(settings: Settings, *statements: str) -> None:
    conn = connections.writer(settings.db_path)
    conn.execute("pragma foreign_keys = off")
    for statement in statements:
        conn.execute(statement)
    conn.close()


@pytest.fixture
async def told(settings: Settings) -> Store:
    """Closed by the tests themselves."""
    store = await Store.open(settings, Clock(seed=4))
    await store.execute(lambda state: [*stories.cast(), *stories.chat("a"), *stories.chat("b")])
    for step in (1, 3, 5):
        await store.execute(lambda state, s=step: stories.exchange("a", "a-1", s))
    return store


def test_whole_stories_have_no_findings_and_nothing_is_left_behind(closed: Settings) -> None:
    before = {path.name for path in closed.data_dir.iterdir()}
    assert verify(closed) == []
    assert {path.name for path in closed.data_dir.iterdir()} - before <= {"chat.db-shm", "chat.db-wal"}


async def test_it_may_run_beside_a_server(told: Store, settings: Settings) -> None:
    assert verify(settings) == []
    await told.execute(lambda state: stories.exchange("b", "b-1", 1))
    assert verify(settings) == []
    await told.close()


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (
            "update turns set text = text || ' or not' where id = 'a-1-2'",
            "otherwise about turns a-1-2: text.",
        ),
        ("delete from turns where id = 'a-1-1'", "A row is missing: turns a-1-1."),
        ("delete from memories where id = 'memory-a-1-2'", "A row is missing: memories memory-a-1-2."),
        (
            "update edges set affinity = 99, trust = 1",
            "otherwise about edges a bot-mira you:1: affinity, trust.",
        ),
        ("update chats set branch_id = 'a-1' where id = 'a'", "otherwise about chats a: branch_id."),
        (
            "update bots set traits = '[\"kind\"]' where id = 'bot-mira'",
            "otherwise about bots bot-mira: traits.",
        ),
        ("update ledger_totals set calls = 0", "otherwise about ledger_totals 1: calls."),
        ("update projector set cursor = 5", "follow the log up to event 5 of"),
        (
            "insert into people values ('you:x', 'Nobody', '', '', '', 0, '', '')",
            "The log knows nothing of the row people you:x.",
        ),
        (
            "insert into memories_fts (memories_fts, rowid, text, keys) values ('delete', 9, 'x', '')",
            "search index",
        ),
    ],
)
def test_a_changed_row_is_found_and_a_rebuild_puts_it_right(
    closed: Settings, statement: str, finding: str
) -> None:
    tamper(closed, statement)
    found = verify(closed)
    assert any(finding in one for one in found), found
    if "projector" not in statement:
        assert len(found) <= 2
    assert maintenance.rebuild_all(closed, Clock()).events > 0
    assert verify(closed) == []


def test_a_changed_byte_in_the_log_is_found_although_sqlite_sees_nothing(closed: Settings) -> None:
    """TRUST 84."""
    tamper(
        closed,
        "drop trigger event_log_never_changes",
        "update event_log set payload_json = replace(payload_json, 'lit', 'out') where kind = 'assistant_turn'",
    )
    found = verify(closed)
    assert sum("is not as it was written" in one for one in found) == 3
    assert not any("SQLite" in one for one in found)


def test_a_byte_that_is_no_text_is_found_too(closed: Settings) -> None:
    tamper(
        closed,
        "drop trigger event_log_never_changes",
        "update event_log set payload_json = cast(x'7bff7d' as text) where id = 3",
    )
    found = verify(closed)
    assert found[0].startswith("Event 3 ")
    assert "could not be finished" in found[-2]
    assert "`chat doctor`" in found[-1]


def test_a_damaged_page_is_found(closed: Settings) -> None:
    content = bytearray(closed.db_path.read_bytes())
    content[4096 * 5 : 4096 * 6] = b"\xa5" * 4096
    closed.db_path.write_bytes(content)
    assert verify(closed)


def test_many_findings_of_a_kind_are_cut_short(closed: Settings) -> None:
    tamper(
        closed, *(f"insert into people values ('you:x{n}', '', '', '', '', 0, '', '')" for n in range(100))
    )
    found = verify(closed)
    assert len(found) == 21
    assert found[-1] == "And more of the same kind."


def test_no_database_is_no_good_news(settings: Settings) -> None:
    settings.ensure_folders()
    assert "no database" in verify(settings)[0]


def test_the_log_can_be_listed_by_stream_and_kind(closed: Settings) -> None:
    turns = maintenance.list_events(closed, kind="user_turn", stream="chat:a")
    assert [row["step"] for row in turns] == [1, 3, 5]
    assert turns[0]["data"]["turn_id"] == "a-1-1"
    assert [row["id"] for row in maintenance.list_events(closed, after=3, limit=2)] == [4, 5]
    assert maintenance.list_events(closed, stream="chat:nowhere") == []


def test_the_library_version_says_whether_it_has_the_known_fault() -> None:
    version, is_fixed = maintenance.sqlite_version()
    assert is_fixed == (tuple(map(int, version.split("."))) >= (3, 51, 3))
