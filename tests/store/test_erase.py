"""Deletion for good: no byte of it is left anywhere but in backups, and the log is whole with the blanks in it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from chat.clock import Clock
from chat.domain.events import (
    CATALOGUE,
    NewEvent,
    library,
    story,
)
from chat.domain.events.library import BotAuthored, PortraitChanged, WordsErased
from chat.domain.tables import PER_CHAT
from chat.errors import NotFound, StoreFull
from chat.settings import Settings
from chat.store import Store, backup, connections, log, restore, scrub
from chat.store.chain import GENESIS, body_hash
from chat.store.erase import Wanted
from chat.store.headfile import Head
from chat.store.media import Media
from chat.store.scrub import Copy
from chat.store.verify import verify
from tests.support import stories
from tests.support.erasing import CANARY, CARRIED, CASE_ID, erased, fill, holding
from tests.support.restoring import rows

_OPEN: list[Store] = []


@pytest.fixture(autouse=True)
async def none_left_open() -> AsyncIterator[None]:
    """A store that a failing test leaves open has threads, which would keep the whole run from ending."""
    yield
    for store in list(_OPEN):
        await closed(store)


async def opened(settings: Settings) -> Store:
    _OPEN.append(await Store.open(settings, Clock(seed=1)))
    return _OPEN[-1]


async def played(settings: Settings) -> Store:
    store = await opened(settings)
    await fill(store, settings)
    return store


async def closed(store: Store) -> None:
    _OPEN.remove(store)
    await store.close()


@pytest.fixture
def count_rewrites(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often the file had to be written anew while everybody waited."""
    real, found = scrub.rewrite, list[str]()
    monkeypatch.setattr(scrub, "rewrite", lambda settings: found.append("again") or real(settings))
    return found


async def test_no_byte_of_a_deleted_chat_is_left_and_everything_else_is_as_it_was(
    settings: Settings, count_rewrites: list[str]
) -> None:
    store = await played(settings)
    await store.checkpoint()
    assert holding(settings, CANARY)
    before = rows(settings)
    await erased(store, settings, Wanted(chat_ids=("a",), feelings=True))
    assert count_rewrites == []
    assert holding(settings, CANARY) == []
    assert holding(settings, CARRIED) == []
    after = rows(settings)
    for table in ("turns", "memories", "edge_changes", "bots", "model_calls"):
        kept = [row for row in before[table] if table in ("bots", "model_calls") or "b" in row]
        assert after[table] == kept, table
    async with store.reading() as reader:
        assert await reader.all("select key from drafts") == [("composer:b",)]
        assert await reader.all("select count(*) from memories_fts where memories_fts match 'xylophone'") == [
            (0,)
        ]
    assert [path.name for path in settings.quarantine_dir.iterdir()] == [f"{CASE_ID[:-1]}W.json"]
    await store.execute(lambda state: stories.exchange("b", "b-1", 9, "The story goes on."))
    await closed(store)
    assert holding(settings, CANARY) == []
    assert verify(settings) == []


async def test_what_was_carried_over_stays_where_it_is_to_be_kept(settings: Settings) -> None:
    store = await played(settings)
    found = await store.elsewhere(["a"])
    assert [(one.chat_id, one.source, one.summary) for one in found.feelings] == [
        ("b", stories.MIRA, CARRIED)
    ]
    await erased(store, settings, Wanted(chat_ids=("a",)))
    async with store.reading() as reader:
        assert await reader.one(
            "select facts from edges where chat_id = 'b' and source = ?", (stories.MIRA,)
        ) == (f'["{CARRIED}"]',)
    await closed(store)
    assert holding(settings, CANARY) == []
    assert holding(settings, CARRIED) == ["chat.db"]
    assert verify(settings) == []


async def test_a_draft_that_repeats_a_feeling_goes_with_it_and_typed_words_stay(settings: Settings) -> None:
    """One for the next story, carried over from a chat that had it from the one that goes."""
    store = await played(settings)
    await store.save_draft(f"kickoff:{stories.MIRA}", f'{{"carried_from":"b","facts":["{CARRIED}"]}}')
    await erased(store, settings, Wanted(chat_ids=("a",), feelings=True))
    async with store.reading() as reader:
        assert await reader.all("select key from drafts") == [("composer:b",)]
    await closed(store)
    assert holding(settings, CARRIED) == []


