"""A small file beside the database that knows the last event, so that lost events are noticed.

Two slots are written in turn, each with its own checksum, so a torn write leaves the other one. Writing is plain
and happens after the commit; it is synced at checkpoints. The file may lag behind the log, never run ahead of it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

_SLOT_BYTES = 512
_SLOTS = 2


class Head(NamedTuple):
    """The id and hash of the last event."""

    id: int
    hash: bytes


class HeadFile:
    """Opened once by the writer's thread; `read` needs no open file."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._next_slot = 0
        slots = [_parse(os.pread(self._fd, _SLOT_BYTES, slot * _SLOT_BYTES)) for slot in range(_SLOTS)]
        ids = [head.id if head else -1 for head in slots]
        if max(ids) >= 0:
            self._next_slot = 1 - ids.index(max(ids))

    def write(self, head: Head) -> None:
        text = f"{head.id} {head.hash.hex()}"
        line = f"{text} {_checksum(text)}\n".encode().ljust(_SLOT_BYTES, b" ")
        os.pwrite(self._fd, line, self._next_slot * _SLOT_BYTES)
        self._next_slot = 1 - self._next_slot

    def sync(self) -> None:
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def read(path: Path) -> Head | None:
    """The newest head the file holds; None when there is no file or no whole slot in it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    heads = [_parse(content[at : at + _SLOT_BYTES]) for at in range(0, _SLOTS * _SLOT_BYTES, _SLOT_BYTES)]
    return max((head for head in heads if head), default=None)


def _parse(slot: bytes) -> Head | None:
    text, _, checksum = slot.decode("ascii", "replace").strip().rpartition(" ")
    if not text or checksum != _checksum(text):
        return None
    number, _, digest = text.partition(" ")
    return Head(int(number), bytes.fromhex(digest))


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
