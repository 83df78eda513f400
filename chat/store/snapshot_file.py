"""One snapshot: the rows of one chat on one line at one event, in a file of plain data with its checksum.

It holds story text, so it is readable by its owner only. A file that is damaged, of another database, of another
program or of an event that is not in the log is never used; the log alone says what is true.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from chat.domain.lineage import Lineage
from chat.domain.records import Row
from chat.domain.tables import PER_CHAT, TABLES

FORMAT = 1
UNDO = "undo_rows"
"""Beside the mirrored tables: what stood there before, so that going back a little from there is near again."""
_MAGIC = b"chat snapshot\n"
_LENGTH_BYTES = 8
_HEADER_MOST_BYTES = 4_000_000
_DIGEST_BYTES = 32
_CHUNK_ROWS = 500
_READ_BYTES = 1 << 20
_LEVEL = 1
"""Of compression: most of the gain for the least time."""

Chunk = tuple[str, list[Row]]
"""A table and some of its rows, in their order."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, list[list[Any]]]).decode


class UnusableSnapshot(Exception):
    """The file is no whole snapshot of this format; says why in a few words without any text of it."""


class Header(msgspec.Struct, frozen=True):
    """What a snapshot is of: a chat on a line, as it was right after an event, by the program that folded it."""

    format: int
    fingerprint: str
    chat_id: str
    head_id: int
    head_hash: str
    line: Lineage
    counts: dict[str, int]
    columns: dict[str, tuple[str, ...]]

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


def columns() -> dict[str, tuple[str, ...]]:
    """Every table a snapshot holds, with its columns."""
    return {UNDO: ("first_event_id", "images")} | {
        table: TABLES[table].__struct_fields__ for table in PER_CHAT
    }


def write(path: Path, header: Header, chunks: Iterable[Chunk]) -> None:
    """Write a snapshot beside its place and rename it, so that a kill leaves none or a whole one."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _write(file, header, chunks)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_header(path: Path) -> Header:
    """What the file says it is; not checked any further. Raises UnusableSnapshot, OSError."""
    with path.open("rb") as file:
        return _header(file)


def read(path: Path) -> Iterator[Chunk]:
    """The rows of a snapshot, after its whole content was held against its checksum. Raises UnusableSnapshot."""
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size - _DIGEST_BYTES
        if end < 0 or _digest(file, end) != _last(file, end):
            raise UnusableSnapshot("its checksum is not right")
        file.seek(0)
        header = _header(file)
        found = 0
        while file.tell() < end:
            table, rows = _chunk(file)
            found += len(rows)
            yield table, [tuple(row) for row in rows]
        if found != header.rows:
            raise UnusableSnapshot("it has not all its rows")


def _write(file: BinaryIO, header: Header, chunks: Iterable[Chunk]) -> None:
    digest = hashlib.sha256()

    def put(content: bytes) -> None:
        digest.update(content)
        file.write(content)

    told = msgspec.json.encode(header)
    put(_MAGIC + len(told).to_bytes(_LENGTH_BYTES) + told)
    for table, rows in chunks:
        for at in range(0, len(rows), _CHUNK_ROWS):
            packed = zlib.compress(_encode((table, rows[at : at + _CHUNK_ROWS])), _LEVEL)
            put(len(packed).to_bytes(_LENGTH_BYTES) + packed)
    file.write(digest.digest())


def _header(file: BinaryIO) -> Header:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise UnusableSnapshot("it is no snapshot")
    length = int.from_bytes(file.read(_LENGTH_BYTES))
    try:
        header = msgspec.json.decode(file.read(min(length, _HEADER_MOST_BYTES)), type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UnusableSnapshot("its beginning cannot be read") from None
    if header.format != FORMAT or header.columns != columns():
        raise UnusableSnapshot("it has the format of another program")
    return header


def _chunk(file: BinaryIO) -> tuple[str, list[list[Any]]]:
    length = int.from_bytes(file.read(_LENGTH_BYTES))
    try:
        table, rows = _decode(zlib.decompress(file.read(length)))
    except (msgspec.MsgspecError, zlib.error, MemoryError, OverflowError):
        raise UnusableSnapshot("its rows cannot be read") from None
    known = columns().get(table, ())
    if not known or any(len(row) != len(known) for row in rows):
        raise UnusableSnapshot("it has rows of no known table")
    return table, rows


def _digest(file: BinaryIO, end: int) -> bytes:
    digest = hashlib.sha256()
    file.seek(0)
    while (left := end - file.tell()) > 0:
        content = file.read(min(left, _READ_BYTES))
        if not content:
            break
        digest.update(content)
    return digest.digest()


def _last(file: BinaryIO, end: int) -> bytes:
    file.seek(end)
    return file.read(_DIGEST_BYTES)
