"""Finds pages of a SQLite file by what lies on them, and writes rubbish over one, as a failing disk does."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

_INTERIOR = (2, 5)
_HEADER_BYTES = 100


def page_size(path: Path) -> int:
    size = int.from_bytes(path.read_bytes()[16:18], "big")
    return 65_536 if size == 1 else size


def root_of(path: Path, name: str) -> int:
    """The root page of a table or index."""
    conn = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        root: int = conn.execute("select rootpage from sqlite_master where name = ?", (name,)).fetchone()[0]
        return root
    finally:
        conn.close()


def leaves_of(path: Path, name: str) -> list[int]:
    """The leaf pages of a table or index, in the order of its keys."""
    return list(_leaves(path.read_bytes(), page_size(path), root_of(path, name)))


def first_free(path: Path) -> int:
    """The first page of the list of free ones, 0 when there is none."""
    return int.from_bytes(path.read_bytes()[32:36], "big")


def spoil(path: Path, page: int) -> None:
    """Random bytes over the whole page; the file keeps its size."""
    size = page_size(path)
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(random.Random(page).randbytes(size))


def _leaves(content: bytes, size: int, number: int) -> Iterator[int]:
    at = (number - 1) * size
    page = content[at : at + size]
    header = page[_HEADER_BYTES if number == 1 else 0 :]
    if header[0] not in _INTERIOR:
        yield number
        return
    cells = int.from_bytes(header[3:5], "big")
    for index in range(cells):
        cell = int.from_bytes(header[12 + 2 * index : 14 + 2 * index], "big")
        yield from _leaves(content, size, int.from_bytes(page[cell : cell + 4], "big"))
    yield from _leaves(content, size, int.from_bytes(header[8:12], "big"))
