"""The ledger fold: every model call and what all of them came to. Its events are permanent."""

from __future__ import annotations

from msgspec.structs import replace

from chat.domain.events import Event, ModelCallFinished
from chat.domain.records import Change, Put, Record


class ModelCall(Record, frozen=True):
    """One call of a model; `turn_id` names the turn it served."""

    table = "model_calls"
    id: str
    chat_id: str | None
    turn_id: str | None
    purpose: str
    endpoint: str
    model_asked: str
    model_answered: str
    attempts: int
    status: str
    stop_cause: str
    prompt_tokens: int
    completion_tokens: int
    is_estimate: bool
    duration_ms: float
    first_token_ms: float | None
    cached_tokens: int | None
    cost_nano_usd: int | None
    request_id: str | None
    ts: str


class Ledger(Record, frozen=True):
    """Totals over all calls. `cost_nano_usd` counts only calls whose price is known."""

    table = "ledger_totals"
    id: int = 1
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nano_usd: int = 0
    accepted_gaps: int = 0


def evolve(ledger: Ledger, event: Event) -> tuple[Ledger, list[Change]]:
    """The totals after one ledger event, and the rows that changed."""
    totals, calls = told(ledger, event)
    return totals, [Put(totals), *calls]


def told(ledger: Ledger, event: Event) -> tuple[Ledger, list[Change]]:
    """The same without the row of the totals, which many events in a row need only once."""
    data = event.data
    if not isinstance(data, ModelCallFinished):
        return replace(ledger, accepted_gaps=ledger.accepted_gaps + 1), []
    totals = replace(
        ledger,
        calls=ledger.calls + 1,
        prompt_tokens=ledger.prompt_tokens + data.prompt_tokens,
        completion_tokens=ledger.completion_tokens + data.completion_tokens,
        cost_nano_usd=ledger.cost_nano_usd + (data.cost_nano_usd or 0),
    )
    return totals, [Put(_call(event, data))]


def _call(event: Event, data: ModelCallFinished) -> ModelCall:
    return ModelCall(
        id=data.call_id,
        chat_id=data.chat_id,
        turn_id=data.turn_id,
        purpose=data.purpose,
        endpoint=data.endpoint,
        model_asked=data.model_asked,
        model_answered=data.model_answered,
        attempts=data.attempts,
        status=data.status,
        stop_cause=data.stop_cause,
        prompt_tokens=data.prompt_tokens,
        completion_tokens=data.completion_tokens,
        is_estimate=data.is_estimate,
        duration_ms=data.duration_ms,
        first_token_ms=data.first_token_ms,
        cached_tokens=data.cached_tokens,
        cost_nano_usd=data.cost_nano_usd,
        request_id=data.request_id,
        ts=event.ts,
    )
