"""A backup is one moment, tried out before it counts; links, full disks and wild clocks take nothing away."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from chat.clock import Clock
from chat.errors import BackupRunning, NotFound, Refused, StoreDamaged, StoreError, StoreFull
from chat.settings import Settings, load_settings
from chat.store import Store, backup, connections, log
from chat.store.backup_folder import Backup, BackupFolder
from chat.store.verify import verify
from tests.support import stories

REPOSITORY = Path(__file__).parents[2]
BACK_UP_AND_DIE = """
import os, signal, sys
from pathlib import Path
from chat.clock import Clock
from chat.settings import load_settings
from chat.store import backup

def tell(stage):
    if stage == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

backup.make(load_settings(data_dir=Path(sys.argv[1])), Clock(), "by-hand", tell)
"""


def files(settings: Settings) -> set[str]:
    return {path.name for path in settings.backups_dir.iterdir()} - {".lock"}


def left_over(settings: Settings) -> list[Path]:
    return [*settings.backups_dir.glob("*.part*"), *settings.data_dir.glob("*.work")]


def make(settings: Settings, reason: str = "by-hand", clock: Clock | None = None) -> Backup:
    return backup.make(settings, clock or Clock(), reason)


def manifest_of(settings: Settings, made: Backup) -> Path:
    return settings.backups_dir / f"{made.name}.json"


def database_of(settings: Settings, made: Backup) -> Path:
    return settings.backups_dir / f"{made.name}.db"


async def test_a_backup_beside_a_running_story_holds_everything_committed(
    told: Store, settings: Settings
) -> None:
    made = await asyncio.to_thread(make, settings)
    assert made.manifest
    assert made.is_verified
    assert (made.manifest.head_id, made.manifest.head_hash) == (told.head, told._live.head.hash.hex())
    assert (made.manifest.events, made.manifest.chats, made.manifest.bots) == (told.head, 2, 2)
    copy = sqlite3.connect(database_of(settings, made))
    assert copy.execute("select count(*) from turns").fetchone() == (8,)
    copy.close()
    assert {path.stat().st_mode & 0o777 for path in settings.backups_dir.iterdir()} == {0o600}
    assert left_over(settings) == []


async def test_every_backup_taken_while_turns_are_written_ends_with_a_whole_command(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    """TRUST 80: turns, and every few of them a rewind, which tells the rest on another branch."""
    whole, branch = {store.head}, "a-1"

    async def tell() -> None:
        nonlocal branch
        for step in range(1, 120, 2):
            if not step % 5:
                new = f"a-from-{step}"
                forked = stories.forked("a", new, branch, step - 2)
                whole.add((await store.execute(lambda state, events=forked: events)).head)
                branch = new
            said = stories.exchange("a", branch, step)
            whole.add((await store.execute(lambda state, events=said: events)).head)

    telling = asyncio.create_task(tell())
    made = []
    while not telling.done():
        made.append(await asyncio.to_thread(make, settings))
    await telling
    ends = {one.manifest.head_id for one in made if one.manifest}
    assert len(ends) > 1
    assert ends <= whole
    for one in made:
        alone = load_settings(data_dir=tmp_path / one.name)
        alone.ensure_folders()
        shutil.copy(database_of(settings, one), alone.db_path)
        found = [one for one in verify(alone) if "remembers the last event" not in one]
        assert found == [], "its tables are what its log says"


async def test_the_manifest_says_what_is_in_the_file_and_the_listing_says_the_newest_first(
    told: Store, settings: Settings
) -> None:
    """TRUST 83."""
    first = await asyncio.to_thread(make, settings)
    await told.execute(lambda state: stories.exchange("b", "b-1", 3))
    second = await asyncio.to_thread(make, settings, "daily")
    listed = backup.listing(settings)
    assert [one.name for one in listed] == [second.name, first.name]
    written = json.loads(manifest_of(settings, second).read_bytes())
    assert written["size"] == database_of(settings, second).stat().st_size
    assert (written["reason"], written["number"], written["verified"]) == ("daily", 2, True)


def test_nothing_is_backed_up_before_there_is_a_story(settings: Settings) -> None:
    with pytest.raises(Refused, match="no stories yet"):
        make(settings)
    assert backup.listing(settings) == []


async def test_a_changed_byte_in_the_log_is_found_and_nothing_gets_a_name(
    told: Store, settings: Settings
) -> None:
    """TRUST 83 and 84."""
    good = await asyncio.to_thread(make, settings)
    told._live.conn.execute("drop trigger event_log_never_changes")
    told._live.conn.execute(
        "update event_log set payload_json = replace(payload_json, 'lit', 'out') where id > 9"
    )
    before = files(settings)
    with pytest.raises(StoreDamaged, match="not kept, because it is not sound: Event 1"):
        await asyncio.to_thread(make, settings)
    assert files(settings) == before
    assert left_over(settings) == []
    kept = backup.make(settings, Clock(), "before-restore", even_if_damaged=True)
    assert not kept.is_verified
    assert backup.newest_good(settings) == good


async def test_a_full_disk_leaves_the_earlier_backup_and_no_file_under_a_final_name(
    told: Store, settings: Settings
) -> None:
    """TRUST 81."""
    good = await asyncio.to_thread(make, settings)
    before = files(settings)
    await told.execute(lambda state: stories.exchange("a", "a-1", 7, "Long winded. " * 20_000))
    await told.checkpoint()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(StoreFull) as refusal:
            make(settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "disk" in refusal.value.message
    assert files(settings) == before
    assert left_over(settings) == []
    assert backup.newest_good(settings) == good
    assert make(settings).is_verified


def test_too_little_room_is_said_before_anything_is_written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ensure_folders()
    settings.db_path.write_bytes(b"x" * 1000)
    monkeypatch.setattr(backup.shutil, "disk_usage", lambda path: os.terminal_size((0, 0)) and _Usage(100))
    with pytest.raises(StoreFull, match="less on the disk"):
        make(settings)
    assert files(settings) == set()


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


async def test_two_backups_at_once_are_one_and_a_refusal(told: Store, settings: Settings) -> None:
    settings.ensure_folders()
    with (
        BackupFolder(settings.backups_dir) as folder,
        folder.locked(),
        pytest.raises(BackupRunning, match="at this moment"),
    ):
        make(settings)
    assert make(settings).is_verified


@pytest.mark.parametrize("stage", ["copying", "trying it out", "keeping it", "naming it"])
async def test_a_kill_at_any_stage_leaves_the_earlier_backups_and_no_half_one(
    told: Store, settings: Settings, stage: str
) -> None:
    good = await asyncio.to_thread(make, settings)
    for _ in range(3):
        command = [sys.executable, "-c", BACK_UP_AND_DIE, str(settings.data_dir), stage]
        assert subprocess.run(command, cwd=REPOSITORY, check=False).returncode == -9
        assert backup.listing(settings) == [good]
    after = await asyncio.to_thread(make, settings)
    assert backup.listing(settings) == [after, good]
    assert left_over(settings) == []
    assert files(settings) == {f"{one.name}{ending}" for one in (good, after) for ending in (".db", ".json")}
    await told.execute(lambda state: stories.exchange("a", "a-1", 7))
    assert verify(settings) == []


async def test_fourteen_are_kept_and_files_of_others_are_left_alone(told: Store, settings: Settings) -> None:
    """TRUST 82."""
    settings.ensure_folders()
    foreign = settings.backups_dir / "from-my-old-machine.db"
    foreign.write_bytes(b"not ours")
    made = [make(settings) for _ in range(17)]
    listed = [one.name for one in backup.listing(settings)]
    assert listed == [*(one.name for one in reversed(made[3:])), "from-my-old-machine"]
    assert foreign.exists()


async def test_a_clock_years_ahead_takes_no_backup_away(told: Store, settings: Settings) -> None:
    """TRUST 82."""
    today = datetime(2026, 11, 20, 12, tzinfo=UTC)
    made = [make(settings, clock=Clock(now=lambda d=d: today + timedelta(days=d))) for d in range(12)]
    ahead = [make(settings, clock=Clock(now=lambda: today + timedelta(days=20_000))) for _ in range(2)]
    back = make(settings, clock=Clock(now=lambda: today + timedelta(days=13)))
    names = [one.name for one in backup.listing(settings)]
    assert names == [one.name for one in [back, *reversed(ahead), *reversed(made)]]


async def test_a_day_of_many_backups_takes_none_of_the_days_before_it(
    told: Store, settings: Settings
) -> None:
    first = datetime(2026, 11, 1, 12, tzinfo=UTC)
    daily = [make(settings, clock=Clock(now=lambda d=d: first + timedelta(days=d))) for d in range(16)]
    pressed = [make(settings, clock=Clock(now=lambda: first + timedelta(days=15))) for _ in range(17)]
    names = [one.name for one in backup.listing(settings)]
    assert names == [one.name for one in [*reversed(pressed[3:]), *reversed(daily[2:15])]]


async def test_the_last_verified_one_is_never_taken_away(told: Store, settings: Settings) -> None:
    """TRUST 82."""
    good = make(settings)
    told._live.conn.execute("drop trigger event_log_never_changes")
    told._live.conn.execute("update event_log set ts = '' where id = 5")
    for _ in range(16):
        backup.make(settings, Clock(), "before-0009_x", even_if_damaged=True)
    listed = backup.listing(settings)
    assert len(listed) == backup.KEPT + 1
    assert listed[-1] == good
    assert backup.newest_good(settings) == good


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd", "..%2f", "%2e%2e/", "/abs", "a\x00b", "x.db/../../y", "x" * 300, "", ".", "..",
        "a-folder", "a-pipe", "a-link", ".lock", "chat",
    ],
)  # fmt: skip
async def test_only_names_of_the_listing_lead_to_a_file(told: Store, settings: Settings, name: str) -> None:
    """TRUST 76."""
    made = make(settings)
    (settings.backups_dir / "a-folder.db").mkdir()
    os.mkfifo(settings.backups_dir / "a-pipe.db")
    (settings.backups_dir / "a-link.db").symlink_to(settings.db_path)
    assert [one.name for one in backup.listing(settings)] == [made.name]
    with BackupFolder(settings.backups_dir) as folder, pytest.raises(NotFound):
        folder.find(name)


async def test_a_link_put_in_the_place_of_a_listed_file_is_not_followed(
    told: Store, settings: Settings
) -> None:
    """TRUST 77."""
    made = make(settings)
    with BackupFolder(settings.backups_dir) as folder:
        found = folder.find(made.name)
        database_of(settings, made).unlink()
        database_of(settings, made).symlink_to(settings.db_path)
        with pytest.raises(NotFound), folder.opened(f"{found.name}.db"):
            pass
    manifest_of(settings, made).unlink()
    manifest_of(settings, made).symlink_to(settings.config_path)
    assert backup.listing(settings) == []


def test_a_folder_that_is_a_link_is_refused(settings: Settings, tmp_path: Path) -> None:
    """TRUST 77."""
    settings.ensure_folders()
    settings.backups_dir.rmdir()
    (tmp_path / "elsewhere").mkdir()
    settings.backups_dir.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="folder of backups"):
        backup.listing(settings)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"number": -1}', b"\xff\xfe", b"9" * 100_000, b'{"number": 1e400}', b"[" * 60_000],
)
async def test_a_manifest_that_cannot_be_read_makes_a_backup_a_foreign_file(
    told: Store, settings: Settings, content: bytes
) -> None:
    made = make(settings)
    manifest_of(settings, made).write_bytes(content)
    (listed,) = backup.listing(settings)
    assert (listed.name, listed.manifest, listed.is_verified) == (made.name, None, False)


async def test_a_file_of_another_size_than_its_manifest_says_is_not_called_verified(
    told: Store, settings: Settings
) -> None:
    made = make(settings)
    with database_of(settings, made).open("ab") as file:
        file.write(b"more")
    assert not backup.listing(settings)[0].is_verified
    assert backup.newest_good(settings) is None


async def test_an_open_umask_opens_nothing(told: Store, settings: Settings) -> None:
    """TRUST 88."""
    before = os.umask(0)
    try:
        made = make(settings)
    finally:
        os.umask(before)
    assert database_of(settings, made).stat().st_mode & 0o777 == 0o600
    assert manifest_of(settings, made).stat().st_mode & 0o777 == 0o600
    assert settings.backups_dir.stat().st_mode & 0o777 == 0o700


async def test_the_key_is_in_no_backup(told: Store, settings: Settings) -> None:
    settings.config_path.write_text(
        '[connection]\nbase_url = "http://127.0.0.1:1/v1"\napi_key = "sk-canary-1"\n'
    )
    made = make(settings)
    assert (
        b"sk-canary"
        not in database_of(settings, made).read_bytes() + manifest_of(settings, made).read_bytes()
    )


async def test_a_backup_is_one_file_that_needs_no_write_ahead_log(told: Store, settings: Settings) -> None:
    made = make(settings)
    conn = connections.read_only(database_of(settings, made))
    assert log.head(conn).id == told.head
    conn.close()
    assert {path.suffix for path in settings.backups_dir.iterdir()} <= {".db", ".json", ""}


def test_manifests_of_a_newer_program_with_more_fields_are_read(settings: Settings) -> None:
    known = backup.Manifest(
        1, "2026-01-01T00:00:00Z", "daily", "9.9", 1, "00", 1, 1, 1, 4, "00", verified=True
    )
    settings.ensure_folders()
    (settings.backups_dir / "newer.db").write_bytes(b"four")
    told_more = msgspec.to_builtins(known) | {"mood": "fine"}
    (settings.backups_dir / "newer.json").write_bytes(json.dumps(told_more).encode())
    assert backup.listing(settings)[0].manifest == known
