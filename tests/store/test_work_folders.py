"""Folders for one piece of work: held while somebody works there, swept when a kill left them behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chat.settings import Settings
from chat.store import Store, verify, work_folders
from chat.store.work_folders import work_folder
from tests.support import stories

HOLDS = """
import sys
from chat.settings import load_settings
from chat.store.work_folders import work_folder
with work_folder(load_settings(data_dir=sys.argv[1]), "verify") as folder:
    print(folder, flush=True)
    sys.stdin.readline()
"""


def left_behind(settings: Settings, name: str) -> Path:
    folder = settings.data_dir / name
    folder.mkdir(parents=True)
    (folder / "copy.db").write_text("words")
    return folder


def test_what_a_kill_left_is_swept_and_what_somebody_works_in_is_not(settings: Settings) -> None:
    left = [left_behind(settings, name) for name in ("verify-1", "verify-2.work", "backup-3.work")]
    with work_folder(settings, "restore") as mine:
        assert work_folders.in_use(settings)
        work_folders.sweep(settings, "backup")
        assert [one.exists() for one in left] == [True, True, False]
        work_folders.sweep(settings)
        assert [one.exists() for one in (*left, mine)] == [False, False, False, True]
    assert not mine.exists()
    assert not work_folders.in_use(settings)


def test_a_folder_of_another_process_is_held_until_that_process_is_dead(settings: Settings) -> None:
    settings.ensure_folders()
    command = [sys.executable, "-c", HOLDS, str(settings.data_dir)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as other:
        assert other.stdout
        folder = Path(other.stdout.readline().strip())
        work_folders.sweep(settings)
        assert (folder.exists(), work_folders.in_use(settings)) == (True, True)
        other.kill()
        other.wait()
        assert (folder.exists(), work_folders.in_use(settings)) == (True, False)
        work_folders.sweep(settings)
        assert not folder.exists()


async def test_a_check_finds_nothing_wrong_while_somebody_sweeps(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.execute(lambda state: [*stories.cast(), *stories.chat("a")])
    copied = verify._copy

    def swept_after(source: Path, target: Path) -> None:
        copied(source, target)
        work_folders.sweep(settings)

    monkeypatch.setattr(verify, "_copy", swept_after)
    assert verify.verify(settings) == []
    assert not list(settings.data_dir.glob("verify-*"))
