"""When the daily backup is due: once for each local day, from three in the morning on, whatever clocks do.

Pure: it is told the time. Days are counted on the wall clock, so an hour that is skipped or comes twice is no matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

HOUR = 3
_BEFORE = timedelta(hours=HOUR)
Local = Callable[[datetime], datetime]
"""Shows a moment as the wall clock does here."""


def day_of(moment: datetime, local: Local) -> date:
    """The day whose backup a moment counts for: before three it is still the day before."""
    return (local(moment) - _BEFORE).date()


def is_due(now: datetime, made: Sequence[datetime], local: Local) -> bool:
    """True when no backup counts for today yet. One dated later than now was made by a clock that was wrong."""
    past = [moment for moment in made if moment <= now]
    return not past or day_of(now, local) > day_of(max(past), local)


def seconds_to_next(now: datetime, local: Local, at_most: float) -> float:
    """How long to wait before asking again, by the wall clock; asking too early costs nothing."""
    shown = local(now)
    wait = timedelta(days=1) - ((shown - _BEFORE) - (shown - _BEFORE).replace(hour=0, minute=0, second=0))
    return min(at_most, max(1.0, wait.total_seconds()))
