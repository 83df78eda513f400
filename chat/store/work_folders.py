"""Folders for one piece of work, gone with it: copies of the stories to check, to try out, to go back to.

Whoever works in one holds it, so nobody takes it away meanwhile; one that a kill left behind is held by nobody. They
hold story text, so deleting for good is not done before each is gone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chat.settings import Settings

_ENDING = ".work"
_OLDER = "verify-*"
"""What earlier versions of the program called some of them."""


@contextmanager
def work_folder(settings: Settings, what: str) -> Iterator[Path]:
    """A folder that is held until it goes. What an earlier one left behind goes first."""
    sweep(settings, what)
    folder, held = _begun(settings, what)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def sweep(settings: Settings, what: str = "") -> None:
    """Take away what kills left behind, all of it or what was for one purpose."""
    for folder in _folders(settings, what):
        held = _hold(folder)
        if held is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def in_use(settings: Settings) -> bool:
    """True while somebody works in one, in this process or another."""
    for folder in _folders(settings):
        held = _hold(folder)
        if held is None and folder.exists():
            return True
        if held is not None:
            os.close(held)
    return False


def _folders(settings: Settings, what: str = "") -> list[Path]:
    if what:
        return sorted(settings.data_dir.glob(f"{what}-*{_ENDING}"))
    return sorted({*settings.data_dir.glob(f"*{_ENDING}"), *settings.data_dir.glob(_OLDER)})


def _begun(settings: Settings, what: str) -> tuple[Path, int]:
    """A sweep may take it away before it is held; then another is made."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{what}-", suffix=_ENDING, dir=settings.data_dir))
        held = _hold(folder)
        if held is not None:
            if folder.exists():
                return folder, held
            os.close(held)
        shutil.rmtree(folder, ignore_errors=True)


def _hold(folder: Path) -> int | None:
    """None for one that somebody holds, or that is gone."""
    with suppress(FileNotFoundError):
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
            return None
        return held
    return None
