"""Reads a narration that must fail, and checks what holds for every failure."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chat.errors import ProviderError
from chat.llm.narration import Narration

ENDS_S = 25.0
"""Below the limits of a request that should not reach them, and beyond what a busy machine takes."""
KEY = "sk-canary-7f3a9b1c5d2e8f60"


async def fail(narration: Narration) -> ProviderError:
    """Reads to the end and returns the error, having checked what holds for every error."""
    began = time.monotonic()
    with pytest.raises(ProviderError) as caught:
        async for _ in narration:
            pass
    error = caught.value
    assert time.monotonic() - began < ENDS_S
    assert error.message.endswith((".", "!", "?", "…"))
    assert error.next_step
    assert KEY not in f"{error.message} {error.next_step} {error.args} {error!r}"
    assert len(error.message) < 500
    assert error.partial == narration.text
    record = narration.record()
    assert (record.status, record.stop_cause) == ("failed", error.code)
    assert [piece async for piece in narration] == []
    return error


def said(message: str, **more: Any) -> dict[str, Any]:
    """An error body as OpenAI writes it."""
    return {"error": {"message": message, **more}}
