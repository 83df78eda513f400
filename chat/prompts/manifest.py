"""What a prompt was made of: every section and memory, what was trimmed, left out or withheld, and all sizes.

The log keeps it with the reply; the words of the prompt themselves are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SectionUse:
    """`trimmed`: left out for want of room; `clipped`: a text in it was shortened to its cap."""

    name: str
    tier: str
    where: str
    tokens: int
    trimmed: bool
    clipped: bool


@dataclass(frozen=True)
class MemoryUse:
    """`left_out` says in words why a memory that was considered is not in the prompt."""

    memory_id: str
    score: float
    why: str
    used: bool
    left_out: str = ""


@dataclass(frozen=True)
class Manifest:
    """Sizes in tokens, as the counting function saw them; `prompts` maps each text's name to its version."""

    prompts: Mapping[str, int]
    total_tokens: int
    hard_tokens: int
    soft_tokens: int
    sections: tuple[SectionUse, ...]
    memories: tuple[MemoryUse, ...]
    history_from: str | None
    turns: int
    turns_tokens: int
    turns_left_out: tuple[str, ...]
    player_tokens: int
    withheld: tuple[tuple[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return vars(self) | {
            "prompts": dict(self.prompts),
            "sections": [dict(vars(one)) for one in self.sections],
            "memories": [dict(vars(one)) for one in self.memories],
            "turns_left_out": list(self.turns_left_out),
            "withheld": [{"what": what, "why": why} for what, why in self.withheld],
        }
