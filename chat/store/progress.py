"""How far long work has come, for whoever waits for it: what is being done, and the share of it that is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from chat.domain.records import Row

Progress = Callable[[str, float], None]
Reached = Callable[[int], None]
"""Is told the id of an event that has been come to."""
EVERY = 4096
"""Lines of the log between two words about how far it is."""


def silent(what: str, share: float) -> None:
    """Nobody waits."""


def reached_nothing(event_id: int) -> None:
    """Nobody waits."""


def along(progress: Progress, what: str, last_id: int) -> Reached:
    """Tells how far through the log the work is; it begins now."""
    progress(what, 0.0)
    return lambda event_id: progress(what, min(event_id / max(last_id, 1), 1.0))


def counted(rows: Iterable[Row], reached: Reached | None) -> Iterable[Row]:
    """The same lines of the log, whose first column is their id; now and then it is told where they are."""
    return _counted(rows, reached) if reached else rows


def _counted(rows: Iterable[Row], reached: Reached) -> Iterator[Row]:
    for number, row in enumerate(rows, 1):
        yield row
        if not number % EVERY:
            reached(row[0])
