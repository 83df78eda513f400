"""Folds a long log in a process of its own, which hands over portions of rows: one processor folds, another writes.

The process only reads, and only what is committed. Whatever goes wrong with it is no verdict about the log: then all of
it is folded by whoever asked.
"""

from __future__ import annotations

import fcntl
import gc
import io
import os
import select
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from chat.domain.records import Clear
from chat.store import connections, log, own_process, telling, undo
from chat.store.fingerprint import fingerprint
from chat.store.headfile import Head
from chat.store.rows import Buffer, Portion

APART_FROM_EVENTS = 20_000
"""Below this a process of its own takes longer to start than it saves."""
_COMMAND = "from chat.store.apart import main; main()"
_SILENT_MS = 60_000
"""A process that says nothing for so long is given up."""
_PIPE_BYTES = 1 << 20
_LENGTH = struct.Struct(">I")
_FILE = "select file from pragma_database_list where name = 'main'"
_NOTHING: Iterator[None] = iter(())
_OVER = object()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Portion).decode


class Unusable(Exception):
    """The other process has ended, or has not said what is needed."""


class OtherProcess:
    """Folds since it was started, the stories first."""

    def __init__(self, pipe: io.FileIO) -> None:
        self._pipe = pipe
        self._arrived = select.poll()
        self._arrived.register(pipe, select.POLLIN)

    def portions(self, meanwhile: Iterator[None] = _NOTHING) -> Iterator[Portion]:
        """What is to be written, in its order: first of the stories, the next time of the ledger. Raises Unusable.

        While nothing has arrived, `meanwhile` gets on.
        """
        while length := self._length(meanwhile):
            try:
                yield _decode(self._read(length))
            except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
                raise Unusable from problem

    def _length(self, meanwhile: Iterator[None]) -> int:
        while not self._arrived.poll(0) and next(meanwhile, _OVER) is not _OVER:
            pass
        length: int = _LENGTH.unpack(self._read(_LENGTH.size))[0]
        return length

    def _read(self, count: int) -> bytearray:
        content = bytearray(count)
        left = memoryview(content)
        while left:
            if not self._arrived.poll(_SILENT_MS):
                raise Unusable
            read = self._pipe.readinto(left)
            if not read:
                raise Unusable
            left = left[read:]
        return content


@contextmanager
def started(conn: sqlite3.Connection, folded_by: str, *, is_committed: bool) -> Iterator[OtherProcess | None]:
    """A process that folds the log of this database as it stands; None where that brings nothing."""
    process = _started(conn, folded_by) if is_committed and _pays(conn) else None
    if process is None:
        yield None
        return
    try:
        assert isinstance(process.stdout, io.FileIO)
        yield OtherProcess(process.stdout)
    finally:
        with process:  # which closes its pipe and waits for its end
            process.kill()  # does nothing to one that is through


def _pays(conn: sqlite3.Connection) -> bool:
    (path,) = conn.execute(_FILE).fetchone()
    return bool(path) and log.head(conn).id >= APART_FROM_EVENTS and _processors() > 1


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _started(conn: sqlite3.Connection, folded_by: str) -> subprocess.Popen[bytes] | None:
    """None where no process can be started."""
    (path,), head = conn.execute(_FILE).fetchone(), log.head(conn)
    asked = [path, str(head.id), head.hash.hex(), folded_by, str(undo.TAIL_EVENTS)]
    process = own_process.start(_COMMAND, *asked, stdin=subprocess.DEVNULL, bufsize=0)
    if process is None:
        return None
    with suppress(OSError, AttributeError):  # not every system has such a thing
        assert process.stdout
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def main() -> None:
    """In the other process."""
    path, head_id, head_hash, folded_by, tail_events = sys.argv[1:]
    gc.disable()
    if fingerprint() != folded_by:  # the program was changed since the other one was started
        return
    conn = connections.read_only(Path(path))
    conn.execute(f"pragma mmap_size = {own_process.MAPPED_BYTES}")
    conn.execute("begin")
    if log.head(conn) != Head(int(head_id), bytes.fromhex(head_hash)):
        return
    # Opened anew: where Python writes without a buffer, a process that is paused would write half and not the rest.
    with suppress(BrokenPipeError), open(sys.stdout.fileno(), "wb", closefd=False) as said:
        _tell(conn, _Telling(conn, said), int(tail_events))


def _tell(conn: sqlite3.Connection, told: _Telling, tail_events: int) -> None:
    library = telling.library(conn)
    telling.stories(conn, told, library, telling.tails(conn, library, tail_events))
    told.end()
    for _ in telling.ledger(conn, told):
        pass
    told.end()


class _Telling(Buffer):
    """A buffer whose portions are written by the one who asked."""

    def __init__(self, conn: sqlite3.Connection, said: BinaryIO) -> None:
        super().__init__(conn)
        self._said = said

    def end(self) -> None:
        """Of what is told in one go."""
        self._say(b"")

    def _write(self, portion: Portion) -> None:
        self._say(_encode(portion))

    def _say(self, content: bytes) -> None:
        self._said.write(_LENGTH.pack(len(content)))
        self._said.write(content)
        self._said.flush()

    def _clear(self, change: Clear) -> None:
        """Only who has all rows before it can say which ones these are."""
        self._write(self._portion())
        self._write(Portion(clears=[(change.table, change.values)]))
