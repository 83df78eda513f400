"""Going back to a backup: all is there row by row, no foreign file is trusted, no kill leaves a half."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from chat.clock import Clock
from chat.errors import AlreadyRunning, EventsLost, NotFound, StoreDamaged
from chat.settings import Settings
from chat.store import Store, backup, headfile, restore, swap, views
from chat.store.backup_folder import Backup
from chat.store.headfile import Head
from chat.store.verify import verify
from tests.support import stories
from tests.support.restoring import play, rows

REPOSITORY = Path(__file__).parents[2]
RESTORE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from chat.clock import Clock
from chat.settings import load_settings
from chat.store import restore, swap

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

stage = sys.argv[3]
if stage.startswith("os."):
    count, real = int(stage.split(":")[1]), Path.replace
    def counted(self, target):
        global count
        if ".restoring" in str(self) or "restoring" in str(self) or "restoring" in str(target):
            count -= 1
            if count < 0:
                die()
        return real(self, target)
    Path.replace = counted
elif stage.startswith("swap."):
    setattr(swap, stage.removeprefix("swap."), die)

def tell(now):
    if now == stage:
        die()

restore.restore(load_settings(data_dir=Path(sys.argv[1])), Clock(), sys.argv[2], tell)
"""
STAGES = [
    "fetching the backup", "checking the backup", "comparing", "writing the stories anew", "backing up the present",
    "trying it out", "exchanging", "decided", "os.:0", "os.:1", "os.:2", "os.:3", "swap._take_place",
    "swap._write_head",
]  # fmt: skip


async def test_everything_comes_back_row_by_row_after_the_database_was_destroyed(
    settings: Settings, tmp_path: Path
) -> None:
    await play(settings, range(1, 9, 2))
    await play(settings, range(1, 3, 2), "b")
    before = rows(settings)
    made = await asyncio.to_thread(backup.make, settings, Clock(), "daily")
    await play(settings, range(9, 15, 2))
    settings.db_path.write_bytes(b"\xa5" * 30_000)
    with pytest.raises(StoreDamaged) as refusal:
        await Store.open(settings, Clock())
    assert f"chat restore {made.name}" in refusal.value.next_step
    done = await asyncio.to_thread(restore.restore, settings, Clock(), made.name)
    assert done.safety == ""
    assert rows(settings) == before
    assert verify(settings) == []
    old = settings.db_path.with_name(done.old_files)
    assert (old / "chat.db").read_bytes() == b"\xa5" * 30_000
    store = await Store.open(settings, Clock())
    assert (store.fault, store.warnings) == (None, [])
    await store.execute(lambda state: stories.exchange("a", "a-1", 9))
    await store.close()
    assert verify(settings) == []


async def test_a_database_that_is_gone_altogether_comes_back(settings: Settings, kept: Backup) -> None:
    for path in (settings.db_path, settings.head_path):
        path.unlink()
    done = await asyncio.to_thread(restore.restore, settings, Clock(), kept.name)
    assert (done.safety, done.old_files, done.preview.present) == ("", "", None)
    assert verify(settings) == []


async def test_going_back_says_what_comes_and_goes_and_can_itself_be_gone_back_from(
    settings: Settings, kept: Backup
) -> None:
    later = rows(settings)
    seen = await asyncio.to_thread(restore.preview, settings, kept.name)
    told = {change.chat_id: (change.title, change.gained, change.lost) for change in seen.chats}
    assert told == {"a": ("Chat a", 0, 6), "b": ("Chat b", 0, 2)}
    assert rows(settings) == later
    done = await asyncio.to_thread(restore.restore, settings, Clock(), kept.name)
    assert done.preview.chats == seen.chats
    assert verify(settings) == []
    back = await asyncio.to_thread(restore.restore, settings, Clock(), done.safety)
    assert {change.chat_id: (change.gained, change.lost) for change in back.preview.chats} == {
        "a": (6, 0), "b": (2, 0),
    }  # fmt: skip
    assert rows(settings) == later
    assert verify(settings) == []
    assert sorted(path.name for path in settings.data_dir.iterdir() if "work" in path.name) == []
    assert not settings.restoring_dir.exists()


async def test_unsent_words_survive_from_both_sides(settings: Settings) -> None:
    await play(settings, range(1, 3, 2))
    store = await Store.open(settings, Clock())
    await store.save_draft("composer:a", "an early thought")
    await store.save_draft("composer:b", "only in the backup")
    await store.close()
    made = await asyncio.to_thread(backup.make, settings, Clock(), "daily")
    store = await Store.open(settings, Clock())
    await store.save_draft("composer:a", "a later thought")
    await store.save_draft("composer:b", None)
    await store.execute(lambda state: stories.exchange("a", "a-1", 3))
    await store.close()
    await asyncio.to_thread(restore.restore, settings, Clock(), made.name)
    store = await Store.open(settings, Clock())
    async with store.reading() as reader:
        assert await views.draft(reader, "composer:a") == "a later thought"
        assert await views.draft(reader, "composer:b") == "only in the backup"
    await store.close()


