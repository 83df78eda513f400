"""The only place that asks for the time, for randomness or for a new id; everything else is handed a Clock.

A seeded clock gives the same ids and salts in the same order, so a whole story can be replayed in tests.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _ulid(milliseconds: int, entropy: int) -> str:
    """26 characters of Crockford base 32: 48 bits of Unix milliseconds, 80 bits of entropy (ULID spec)."""
    number = (milliseconds & (1 << 48) - 1) << 80 | entropy
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


class Clock:
    """Wall time in UTC, a monotonic clock for durations, ids and salts. Safe to share between threads.

    Without a `zone` the place is where the system says it is, at the moment it is asked.
    """

    def __init__(
        self,
        seed: int | None = None,
        now: Callable[[], datetime] | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        self._zone = zone
        self._random = random.Random(seed) if seed is not None else None
        self._now = now or (lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self._now()

    def local(self, moment: datetime) -> datetime:
        """The same moment as clocks on the wall show it here."""
        if self._zone is None:
            time.tzset()
        return moment.astimezone(self._zone)

    def timestamp(self) -> str:
        """The time as the log stores it: ISO 8601, UTC, milliseconds, a trailing Z."""
        return self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def monotonic_s(self) -> float:
        return time.monotonic()

    def new_id(self) -> str:
        """A ULID; ids made later sort later, to the millisecond."""
        entropy = self._random.getrandbits(80) if self._random else secrets.randbits(80)
        return _ulid(int(self._now().timestamp() * 1000), entropy)

    def random_bytes(self, count: int) -> bytes:
        return self._random.randbytes(count) if self._random else secrets.token_bytes(count)

    def seed(self) -> int:
        """A 31-bit seed to send with a model call."""
        return self._random.getrandbits(31) if self._random else secrets.randbits(31)
