"""Whether the files of the stories can be written to, and what the operating system says about a file in our words.

It only asks: nothing is created or changed to find out.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from chat.errors import StoreError, StoreFull, StoreReadOnly
from chat.settings import Settings

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_ALLOWED = (errno.EROFS, errno.EACCES, errno.EPERM)
_BESIDE = ("", "-wal", "-shm")
_LOG_HEADER_BYTES = 32


def obstacle(settings: Settings) -> StoreReadOnly | None:
    """Why the stories can be read and not be written to, or None."""
    database = settings.db_path
    for folder in dict.fromkeys((database.parent, settings.data_dir)):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            return StoreReadOnly(f"The data folder {folder} cannot be written to.")
    files = [database.with_name(database.name + ending) for ending in _BESIDE]
    for file in (*files, settings.head_path, settings.lock_path):
        if file.exists() and not os.access(file, os.W_OK):
            return StoreReadOnly(f"The file {file} cannot be written to.")
    return None


def is_sealed(settings: Settings) -> bool:
    """The database is one whole file, with nothing beside it that would have to be read too.

    A write-ahead log that has only its header is what a kill leaves in the first write after a checkpoint. Nothing is
    in it, and who may not write can read it only sealed: SQLite tries for ten seconds and gives up (SQLITE_PROTOCOL).
    """
    log = settings.db_path.with_name(f"{settings.db_path.name}-wal")
    return not log.exists() or log.stat().st_size <= _LOG_HEADER_BYTES


@contextmanager
def files_translated() -> Iterator[None]:
    """What the operating system refuses becomes the store's own errors."""
    try:
        yield
    except OSError as problem:
        if problem.errno in _NO_ROOM:
            raise StoreFull("The disk is full, so the file could not be written.") from problem
        if problem.errno in _NOT_ALLOWED:
            raise StoreReadOnly(f"A file could not be written: {problem.strerror}.") from problem
        raise StoreError(f"A file could not be read or written: {problem.strerror}.") from problem