@pytest.mark.parametrize("stage", STAGES)
async def test_a_kill_at_any_stage_leaves_the_old_stories_or_the_new_ones_whole(
    settings: Settings, kept: Backup, stage: str
) -> None:
    """TRUST 79."""
    later = rows(settings)
    for _ in range(2):
        command = [sys.executable, "-c", RESTORE_AND_DIE, str(settings.data_dir), kept.name, stage]
        assert subprocess.run(command, cwd=REPOSITORY, check=False).returncode == -9
        store = await Store.open(settings, Clock())
        assert (store.fault, store.warnings) == (None, [])
        await store.close()
        found = rows(settings)
        assert len(found["event_log"]) in (
            len(later["event_log"]),
            kept.manifest.events if kept.manifest else 0,
        )
        assert verify(settings) == []
        assert not settings.restoring_dir.exists()
        if len(found["event_log"]) == len(later["event_log"]):
            assert found == later
    await asyncio.to_thread(restore.restore, settings, Clock(), kept.name)
    assert verify(settings) == []
    assert not list(settings.data_dir.glob("*.work"))


async def test_the_write_ahead_log_of_the_old_stories_is_never_read_into_the_new_ones(
    settings: Settings, kept: Backup
) -> None:
    """A server was killed with everything still in its write-ahead log."""
    script = (
        "import asyncio, os, signal, sys\nfrom pathlib import Path\nfrom chat.clock import Clock\n"
        "from chat.settings import load_settings\nfrom chat.store import Store\nfrom tests.support import stories\n"
        "async def go():\n"
        "    store = await Store.open(load_settings(data_dir=Path(sys.argv[1])), Clock())\n"
        "    await store.execute(lambda state: stories.exchange('a', 'a-1', 11))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(go())\n"
    )
    command = [sys.executable, "-c", script, str(settings.data_dir)]
    assert subprocess.run(command, cwd=REPOSITORY, check=False).returncode == -9
    assert settings.db_path.with_name("chat.db-wal").stat().st_size
    done = await asyncio.to_thread(restore.restore, settings, Clock(), kept.name)
    assert done.safety
    assert verify(settings) == []
    (safe,) = (one for one in backup.listing(settings) if one.name == done.safety)
    assert safe.manifest
    assert kept.manifest
    assert safe.manifest.events > kept.manifest.events
    assert headfile.read(settings.head_path) == Head(
        kept.manifest.head_id, bytes.fromhex(kept.manifest.head_hash)
    )


async def test_it_is_refused_while_a_server_has_the_stories_open(settings: Settings, kept: Backup) -> None:
    store = await Store.open(settings, Clock())
    with pytest.raises(AlreadyRunning):
        await asyncio.to_thread(restore.restore, settings, Clock(), kept.name)
    await store.close()


async def test_the_store_exchanges_in_place_and_old_connections_are_not_lent_again(
    settings: Settings, kept: Backup
) -> None:
    store = await Store.open(settings, Clock())

    async def turns() -> int:
        async with store.reading() as reader:
            slow = len((await views.transcript(reader, store.library, "a")).turns)
        at_once = await store.read(lambda reader: views.transcript(reader, store.library, "a"))
        assert slow == len(at_once.turns)
        return slow

    assert await turns() == 10
    seen = await asyncio.to_thread(restore.prepare, settings, Clock(), kept.name)
    done = await store.exchange(lambda: restore.exchange(settings, Clock(), seen))
    assert await turns() == 4
    assert kept.manifest
    assert store.head == kept.manifest.head_id
    await store.execute(lambda state: stories.exchange("a", "a-1", 5))
    assert await turns() == 6
    await store.close()
    assert done.safety
    assert verify(settings) == []


async def test_an_exchange_that_fails_leaves_the_store_as_it_was(settings: Settings, kept: Backup) -> None:
    store = await Store.open(settings, Clock())
    head = store.head

    def fail() -> None:
        raise StoreDamaged("Something in the middle.")

    with pytest.raises(StoreDamaged, match="in the middle"):
        await store.exchange(fail)
    assert (store.head, store.fault) == (head, None)
    await store.execute(lambda state: stories.exchange("a", "a-1", 11))
    await store.close()
    assert verify(settings) == []


async def test_stories_whose_end_is_lost_are_kept_as_files_and_no_backup_of_them_is_called_good(
    settings: Settings, kept: Backup
) -> None:
    head = headfile.read(settings.head_path)
    assert head
    file = headfile.HeadFile(settings.head_path)
    file.write(Head(head.id + 9, bytes(32)))
    file.close()
    with pytest.raises(StoreDamaged, match="Events of your stories are gone"):
        await asyncio.to_thread(backup.make, settings, Clock(), "by-hand")
    assert backup.newest_good(settings) == kept
    store = await Store.open(settings, Clock())
    assert isinstance(store.fault, EventsLost)
    assert f"chat restore {kept.name}" in store.fault.next_step
    await store.close()
    done = await asyncio.to_thread(restore.restore, settings, Clock(), kept.name)
    old = settings.db_path.with_name(done.old_files)
    assert {path.name for path in old.iterdir()} >= {"chat.db", "head"}
    store = await Store.open(settings, Clock())
    assert store.fault is None
    await store.close()
    assert verify(settings) == []


async def test_a_restore_of_what_is_not_there_is_refused(settings: Settings, kept: Backup) -> None:
    for name in ("nothing", "../chat", f"{kept.name}.json", ""):
        with pytest.raises(NotFound):
            await asyncio.to_thread(restore.restore, settings, Clock(), name)
    assert not settings.restoring_dir.exists()


async def test_rubbish_in_the_place_of_a_prepared_database_is_cleared_up(
    settings: Settings, kept: Backup
) -> None:
    later = rows(settings)
    swap.begin(settings).write_bytes(b"half a database")
    store = await Store.open(settings, Clock())
    await store.close()
    assert not settings.restoring_dir.exists()
    assert rows(settings) == later
