"""Copies a file that was put aside back to a private place, and says what it is by size and SHA-256 on the way."""

from __future__ import annotations

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

_CHUNK = 1 << 20


def put_back(source: io.FileIO, target: Path, *, sparing: bool = False) -> tuple[int, str]:
    """Copy all of it to a new file, whose owner alone may read it; its size and SHA-256.

    `sparing` takes one processor and not two, and tells the system that nobody will read the source again soon: then
    it needs not push out of memory what the running program reads.
    """
    digest, size, buffer = hashlib.sha256(), 0, memoryview(bytearray(_CHUNK))
    with target.open("xb", buffering=0) as copy, ThreadPoolExecutor(1) as beside:
        os.fchmod(copy.fileno(), 0o600)
        while count := source.readinto(buffer):
            piece = buffer[:count]
            hashing = None if sparing else beside.submit(digest.update, piece)
            _copy(source.fileno(), size, copy, piece)
            if hashing is None:
                digest.update(piece)
                _let_go(source.fileno(), size, count)
            else:
                hashing.result()
            size += count
    if sparing:
        _let_go(source.fileno(), 0, size)  # also what was not on the disk yet when its turn came
    return size, digest.hexdigest()


def _copy(source: int, start: int, target: io.FileIO, piece: memoryview) -> None:
    """By the system itself where it can: that takes the memory of a page that was just let go for the next one."""
    done = 0
    with suppress(OSError, AttributeError):  # not every disk and system can
        while done < len(piece):
            moved = os.copy_file_range(source, target.fileno(), len(piece) - done, start + done)
            if not moved:
                break
            done += moved
    while done < len(piece):
        done += target.write(piece[done:])


def _let_go(file: int, start: int, count: int) -> None:
    with suppress(OSError, AttributeError):  # not every system can be told
        os.posix_fadvise(file, start, count, os.POSIX_FADV_DONTNEED)
