"""Has all threads take memory from one heap. The C library would give many of them one of their own.

What one thread lets go of then serves the next, instead of lying about in pieces. Nothing here is needed: where the
library knows nothing of it, memory is as it was.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

_ARENA_MAX = -8
"""`M_ARENA_MAX` of glibc's malloc.h."""


def share() -> bool:
    """To be called before the first thread begins; True when the library did as it was asked."""
    with suppress(AttributeError, OSError, TypeError):  # another library, or none that can be asked
        return bool(ctypes.CDLL(None).mallopt(_ARENA_MAX, 1))
    return False