async def test_replies_written_with_its_memories_at_hand_are_listed_and_can_go_too(
    settings: Settings,
) -> None:
    store = await played(settings)
    used = {"memories": [{"memory_id": "memory-a-1-2", "used": True, "score": 1.0, "why": ""}]}

    def told(state: object) -> list[NewEvent]:
        said = stories.said("b", "b-1", 9, "b-9", "What did I say?")
        began = stories.began("b", "b-1", 10, "b-10")
        data = msgspec.structs.replace(began[0].data, manifest=used)
        return [
            *said, *story("b", "b-1", 10, data), *stories.ended("b", "b-1", 10, "b-10", f"You said {CARRIED}."),
            *stories.remembered("b", "b-1", 10, "b-memory", CARRIED),
        ]  # fmt: skip

    await store.execute(told)
    assert (await store.elsewhere(["a"])).told == {"b": 1}
    await erased(store, settings, Wanted(chat_ids=("a",), feelings=True, told=True))
    async with store.reading() as reader:
        assert await reader.all("select id from turns where chat_id = 'b' order by step") == [
            ("b-1-5",),
            ("b-1-6",),
            ("b-9",),
        ]
    await closed(store)
    assert holding(settings, CARRIED) == []
    assert verify(settings) == []


async def test_a_bot_goes_with_every_version_of_it_and_its_chats(settings: Settings) -> None:
    store = await played(settings)
    for persona in (CANARY, f"no longer a {CANARY}"):
        await store.execute(
            lambda state, persona=persona: [
                library(BotAuthored(bot_id=stories.TOMAS, name="Tomas", persona=persona))
            ]
        )
    await store.execute(lambda state: stories.chat("c", stories.TOMAS))
    own, shared = (Media(settings.media_dir).keep(CANARY.encode() + face) for face in (b"1", b"2"))
    for entity, face in ((stories.TOMAS, own), (stories.TOMAS, shared), (stories.MIRA, shared)):
        data = PortraitChanged(entity=entity, media_id=face, prior="")
        await store.execute(lambda state, data=data: [library(data)])
    await store.save_draft(f"kickoff:{stories.TOMAS}", CANARY)
    await erased(store, settings, Wanted(bot_ids=(stories.TOMAS,)))
    assert set(store.library.bots) == {stories.MIRA}
    assert set(store.library.chats) == {"a", "b"}
    assert [path.stem for path in settings.media_dir.iterdir()] == [shared]
    await erased(store, settings, Wanted(bot_ids=(stories.MIRA,), feelings=True))
    assert (store.library.bots, store.library.chats, store.library.branches) == ({}, {}, {})
    await closed(store)
    assert holding(settings, CANARY) == []
    assert verify(settings) == []


async def test_something_written_meanwhile_is_not_lost(settings: Settings, count_rewrites: list[str]) -> None:
    store = await played(settings)
    await store.erase(Wanted(chat_ids=("a",), feelings=True))
    copy = await asyncio.to_thread(Copy.begin, settings)
    await store.save_draft("composer:b", "written meanwhile")
    await store.execute(lambda state: stories.exchange("b", "b-1", 9, "Said meanwhile."))
    await store.exchange(copy.put_in_place)
    assert count_rewrites == ["again"]
    async with store.reading() as reader:
        assert await reader.all("select body from drafts") == [("written meanwhile",)]
        assert await reader.all("select count(*) from turns where text = 'Said meanwhile.'") == [(1,)]
    await closed(store)
    assert holding(settings, CANARY) == []
    assert verify(settings) == []


async def test_backups_after_it_are_sound_and_those_before_it_still_hold_the_words(
    settings: Settings,
) -> None:
    store = await played(settings)
    before = await asyncio.to_thread(backup.make, settings, Clock(), "before-delete")
    await erased(store, settings, Wanted(chat_ids=("a",), feelings=True))
    after = await asyncio.to_thread(backup.make, settings, Clock(), "daily")
    await closed(store)
    was = rows(settings)
    seen = await asyncio.to_thread(restore.preview, settings, before.name)
    assert [(one.chat_id, one.gained) for one in seen.chats] == [("a", 12)]
    await asyncio.to_thread(restore.restore, settings, Clock(), before.name)
    assert holding(settings, CANARY) == ["chat.db"]
    await asyncio.to_thread(restore.restore, settings, Clock(), after.name)
    assert rows(settings) == was
    assert verify(settings) == []


