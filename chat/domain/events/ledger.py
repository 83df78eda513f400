"""Ledger events: what was spent, and what was accepted as lost. Permanent."""

from __future__ import annotations

from chat.domain.events.payload import LedgerPayload


class ModelCallFinished(LedgerPayload, frozen=True):
    """One call of a model, whatever came of it. Times in milliseconds, cost in nano-dollars (None: unknown)."""

    kind = "model_call_finished"
    call_id: str
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
    first_token_ms: float | None = None
    cached_tokens: int | None = None
    cost_nano_usd: int | None = None
    request_id: str | None = None


class LogGapAccepted(LedgerPayload, frozen=True):
    """The player accepted that events are gone: the head file knew `lost_head_id`, the log ends at `kept_head_id`."""

    kind = "log_gap_accepted"
    lost_head_id: int
    lost_head_hash: str
    kept_head_id: int
