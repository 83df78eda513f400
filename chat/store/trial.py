"""Examines a large copy of the database in a process of its own, so that the story beside it keeps its pace.

Following the chain of a long log is work for the interpreter, which runs one thread at a time: beside it every turn
would wait. It reads the one file it is given and writes nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
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


class _Found(msgspec.Struct):
    """What the other process says: facts, or what is wrong."""

    facts: Facts | None = None
    message: str = ""
    next_step: str = ""


def examine(path: Path) -> Facts:
    """As `foreign.examine` of the whole file. Raises StoreDamaged with the first thing wrong."""
    if path.stat().st_size < APART_FROM_BYTES:
        return _here(path)
    try:
        found = _apart(path)
    except (OSError, msgspec.MsgspecError):  # no process could be started, or it was ended
        return _here(path)
    if found.facts is None:
        raise StoreDamaged(found.message, found.next_step)
    return found.facts


def main() -> None:
    """In the other process: the file is the one argument, what was found goes to standard output."""
    os.nice(_NICER)
    try:
        found = _Found(_here(Path(sys.argv[1])))
    except StoreDamaged as problem:
        found = _Found(None, problem.message, problem.next_step)
    sys.stdout.buffer.write(msgspec.json.encode(found))


def _here(path: Path) -> Facts:
    with foreign.opened(path) as conn:
        return foreign.examine(conn, whole_file=True)


def _apart(path: Path) -> _Found:
    home = str(Path(chat.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH", ""))))
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, str(path)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        check=False,
    )
    return msgspec.json.decode(done.stdout, type=_Found)
