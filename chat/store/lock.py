"""One server to a data folder: a lock of the operating system, which dies with its holder.

The file names the holder for the message only; it is never trusted, so a stale one blocks nobody.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from chat.errors import AlreadyRunning
from chat.store.access import files_translated


class FolderLock:
    """Held from creation to `release`. Raises AlreadyRunning, naming the other process."""

    def __init__(self, path: Path) -> None:
        with files_translated():
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._fd, 64).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise AlreadyRunning(
                f"Another server (process {holder}) has the stories in {path.parent} open."
            ) from None
        with suppress(OSError):  # a full disk takes the name, not the lock
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._fd)
