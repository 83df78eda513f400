"""How long a call may be silent and how long it may last, in seconds of a monotonic clock.

Any sign of life restarts the wait; nothing extends the whole. Time the consumer takes is no silence.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from chat.clock import Clock
from chat.errors import TimedOut
from chat.llm.calls import Endpoint


class Stopped(Exception):
    """Somebody else closed the call while it was being waited for."""


class Patience:
    def __init__(
        self,
        clock: Clock,
        endpoint: Endpoint,
        *,
        first_token_s: float,
        between_tokens_s: float,
        total_s: float,
    ) -> None:
        self._clock = clock
        self._name = endpoint.name
        self._first_s, self._between_s, self._total_s = first_token_s, between_tokens_s, total_s
        self._silence_s = first_token_s
        self._quiet_since: float | None = None
        self._scope: asyncio.Timeout | None = None
        self._stopped = False
        self.started = clock.monotonic_s()
        self._begun = False
        self.first_token: float | None = None

    def begin(self) -> None:
        """The first request goes out now; what came before was our own doing."""
        if not self._begun:
            self._begun, self.started = True, self._clock.monotonic_s()

    def heard(self) -> None:
        self._quiet_since = None

    def heard_token(self) -> None:
        if self.first_token is None:
            self.first_token = self._clock.monotonic_s()
            self._silence_s = self._between_s

    def hurry(self, silence_s: float) -> None:
        """From now on wait at most this long, because what matters has arrived."""
        self._silence_s = min(self._silence_s, silence_s)

    def stop(self) -> None:
        """Ends a wait that another task is in."""
        self._stopped = True
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    def wait(self, own_s: float = 0.0) -> _Wait:
        """Raises TimedOut when the wait inside takes too long, Stopped when it was stopped.

        `own_s` is how long we keep the server waiting ourselves; that is no silence of its.
        """
        return _Wait(self, own_s)

    def _begin(self, own_s: float) -> tuple[asyncio.Timeout, bool]:
        """The scope of a wait that begins now, and whether it is the limit of the whole call that ends it."""
        if self._stopped:
            raise Stopped
        now = self._clock.monotonic_s()
        if self._quiet_since is None:
            self._quiet_since = now
        rest = self.started + self._total_s - now
        silence = self._quiet_since + self._silence_s + own_s - now
        self._scope = asyncio.timeout(max(min(rest, silence), 0.0))
        return self._scope, rest <= silence

    def _ended(self, *, late: bool, whole: bool) -> None:
        self._scope = None
        if late and self._stopped:
            raise Stopped
        if late:
            raise self._timed_out(whole)

    def _timed_out(self, whole: bool) -> TimedOut:
        if whole:
            return TimedOut(f"{self._name} was not done after {_said(self._total_s)}, which is the limit.")
        if self.first_token is None:
            return TimedOut(f"{self._name} did not begin to write within {_said(self._silence_s)}.")
        return TimedOut(f"{self._name} fell silent for {_said(self._silence_s)} in mid-reply.")


class _Wait:
    """One wait. There is one for each token, so it is no generator, of which asyncio would keep a register."""

    __slots__ = ("_own_s", "_patience", "_scope", "_whole")

    def __init__(self, patience: Patience, own_s: float) -> None:
        self._patience, self._own_s = patience, own_s

    async def __aenter__(self) -> None:
        self._scope, self._whole = self._patience._begin(self._own_s)
        await self._scope.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        late = False
        try:
            await self._scope.__aexit__(kind, error, trace)
        except TimeoutError:
            late = True
        self._patience._ended(late=late, whole=self._whole)


def _said(seconds: float) -> str:
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"
