"""Turns the gateway's record of a call into the event that keeps it."""

from __future__ import annotations

from chat.domain.events import ModelCallFinished
from chat.llm.calls import CallRecord


def call_finished(
    record: CallRecord, call_id: str, chat_id: str | None, turn_id: str | None = None
) -> ModelCallFinished:
    return ModelCallFinished(
        call_id=call_id,
        chat_id=chat_id,
        turn_id=turn_id,
        purpose=record.purpose,
        endpoint=record.endpoint,
        model_asked=record.model_asked,
        model_answered=record.model_answered or "",
        attempts=record.attempts,
        status=record.status,
        stop_cause=record.stop_cause,
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        is_estimate=record.estimated,
        duration_ms=record.duration_ms,
        first_token_ms=record.first_token_ms,
        cached_tokens=record.cached_tokens,
        cost_nano_usd=record.cost_nano_usd,
        request_id=record.request_id,
    )
