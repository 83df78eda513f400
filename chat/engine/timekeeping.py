"""Notices a clock that stands behind what was written here already, and says what that means.

Nothing is kept from happening by it: events go by their numbers and durations by a clock that never goes back.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from chat.clock import Clock
from chat.engine.backup_facts import span
from chat.errors import StoreError
from chat.observe import get_logger
from chat.store import views
from chat.store.store import Store

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)
BACK_S = 5 * 60
"""Seconds the clock may stand behind before it is told of: computers put theirs right by less all the time."""


class Timekeeping:
    """Knows the latest time there was: of the last event, and as the clock showed it since the start."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._latest: datetime | None = None
        self._is_told = False

    async def look(self) -> None:
        """Compare the clock with the last event too. Called before a start writes anything, and now and then."""
        with suppress(StoreError):  # what cannot be read is told of elsewhere
            self._note(await last_moment(self._engine.store))
        self.warning()

    def warning(self) -> str:
        """What is wrong with the clock at this moment, empty when nothing is. Reads no file."""
        clock = self._engine.clock
        behind_s, told = _behind_s(clock, self._latest), warning(clock, self._latest)
        if told and not self._is_told:
            log.warning("clock_went_back", behind_s=behind_s)
        elif self._is_told and not told:
            log.info("clock_is_right_again")
        self._is_told = bool(told)
        self._note(clock.now())
        return told

    def _note(self, moment: datetime | None) -> None:
        if moment and (self._latest is None or moment > self._latest):
            self._latest = moment


async def last_moment(store: Store) -> datetime | None:
    """When the last event was written, in UTC; None where nothing has happened or nothing sensible is told."""
    async with store.reading() as reader:
        told = await views.last_ts(reader)
    try:
        return datetime.fromisoformat(told).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def warning(clock: Clock, latest: datetime | None) -> str:
    """What is to be said where the clock stands behind the latest time there was; empty when it does not."""
    behind_s = _behind_s(clock, latest)
    if behind_s <= BACK_S:
        return ""
    return (
        f"The clock of this computer has gone back: it shows {clock.local(clock.now()):%Y-%m-%d %H:%M}, which is "
        f"{span(behind_s)} before a time it has shown here. No word is lost and the order of your stories stays, "
        "because events go by their numbers; the times shown and the daily backup go by the clock. "
        "Set the clock of the computer: this goes away once it is right. If it is right now and was ahead "
        "before, nothing need be done; this goes away when you start the program again after your next turn."
    )


def _behind_s(clock: Clock, latest: datetime | None) -> int:
    return (latest - clock.now()) // timedelta(seconds=1) if latest else 0
