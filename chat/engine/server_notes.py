"""What the models' servers let us know in passing: until when one wants to be left alone, and how much one can read.

Known while the program runs; a restart forgets it, and the next failure teaches it again.
"""

from __future__ import annotations

from chat.clock import Clock
from chat.errors import ProviderBusy, ProviderError, ProviderRateLimited

_SMALLER = 0.6
"""How much of a prompt that was too long the next one may have."""
_SMALLEST_TOKENS = 512


class ServerNotes:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resting: dict[str, float] = {}
        self._reach: dict[tuple[str, str], int] = {}

    def rests(self, endpoint: str, seconds: float) -> None:
        """A server asked not to be asked for so long."""
        self._resting[endpoint] = self._clock.monotonic_s() + seconds

    def rest_s(self, endpoint: str) -> float:
        """Seconds until it may be asked again; 0 when it may be asked now."""
        return max(self._resting.get(endpoint, 0.0) - self._clock.monotonic_s(), 0.0)

    def heard(self, endpoint: str, problem: ProviderError | None) -> None:
        """How a call ended; None for one that brought what was asked for."""
        if problem is None:
            self._resting.pop(endpoint, None)
        elif problem.retry_after_s and isinstance(problem, ProviderRateLimited | ProviderBusy):
            self.rests(endpoint, problem.retry_after_s)

    def too_long(self, endpoint: str, model: str, tokens: int) -> None:
        """A prompt of so many tokens did not fit: the next one is to be clearly smaller."""
        self._reach[endpoint, model] = max(int(tokens * _SMALLER), _SMALLEST_TOKENS)

    def reach_tokens(self, endpoint: str, model: str, budget: int) -> int:
        """The budget, or what this model can read if that is less."""
        return min(budget, self._reach.get((endpoint, model), budget))
