"""Starts a part of the store in a process of its own, so that it takes a processor of its own.

It gets what it needs as arguments and open files, and finds the same program. Nothing it says may be relied upon.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import chat

MAPPED_BYTES = 1 << 40
"""As much of a file as the library allows. Only in a process of its own: a disk that cannot be read ends who has mapped
a file."""


def start(command: str, *arguments: str, **streams: Any) -> subprocess.Popen[bytes] | None:
    """Python with this command; `streams` are those of Popen. None where no process can be started."""
    home = str(Path(chat.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONPATH": paths}
    whole = [sys.executable, "-c", command, *arguments]
    try:
        return subprocess.Popen(
            whole, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **streams
        )
    except OSError:
        return None
