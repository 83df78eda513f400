"""What one sync of this disk takes after a rest: nothing is shown that is not stored, so each wait holds one or two.

A disk of a virtual machine may sleep: a sync right after another takes a tenth of a millisecond, one after a rest four.
"""

from __future__ import annotations

import os
import tempfile
import time
from statistics import median

from tests.bench.figures import Line, ms, within

_TIMES, _PAGES, _PAGE_BYTES = 20, 4, 4096


def synced(rest_s: float) -> Line:
    """Without a target; in the folder in which the stories of the other figures lie."""
    taken = []
    with tempfile.TemporaryFile(prefix="chat-bench-disk-") as file:
        for number in range(_TIMES):
            time.sleep(rest_s)
            os.pwrite(file.fileno(), os.urandom(_PAGES * _PAGE_BYTES), number * _PAGES * _PAGE_BYTES)
            began = time.perf_counter()
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            taken.append(time.perf_counter() - began)
    worst = ms(sorted(taken)[-2])
    return within(
        "  one sync of this disk, after a rest", f"at most {worst}", "", median(taken) * 1000, None, "ms"
    )
