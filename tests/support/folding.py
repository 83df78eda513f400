"""Makes a rebuild of a small log take the way of a long one: another process folds, this one writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from chat.store import apart, rebuild, undo


@contextmanager
def folded_apart(flush_at: int = 3, tail_events: int = 5) -> Iterator[None]:
    """Inside, many small portions come from the other process, and to fold here instead is an error."""
    command = f"from chat.store import apart, telling; telling._FLUSH_AT = {flush_at}; apart.main()"
    with (
        patch.object(apart, "_pays", return_value=True),
        patch.object(apart, "_COMMAND", command),
        patch.object(undo, "TAIL_EVENTS", tail_events),
        patch.object(rebuild, "_told_here", side_effect=AssertionError("It was folded here.")),
    ):
        yield
