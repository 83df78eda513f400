"""The one owner of retries: whether a failed request may be sent again, and after how long. Pure.

Nothing is ever sent again after something has arrived; the caller sees to that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from chat.errors import ModelLoading, ProviderError, ProviderRateLimited, ProviderUnavailable

_BUSY = frozenset({502, 503, 504, 529})
_BROKE_S = 0.1
"""The wait after a connection that only broke: the server is there, and it was asked for nothing yet."""


class Waiting(NamedTuple):
    """A request is sent again `wait_s` from now, because of `error`; `attempt` is the number of the next one."""

    wait_s: float
    error: ProviderError
    attempt: int


class Policy(msgspec.Struct, frozen=True):
    """`attempts` counts the first one too. A wait longer than `longest_wait_s` is left to the player.

    Without a word from the server the wait doubles from `first_wait_s` on; a failing server gets a quarter of that.
    `retried` are the statuses of a failing server that may pass by themselves.
    """

    attempts: int = 3
    longest_wait_s: float = 30.0
    first_wait_s: float = 2.0
    retried: frozenset[int] = _BUSY | {500}

    def in_the_background(self) -> Policy:
        """For questions nobody watches: a shorter wait, and 500 is how some servers refuse a format."""
        return replace(self, longest_wait_s=min(self.longest_wait_s, 5.0), retried=_BUSY)

    def wait_s(self, error: ProviderError, attempt: int, jitter: Callable[[], float]) -> float | None:
        """Seconds to wait before attempt + 1, or None to give up. `jitter` gives 0..1."""
        if attempt >= self.attempts:
            return None
        base = self._base_wait_s(error, 2 ** (attempt - 1))
        if base is None or base > self.longest_wait_s:
            return None
        return base + jitter() * max(min(0.05, self.first_wait_s), base / 4)

    def _base_wait_s(self, error: ProviderError, doubled: int) -> float | None:
        if isinstance(error, ProviderRateLimited | ModelLoading):
            return self.first_wait_s * doubled if error.retry_after_s is None else error.retry_after_s
        if not isinstance(error, ProviderUnavailable):
            return None
        if error.status in self.retried:
            return self.first_wait_s / 4 * doubled if error.retry_after_s is None else error.retry_after_s
        connection_broke = error.status is None and error.retry_after_s == 0
        return _BROKE_S * doubled if connection_broke else None
