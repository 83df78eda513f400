"""Keeps what a model answered and nobody could use, with what it was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chat.llm.calls import FailedAttempt
from chat.observe import get_logger
from chat.store import quarantine
from chat.store.quarantine import Case

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)


def quarantined(
    engine: Engine, failures: Sequence[FailedAttempt], purpose: str, chat_id: str, turn_id: str
) -> list[str]:
    """Write each failed attempt to the quarantine; returns the cases' ids. A full disk costs the case, not the turn."""
    kept = []
    for failure in failures:
        case = Case(
            id=engine.clock.new_id(),
            kind=failure.kind,
            purpose=purpose,
            chat_id=chat_id,
            turn_id=turn_id,
            model=failure.model,
            attempt=failure.attempt,
            detail=failure.detail,
            raw_text=failure.raw_text,
            ts=engine.clock.timestamp(),
        )
        try:
            quarantine.keep(engine.settings.quarantine_dir, case)
        except OSError as problem:
            log.warning("quarantine_failed", error_type=type(problem).__name__)
            continue
        kept.append(case.id)
    return kept
