"""The text of a running reply survives a kill in a file of its own."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from chat.errors import NotFound
from chat.settings import Settings
from chat.store import Store
from chat.store.journal import ReplyJournal


def test_text_is_there_as_soon_as_it_was_appended(tmp_path: Path) -> None:
    journal = ReplyJournal(tmp_path, "01ABC")
    assert journal.read() == ""
    journal.append("The lamp ")
    journal.append("flickers 🦊.")
    assert ReplyJournal(tmp_path, "01ABC").read() == "The lamp flickers 🦊."
    assert (tmp_path / "01ABC.txt").stat().st_mode & 0o777 == 0o600
    journal.remove()
    journal.remove()
    assert journal.read() == ""


def test_a_character_torn_by_a_kill_is_left_out(tmp_path: Path) -> None:
    journal = ReplyJournal(tmp_path, "01ABC")
    journal.append("a fox 🦊")
    journal.close()
    path = tmp_path / "01ABC.txt"
    path.write_bytes(path.read_bytes()[:-2])
    assert journal.read() == "a fox "


def test_half_an_emoji_does_not_stop_a_reply(tmp_path: Path) -> None:
    journal = ReplyJournal(tmp_path, "01ABC")
    journal.append("half \ud83e then on")
    journal.close()
    assert journal.read() == "half ? then on"


@pytest.mark.parametrize("turn_id", ["", "../head", "a/b", "a\x00b", "x" * 65, "."])
def test_a_name_that_is_no_id_reaches_no_file(tmp_path: Path, turn_id: str) -> None:
    with pytest.raises(NotFound):
        ReplyJournal(tmp_path, turn_id)


async def test_the_store_lists_what_was_being_written(store: Store, settings: Settings) -> None:
    assert store.journals() == []
    for turn_id in ("01B", "01A"):
        journal = store.reply_journal(turn_id)
        journal.append("text")
        journal.close()
    assert store.journals() == ["01A", "01B"]
    store.reply_journal("01A").remove()
    assert store.journals() == ["01B"]


def test_text_that_a_full_disk_cut_off_is_not_there_twice_when_it_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, write = ReplyJournal(tmp_path, "01ABC"), os.write
    journal.append("The lamp ")
    left = iter([4])

    def full(fd: int, data: bytes) -> int:
        if (room := next(left, None)) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data[:room])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            journal.append("flickers.")
    assert journal.read() == "The lamp "
    journal.append("flickers.")
    assert journal.read() == "The lamp flickers."