async def test_copies_that_hold_it_go_when_that_is_wanted_and_no_others(settings: Settings) -> None:
    store = await opened(settings)
    await store.execute(lambda state: [*stories.cast(), *stories.chat("b")])
    older = await asyncio.to_thread(backup.make, settings, Clock(), "daily")
    await store.execute(lambda state: stories.chat("a"))
    await store.execute(lambda state: stories.exchange("a", "a-1", 1, CANARY))
    newer = await asyncio.to_thread(backup.make, settings, Clock(), "daily")
    (settings.data_dir / "chat.db-wal.damaged-2026-01-01T000000Z").write_text(CANARY)
    (settings.backups_dir / "from elsewhere.db").write_text(CANARY)
    found = await store.copies(Wanted(chat_ids=("a",)))
    assert [one.name for one in found.ours] == [newer.name]
    assert ([one.name for one in found.others], len(found.damaged)) == (["from elsewhere"], 1)
    await erased(store, settings, Wanted(chat_ids=("a",), copies=True))
    await closed(store)
    assert [one.name for one in backup.listing(settings)] == [older.name, "from elsewhere"]
    assert holding(settings, CANARY) == []


async def test_a_chat_that_lost_replies_can_still_go_back_and_forth(settings: Settings) -> None:
    """Erased events lie between those that are told; what is undone and folded on passes over them."""
    store = await played(settings)
    used = {"memories": [{"memory_id": "memory-a-1-2", "used": True, "score": 1.0, "why": ""}]}
    for step in (9, 11):
        began = stories.began("b", "b-1", step + 1, f"b-{step + 1}")
        data = msgspec.structs.replace(began[0].data, manifest=used)
        await store.execute(
            lambda state, step=step, data=data: [
                *stories.said("b", "b-1", step, f"b-{step}", "What did I say?"),
                *story("b", "b-1", step + 1, data),
                *stories.ended("b", "b-1", step + 1, f"b-{step + 1}", CARRIED),
            ]
        )
    await store.execute(lambda state: stories.exchange("b", "b-1", 13, "The nets are dry."))
    await erased(store, settings, Wanted(chat_ids=("a",), feelings=True, told=True))
    was = rows(settings)
    await store.execute(lambda state: stories.forked("b", "b-2", "b-1", 10))
    await store.execute(lambda state: stories.selected("b", "b-1", 14, "b-2"))
    after = rows(settings)
    assert {table: after[table] for table in PER_CHAT} == {table: was[table] for table in PER_CHAT}
    await closed(store)
    assert verify(settings) == []


async def test_what_is_said_after_a_deletion_shows_on_no_fork_from_a_step_that_was_deleted(
    settings: Settings,
) -> None:
    """Its number is not given again, neither on the line that goes on nor on one that was left at its end."""
    store = await played(settings)
    used = {"memories": [{"memory_id": "memory-a-1-2", "used": True, "score": 1.0, "why": ""}]}
    data = msgspec.structs.replace(stories.began("b", "b-1", 10, "b-10")[0].data, manifest=used)
    told = [*story("b", "b-1", 10, data), *stories.ended("b", "b-1", 10, "b-10", CARRIED)]
    await store.execute(lambda state: [*stories.said("b", "b-1", 9, "b-9", "What did I say?"), *told])
    await store.execute(lambda state: stories.forked("b", "b-2", "b-1", 10))
    await store.execute(lambda state: stories.said("b", "b-2", 11, "b-11", "Nothing, then."))
    await erased(store, settings, Wanted(chat_ids=("a",), feelings=True, told=True))
    tips: list[int | None] = []
    await store.execute(lambda state: tips.append(state.tip("b-1")) or [])
    await store.execute(lambda state: stories.selected("b", "b-1", 10, "b-2"))
    await store.execute(lambda state: tips.append(state.world("b").state.head_step) or [])
    assert tips == [10, 10]
    await closed(store)
    store = await opened(settings)
    await store.execute(lambda state: tips.append(state.world("b").state.head_step) or [])
    assert tips[-1] == 10
    await closed(store)
    assert verify(settings) == []


