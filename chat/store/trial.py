"""Examines a copy of our own database in full, a large one in a process of its own, so that the story keeps its pace.

Following the chain of a long log is work for the interpreter, which runs one thread at a time: beside it every turn
would wait. The pages are checked at the same time. It reads the one file it is given and writes nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

import chat
from chat.errors import StoreDamaged
from chat.store import foreign
from chat.store.foreign import Facts

APART_FROM_BYTES = 20_000_000
"""Below this a process of its own takes longer to start than the work itself."""
_COMMAND = "from chat.store.trial import main; main()"
_NICER = 5
_MAPPED_BYTES = 1 << 40
"""As much as the library allows. Only in the other process: a disk that cannot be read ends who has mapped a file."""


class _Found(msgspec.Struct):
    """What the other process says: facts, or what is wrong."""

    facts: Facts | None = None
    message: str = ""
    next_step: str = ""


class Trial:
    """Ready to examine one file."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process

    def examine(self, path: Path) -> Facts:
        """Every page and every event of it. Raises StoreDamaged with the first thing wrong."""
        try:
            found = self._apart(path)
        except (OSError, msgspec.MsgspecError):  # the process was ended
            found = None
        if found is None:
            return _examine(path)
        if found.facts is None:
            raise StoreDamaged(found.message, found.next_step)
        return found.facts

    def _apart(self, path: Path) -> _Found | None:
        if self._process is None:
            return None
        said, _ = self._process.communicate(os.fsencode(path))
        return msgspec.json.decode(said, type=_Found)


@contextmanager
def ready(size: int) -> Iterator[Trial]:
    """For a file of about this size. A process for a large one is started now, while the file is still being made."""
    process = _started() if size >= APART_FROM_BYTES else None
    try:
        yield Trial(process)
    finally:
        if process is not None:
            process.kill()  # does nothing to one that is through
            process.communicate()


def main() -> None:
    """In the other process: the path of the file comes on standard input, what was found goes to standard output."""
    os.nice(_NICER)
    path = Path(os.fsdecode(sys.stdin.buffer.read()))
    if path == Path():
        return  # there is nothing to examine after all
    try:
        found = _Found(_examine(path, mapped_bytes=_MAPPED_BYTES))
    except StoreDamaged as problem:
        found = _Found(None, problem.message, problem.next_step)
    sys.stdout.buffer.write(msgspec.json.encode(found))


def _examine(path: Path, mapped_bytes: int = 0) -> Facts:
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


def _started() -> subprocess.Popen[bytes] | None:
    """None where no process can be started."""
    home = str(Path(chat.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH", ""))))
    try:
        return subprocess.Popen(
            [sys.executable, "-c", _COMMAND],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
