"""Whose words are shown: those of the embedded demo are marked as such wherever they stand, whoever answers now."""

from __future__ import annotations

from chat.engine.engine import DEMO_NARRATOR


def is_by_demo(model: str) -> bool:
    """Whether what this model wrote are words of the demo's; the player's own words have no model."""
    return model == DEMO_NARRATOR
