"""Puts a copy of our own database back to a scratch file and examines that, a large one in a process of its own.

Following the chain of a long log is work for the interpreter, which runs one thread at a time: beside it every turn
would wait. The pages are checked at the same time. Nothing is written but the scratch file.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from chat.errors import StoreDamaged
from chat.store import foreign, own_process
from chat.store.foreign import Facts
from chat.store.put_back import put_back

APART_FROM_BYTES = 20_000_000
"""Below this a process of its own takes longer to start than the work itself."""
PATIENCE_S = 30.0
"""How long a trial may take, and as long again for each gigabyte. It takes a tenth of that where nothing else runs."""
_GIGABYTE = 1_000_000_000
_COMMAND = "from chat.store.trial import main; main()"


class Tried(msgspec.Struct):
    """What was put back, and the facts found in it or what is wrong with it."""

    size: int
    sha256: str
    facts: Facts | None = None
    message: str = ""
    next_step: str = ""

    def must_be_whole(self) -> Facts:
        """Raise StoreDamaged with the first thing wrong."""
        if self.facts is None:
            raise StoreDamaged(self.message, self.next_step)
        return self.facts


class Trial:
    """Ready to try out one file."""

    def __init__(
        self, source: io.FileIO, process: subprocess.Popen[bytes] | None, patience_s: float = PATIENCE_S
    ) -> None:
        self._source, self._process, self._patience_s = source, process, patience_s

    def begin(self, scratch: Path) -> None:
        """Let the other process copy the file to this place, which is still free, and examine it there."""
        if self._process is None or self._process.stdin is None:
            return
        # One that was ended is noticed when it has to answer.
        with suppress(OSError), self._process.stdin as asked:
            asked.write(os.fsencode(scratch))
        self._process.stdin = None

    def found(self, scratch: Path) -> Tried:
        """What came of it; without another process, or when that one gets nowhere, it is done now."""
        if self._process is not None:
            try:
                said, _ = self._process.communicate(timeout=self._patience_s)
                return msgspec.json.decode(said, type=Tried)
            except (OSError, msgspec.MsgspecError, subprocess.TimeoutExpired):
                # It was ended, met what is better told from here, as a full disk, or others want every processor.
                self._process.kill()
                self._process.wait()  # until then it could write to the scratch file
            scratch.unlink(missing_ok=True)
            self._source.seek(0)
        return _try(self._source, scratch, apart=False)


@contextmanager
def ready(source: io.FileIO, size: int) -> Iterator[Trial]:
    """For a file of about this size. A process for a large one is started now, while the file is still being made."""
    process = _started(source) if size >= APART_FROM_BYTES else None
    try:
        yield Trial(source, process, PATIENCE_S * (1 + size / _GIGABYTE))
    finally:
        if process is not None:
            with process:  # which closes its pipes and waits for its end
                process.kill()  # does nothing to one that is through


def main() -> None:
    """In the other process: the file is open already; the place to put it back to comes on standard input."""
    scratch = os.fsdecode(sys.stdin.buffer.read())
    if scratch:
        with os.fdopen(int(sys.argv[1]), "rb", buffering=0) as source:
            tried = _try(source, Path(scratch), apart=True)
        sys.stdout.buffer.write(msgspec.json.encode(tried))


def _try(source: io.FileIO, scratch: Path, *, apart: bool) -> Tried:
    size, sha256 = put_back(source, scratch, sparing=apart)
    try:
        return Tried(size, sha256, _examine(scratch, own_process.MAPPED_BYTES if apart else 0))
    except StoreDamaged as problem:
        return Tried(size, sha256, None, problem.message, problem.next_step)


def _examine(path: Path, mapped_bytes: int) -> Facts:
    """The pages in one thread and the chain in another. What is wrong with a page says more than what follows of it."""
    with (
        foreign.opened(path) as conn,
        foreign.opened(path) as other,
        ThreadPoolExecutor(1) as beside,
    ):
        for one in (conn, other):
            one.execute(f"pragma mmap_size = {mapped_bytes}")
        foreign.must_be_ours(conn)
        pages = beside.submit(foreign.must_be_sound, other, "")
        try:
            foreign.must_be_chained(conn)
        finally:
            pages.result()
        return foreign.count(conn)


def _started(source: io.FileIO) -> subprocess.Popen[bytes] | None:
    """None where no process can be started. It gets only the time that nobody else wants."""
    number = source.fileno()
    process = own_process.start(_COMMAND, str(number), pass_fds=[number], stdin=subprocess.PIPE)
    if process is None:
        return None
    with suppress(OSError, AttributeError):  # not every system has such a thing
        os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
    return process
