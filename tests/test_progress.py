"""`chat verify` and `chat rebuild` show on a terminal how far they are, and say nothing of it anywhere else."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from chat.clock import Clock
from chat.settings import Settings, load_settings
from chat.store import progress, telling
from chat.store.maintenance import rebuild_all
from chat.store.verify import verify
from tests.support.restoring import play
from tests.support.server import CHAT

SAYS = {"verify": "All is well", "rebuild": "Rebuilt every table"}
STAGES = {
    "verify": ["Copying the database", "Checking the chain", "Telling the log again", "Comparing every row"],
    "rebuild": ["Writing the tables from the log", "Writing the search index"],
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two chats that were played."""
    found = load_settings(data_dir=tmp_path / "data")
    asyncio.run(play(found, range(1, 21, 2)))
    asyncio.run(play(found, range(1, 7, 2), "b"))
    return found


def _asked(settings: Settings, command: str) -> list[str]:
    return [*CHAT, command, "--data-dir", str(settings.data_dir)]


def _all_of(terminal: int) -> str:
    said = b""
    try:
        while some := os.read(terminal, 65_536):
            said += some
    except OSError:  # how Linux says that nobody has the other end any more
        pass
    return said.decode()


@pytest.mark.parametrize("command", SAYS)
def test_a_terminal_is_shown_a_bar_that_is_gone_in_the_end(settings: Settings, command: str) -> None:
    ours, theirs = pty.openpty()
    running = subprocess.Popen(_asked(settings, command), stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = _all_of(ours)
    os.close(ours)
    told, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert SAYS[command] in told.decode()
    lines = shown.split("\r\x1b[K")
    assert lines[0] == lines[-1] == ""
    assert all(re.fullmatch(r"  [#.]{24} +\d+%  [A-Z][a-z ]+", line) for line in lines[1:-1])
    at = [next(n for n, line in enumerate(lines) if line.endswith(stage)) for stage in STAGES[command]]
    assert at == sorted(at)


@pytest.mark.parametrize("command", SAYS)
def test_a_pipe_gets_no_bar(settings: Settings, command: str) -> None:
    done = subprocess.run(_asked(settings, command), capture_output=True, timeout=60, check=True)
    assert (done.stderr, "%" in done.stdout.decode()) == (b"", False)
    assert SAYS[command] in done.stdout.decode()


@pytest.mark.parametrize("command", SAYS)
def test_a_bar_follows_the_log_and_not_only_the_stages(
    settings: Settings, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 10)
    monkeypatch.setattr(telling, "_FLUSH_AT", 5)
    told: dict[str, list[float]] = {}

    def note(what: str, share: float) -> None:
        told.setdefault(what, []).append(share)

    if command == "verify":
        assert verify(settings, note) == []
    else:
        rebuild_all(settings, Clock(), note)
    along = ["Checking the chain", "Telling the log again"] if command == "verify" else STAGES["rebuild"][:1]
    for what in along:
        assert len(set(told[what])) > 3
        assert told[what] == sorted(told[what])
        assert told[what][0] == 0
        assert 0.5 < told[what][-1] <= 1
