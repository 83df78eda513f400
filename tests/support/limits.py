"""Limits of the operating system on a running program: no space, no files, no memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

NO_SPACE = resource.RLIMIT_FSIZE
"""What no file may grow beyond, which is what a full disk looks like from inside."""


@contextmanager
def limited(pid: int, what: int, soft: int) -> Iterator[None]:
    """A limit on the program, and none any more."""
    _, hard = resource.prlimit(pid, what)
    before = resource.prlimit(pid, what, (soft, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)
