"""Which events of a chat are visible: those of the selected branch and, up to where it forked, of its ancestors.

Pure functions of the branches; a late event carries the branch and step of its own turn, so the same rule
shows it to exactly the lines that hold the turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

UNCUT = 1 << 62
"""The cut of the selected branch itself: every step of it counts."""

Lineage = tuple[tuple[str, int], ...]
"""(branch id, last visible step), the selected branch first, then its parent, and so on."""


class Forked(Protocol):
    @property
    def parent_id(self) -> str | None: ...
    @property
    def fork_step(self) -> int: ...


def lineage_of(branches: Mapping[str, Forked], branch_id: str) -> Lineage:
    """A branch and its ancestors with their cuts; a fork below a fork cuts everything above it too."""
    line, cut = [], UNCUT
    at: str | None = branch_id
    while at is not None:
        line.append((at, cut))
        branch = branches[at]
        cut = min(cut, branch.fork_step)
        at = branch.parent_id
    return tuple(line)


def is_visible(lineage: Lineage, branch_id: str | None, step: int | None) -> bool:
    return any(branch_id == branch and (step or 0) <= cut for branch, cut in lineage)


def branch_at(lineage: Lineage, step: int) -> str:
    """The branch of the line on which a step lies. A step beyond the tip lies on the selected branch."""
    owner = lineage[0][0]
    for branch, cut in lineage:
        if step <= cut:
            owner = branch
    return owner


def owner_of(branches: Mapping[str, Forked], branch_id: str, step: int) -> str:
    """The branch on which a step lies that is seen from a branch: itself, or the ancestor it shares the step with."""
    return branch_at(lineage_of(branches, branch_id), step)
