"""The branches of a chat as a tree of lines: one trunk from the first word to the end of a branch, and what leaves it.

Pure and linear in the branches. It says nothing about where a line is drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import NamedTuple

import msgspec

from chat.domain.chats import Branch
from chat.domain.lineage import lineage_of

TRUNK = ""
"""Stands for the trunk where a strand is named that another leaves."""
FAN = 4
"""Strands drawn where more than one more leave at the same step of the same line."""
MOST_STRANDS, MOST_MARKS, MOST_AT_A_POINT = 44, 40, 26


class Piece(NamedTuple):
    """The part of the trunk that lies on one branch: its steps above `after`, up to `upto`."""

    branch_id: str
    after: int
    upto: int


class Strand(msgspec.Struct, frozen=True):
    """What a branch has of its own off the trunk: it leaves `parent` after step `start` and ends with step `end`.

    `reason` is why the ways parted, in the words of the log.
    """

    branch_id: str
    parent: str
    start: int
    end: int
    reason: str


class Tree(msgspec.Struct, frozen=True):
    """`strands` by branch, parents before children; `sizes` counts a strand and all that leave it."""

    trunk: tuple[Piece, ...]
    end: int
    strands: dict[str, Strand]
    sizes: dict[str, int]
    leaving: dict[tuple[str, int], list[Strand]]

    def branch_of(self, step: int) -> str:
        """The branch on which a step of the trunk lies."""
        return next((piece.branch_id for piece in self.trunk if step <= piece.upto), self.trunk[-1].branch_id)


class Window(msgspec.Struct, frozen=True):
    """What of a tree is drawn: the trunk from step `first` to `last` and these strands.

    `folded` counts, by line and step, the branches that leave there and are not drawn. `earlier` is the last step of
    the part before, if there is one, `before` how many branches leave there and `after` how many leave later.
    """

    first: int
    last: int
    strands: tuple[Strand, ...]
    folded: dict[tuple[str, int], int]
    earlier: int | None = None
    before: int = 0
    after: int = 0


def tree(branches: Mapping[str, Branch], ends: Mapping[str, int], along: str) -> Tree:
    """The branches of one chat (in the order they were made), seen along one. `ends` is the last step of each."""
    line = lineage_of(branches, along)
    cuts = {branch_id: min(cut, ends[branch_id]) for branch_id, cut in line}
    pieces = [Piece(one, branches[one].fork_step, cuts[one]) for one in cuts]
    parted = {parent: branches[child].reason for (child, _), (parent, _) in pairwise(line)}
    strands: dict[str, Strand] = {}
    for branch in branches.values():
        strand = _strand(branch, branches, ends[branch.id], cuts, parted)
        if strand.end > strand.start:
            strands[branch.id] = strand
    leaving: dict[tuple[str, int], list[Strand]] = defaultdict(list)
    for strand in strands.values():
        leaving[strand.parent, strand.start].append(strand)
    trunk = tuple(piece for piece in reversed(pieces) if piece.upto > piece.after)
    return Tree(trunk or (Piece(along, 0, 0),), ends[along], strands, _sizes(strands), dict(leaving))


def _strand(
    branch: Branch,
    branches: Mapping[str, Branch],
    end: int,
    cuts: Mapping[str, int],
    parted: Mapping[str, str],
) -> Strand:
    cut = cuts.get(branch.id, -1)
    if branch.parent_id is None or cut > branch.fork_step:
        return Strand(branch.id, TRUNK, max(cut, 0), end, parted.get(branch.id, branch.reason))
    parent = branch.parent_id
    while (above := branches[parent].parent_id) and branch.fork_step <= branches[parent].fork_step:
        parent = above
    is_on_trunk = branch.fork_step <= cuts.get(parent, -1)
    return Strand(branch.id, TRUNK if is_on_trunk else parent, branch.fork_step, end, branch.reason)


def _sizes(strands: Mapping[str, Strand]) -> dict[str, int]:
    sizes = dict.fromkeys(strands, 1)
    for strand in reversed(strands.values()):  # type: ignore[call-overload]
        if strand.parent in sizes:
            sizes[strand.parent] += sizes[strand.branch_id]
    return sizes


def window(
    whole: Tree, marks: Collection[int], named: Collection[str] = (), until: int | None = None
) -> Window:
    """The end of the trunk, or the part that ends with step `until`: as much as one picture holds.

    `marks` are steps of the trunk that get a node of their own; strands of `named` branches are drawn first.
    """
    last = whole.end if until is None else min(until, whole.end)
    forks = {step for parent, step in whole.leaving if parent == TRUNK}
    order = sorted((step for step in {*forks, *marks} if step <= last), reverse=True)
    drawn = _Drawn(whole, frozenset(named))
    first, earlier, room = 0, None, MOST_MARKS
    for step in order:
        if room <= 0 or len(drawn.strands) >= MOST_STRANDS:
            earlier = step
            break
        room -= 1
        first = step
        drawn.take(TRUNK, step)
    first = 0 if earlier is None else first
    after = [one for step in forks if step > last for one in whole.leaving[TRUNK, step]]
    before = [
        one for step in forks if earlier is not None and step <= earlier for one in whole.leaving[TRUNK, step]
    ]
    return Window(
        first,
        last,
        tuple(drawn.strands),
        drawn.folded,
        earlier,
        sum(whole.sizes[one.branch_id] for one in before),
        sum(whole.sizes[one.branch_id] for one in after),
    )


def fan(whole: Tree, step: int, skip: int, named: Collection[str] = ()) -> Window:
    """Everything that leaves the trunk after one step, the first `skip` left out: as much as one picture holds."""
    ranked = ranking(whole, whole.leaving.get((TRUNK, step), []), frozenset(named))
    shown = ranked[skip : skip + MOST_STRANDS]
    folded = {
        (strand.branch_id, at): sum(whole.sizes[one.branch_id] for one in leaving)
        for strand in shown
        for (parent, at), leaving in whole.leaving.items()
        if parent == strand.branch_id
    }
    return Window(max(step - 4, 0), min(step, whole.end), tuple(shown), folded)


def ranking(whole: Tree, strands: list[Strand], named: frozenset[str]) -> list[Strand]:
    """Those with a name on them first, then the longest, then the latest."""
    latest = {strand.branch_id: number for number, strand in enumerate(strands)}
    return sorted(
        strands,
        key=lambda one: (
            one.branch_id not in named,
            -whole.sizes[one.branch_id],
            one.start - one.end,
            -latest[one.branch_id],
        ),
    )


class _Drawn:
    """Takes what leaves one point after the other, breadth first, until there is no room."""

    def __init__(self, whole: Tree, named: frozenset[str]) -> None:
        self.strands: list[Strand] = []
        self.folded: dict[tuple[str, int], int] = {}
        self._whole = whole
        self._named = named
        self._forks: dict[str, list[int]] = defaultdict(list)
        for parent, step in whole.leaving:
            self._forks[parent].append(step)

    def take(self, parent: str, step: int) -> None:
        most = min(len(self.strands) + MOST_AT_A_POINT, MOST_STRANDS + FAN)
        waiting = [(parent, step)]
        for at in waiting:
            leaving = ranking(self._whole, self._whole.leaving.get(at, []), self._named)
            many = len(leaving) if len(leaving) <= FAN + 1 else FAN
            shown = leaving[: max(0, min(many, most - len(self.strands)))]
            if hidden := leaving[len(shown) :]:
                self.folded[at] = sum(self._whole.sizes[one.branch_id] for one in hidden)
            self.strands += shown
            waiting += [(one.branch_id, fork) for one in shown for fork in self._forks[one.branch_id]]