async def test_a_blank_that_nobody_erased_is_found(settings: Settings) -> None:
    store = await played(settings)
    await closed(store)
    conn = sqlite3.connect(settings.db_path, isolation_level=None)
    (one,) = conn.execute("select id from event_log where kind = 'user_turn'").fetchone()
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        conn.execute("update event_log set payload_json = '{}', salt = zeroblob(32) where id = ?", (one,))
    conn.execute("drop trigger event_log_never_changes")
    body, salt = conn.execute(
        "select cast(payload_json as blob), salt from event_log where id = ?", (one,)
    ).fetchone()
    conn.execute(
        "update event_log set payload_json = '{}', salt = ? where id = ?", (body_hash(salt, body), one)
    )
    conn.close()
    found = verify(settings)
    assert f"Event {one} (user_turn) is blank, and nothing says that it was erased." in found


async def test_only_what_was_named_may_be_blanked_and_only_what_came_before(settings: Settings) -> None:
    store = await played(settings)
    await erased(store, settings, Wanted(chat_ids=("a",)))
    await closed(store)
    conn = sqlite3.connect(settings.db_path, isolation_level=None)
    (of_b,) = conn.execute("select min(id) from event_log where stream = 'chat:b'").fetchone()
    (of_a,) = conn.execute("select min(id) from event_log where stream = 'chat:a'").fetchone()
    (said,) = conn.execute("select id from event_log where kind = 'words_erased'").fetchone()
    blank = "payload_json = '{}', salt = zeroblob(32)"
    for change, event_id in (
        (blank, of_b), (blank, said), ("ts = ''", of_a), (f"{blank}, hash = zeroblob(32)", of_a),
        ("payload_json = '{\"a\":1}'", of_a), (f"{blank}, stream = 'library'", of_a),
    ):  # fmt: skip
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            conn.execute(f"update event_log set {change} where id = ?", (event_id,))
    conn.close()
    reading = connections.read_only(settings.db_path)
    assert list(log.check_chain(reading, Head(0, GENESIS))) == []
    (salts,) = reading.execute(
        "select count(distinct salt) from event_log where payload_json = '{}'"
    ).fetchone()
    assert salts > 30
    reading.close()


def test_nothing_that_is_told_looks_like_a_blank() -> None:
    assert [kind for kind, payload in CATALOGUE.items() if not payload.__struct_fields__] == []


async def test_the_log_names_ids_and_no_words(settings: Settings) -> None:
    store = await played(settings)
    commit = await store.erase(Wanted(chat_ids=("a",), feelings=True))
    said = commit.events[0].data
    assert isinstance(said, WordsErased)
    assert (said.streams, said.chat_ids, said.bot_ids) == (("chat:a",), ("a",), ())
    with pytest.raises(NotFound):
        await store.erase(Wanted(chat_ids=("a",)))
    await closed(store)
    await closed(await opened(settings))
    assert holding(settings, CANARY) == []


async def test_a_disk_that_is_full_puts_it_off_and_the_next_start_does_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await played(settings)
    await store.erase(Wanted(chat_ids=("a",)))
    await closed(store)

    def full(path: Settings) -> None:
        raise StoreFull("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(scrub, "rewrite", full)
        store = await opened(settings)
    assert any("could not be taken out of the files yet" in one for one in store.warnings)
    await store.execute(lambda state: stories.exchange("b", "b-1", 9, "The story goes on."))
    await closed(store)
    assert holding(settings, CANARY) != []
    store = await opened(settings)
    assert store.warnings == []
    await closed(store)
    assert holding(settings, CANARY) == []
    assert verify(settings) == []


def test_the_planted_word_can_be_found_at_all(tmp_path: Path, settings: Settings) -> None:
    settings.ensure_folders()
    (settings.media_dir / "x").write_bytes(b"\x00" + CANARY.encode())
    assert holding(settings, CANARY) == ["media/x"]
