"""The one owner of retries: whether a failed request may be sent again, and after how long. Pure.

Nothing is ever sent again after something has arrived; the caller sees to that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chat.errors import ProviderError, ProviderRateLimited, ProviderUnavailable


@dataclass(frozen=True)
class Policy:
    """`attempts` counts the first one too. A wait longer than `longest_wait_s` is left to the player."""

    attempts: int = 2
    longest_wait_s: float = 5.0

    def wait_s(self, error: ProviderError, attempt: int, jitter: Callable[[], float]) -> float | None:
        """Seconds to wait before attempt + 1, or None to give up. `jitter` gives 0..1."""
        if attempt >= self.attempts:
            return None
        base = _base_wait_s(error)
        if base is None or base > self.longest_wait_s:
            return None
        return base + jitter() * max(0.05, base / 4)


def _base_wait_s(error: ProviderError) -> float | None:
    if isinstance(error, ProviderRateLimited):
        return error.retry_after_s
    if not isinstance(error, ProviderUnavailable):
        return None
    if error.status == 503:
        return 0.5 if error.retry_after_s is None else error.retry_after_s
    connection_broke = error.status is None and error.retry_after_s == 0
    return 0.1 if connection_broke else None
