"""The text of a reply that is being written, kept in a file outside the log so that a kill loses little of it.

Plain appends: how often is the caller's decision. The log gets the text once, when the reply has ended.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from chat.errors import NotFound
from chat.observe import get_logger

log = get_logger(__name__)
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_SUFFIX = ".txt"


class ReplyJournal:
    """One reply's file. Opened by the first `append`, gone after `remove`."""

    def __init__(self, folder: Path, turn_id: str) -> None:
        if not _ID.fullmatch(turn_id):
            raise NotFound("There is no such turn.")
        self._path = folder / f"{turn_id}{_SUFFIX}"
        self._fd: int | None = None
        self.is_unreadable = False
        """The last `read` failed: there may be words in it."""

    def append(self, text: str) -> None:
        """Add text, all of it or nothing. What no file can hold (half an emoji) is kept as a question mark."""
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        data = text.encode("utf-8", "replace")
        end = os.lseek(self._fd, 0, os.SEEK_END)
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            os.ftruncate(self._fd, end)
            raise

    def read(self) -> str:
        """The text so far; empty when there is none. A character torn by a kill is left out.

        A file that cannot be read now counts as empty, and `remove` leaves it where it is.
        """
        try:
            return self._path.read_bytes().decode("utf-8", "ignore")
        except FileNotFoundError:
            return ""
        except OSError as problem:
            self.is_unreadable = True
            log.error("reply_journal_unreadable", turn_id=self._path.stem, error_type=type(problem).__name__)
            return ""

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def remove(self) -> None:
        self.close()
        if not self.is_unreadable:
            self._path.unlink(missing_ok=True)


def journals(folder: Path) -> list[str]:
    """The turns that have unfinished text, oldest first."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))
