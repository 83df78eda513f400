"""What the models' servers let us know in passing: until when one wants to be left alone, and how much one can read.

Known while the program runs. A restart forgets it and the next failure teaches it again; only what a list of models
said of those in use is kept (`budgets`).
"""

from __future__ import annotations

from collections.abc import Mapping

from chat.clock import Clock
from chat.errors import ProviderBusy, ProviderError, ProviderRateLimited

_SMALLER = 0.6
"""How much of a prompt that was too long the next one may have."""
_SMALLEST_TOKENS = 512
_COUNTED_SHORT = 8
"""One part in so many of a context stays free: other vocabularies cut words into more tokens than ours."""
_LARGEST_TOKENS = 2_000_000


class ServerNotes:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resting: dict[str, float] = {}
        self._reach: dict[tuple[str, str], int] = {}
        self._contexts: dict[str, dict[str, int]] = {}

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

    def listed(self, endpoint: str, contexts: Mapping[str, int]) -> None:
        """What a server's list says each model reads at once; 0 where it does not. The newest list counts.

        A model that is listed otherwise than before was loaded anew: what it refused then is no measure any more.
        """
        before = self._contexts.get(endpoint, {})
        known = {model: min(tokens, _LARGEST_TOKENS) for model, tokens in contexts.items() if tokens > 0}
        for model in [one for one in before if before[one] != known.get(one)]:
            self._reach.pop((endpoint, model), None)
        self._contexts[endpoint] = known

    def context(self, endpoint: str, model: str) -> int | None:
        return self._contexts.get(endpoint, {}).get(model)

    def room_tokens(self, endpoint: str, model: str, answer_tokens: int) -> int | None:
        """What a prompt may have of a model's context beside its answer; None where the context is unknown."""
        context = self.context(endpoint, model)
        if context is None:
            return None
        counted = context - context // _COUNTED_SHORT
        return max(counted - answer_tokens, counted // 2)

    def too_long(self, endpoint: str, model: str, tokens: int) -> None:
        """A prompt of so many tokens did not fit: the next one is to be clearly smaller."""
        self._reach[endpoint, model] = max(int(tokens * _SMALLER), _SMALLEST_TOKENS)

    def reach_tokens(self, endpoint: str, model: str, budget: int) -> int:
        """The budget, or what this model can read if that is less."""
        return min(budget, self._reach.get((endpoint, model), budget))
