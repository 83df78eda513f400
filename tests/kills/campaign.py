"""Kills the program as often as asked, spread over the stages, and counts what was lost."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.kills.model import Narrator
from tests.kills.player import Gone
from tests.kills.stages import AT_RANDOM, STAGES, Stage
from tests.kills.story import NAMES, Kill, Story
from tests.support.peer import Peer

KILLS_A_STORY = 16
"""A folder is used for this many kills, because looking at it takes time in proportion to what was played."""
RANDOM_SHARE = 0.4
TRIES = 8
"""A stage at which none of so many kills came is not there any more: the program has changed and the stage has not."""


@dataclass
class Tally:
    """What was wanted, what was hit, and everything that was wrong."""

    wanted: dict[str, int] = field(default_factory=dict)
    hit: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    losses: dict[str, int] = field(default_factory=dict)

    @property
    def kills(self) -> int:
        return sum(self.wanted.values())

    @property
    def never_reached(self) -> list[str]:
        """Stages that were aimed at often enough and never met, so that nothing was tried there."""
        return sorted(name for name, tries in self.wanted.items() if tries >= TRIES and not self.hit[name])

    def take(self, kill: Kill) -> None:
        name = row_of(kill.wanted)
        self.wanted[name] = self.wanted.get(name, 0) + 1
        self.hit[name] = self.hit.get(name, 0) + (kill.hit == kill.wanted.name or kill.wanted in AT_RANDOM)
        self.losses[name] = self.losses.get(name, 0) + len(kill.problems)
        self.problems += [f"{name} (hit: {kill.hit}): {problem}" for problem in kill.problems]

    def add(self, other: Tally) -> None:
        for mine, theirs in ((self.wanted, other.wanted), (self.hit, other.hit), (self.losses, other.losses)):
            for name, number in theirs.items():
                mine[name] = mine.get(name, 0) + number
        self.problems += other.problems

    def table(self) -> str:
        rows = [f"{'stage':<48} {'kills':>6} {'there':>6} {'losses':>7}"]
        for name in sorted(self.wanted):
            rows.append(f"{name:<48} {self.wanted[name]:>6} {self.hit[name]:>6} {self.losses[name]:>7}")
        there, losses = sum(self.hit.values()), sum(self.losses.values())
        return "\n".join([*rows, f"{'all':<48} {self.kills:>6} {there:>6} {losses:>7}"])


def row_of(stage: Stage) -> str:
    named = {"play": "", "start": " (at a start)", "first": " (at the first start)", "stop": " (at the end)"}
    return stage.name + named.get(stage.when, f" ({stage.when})")


def campaign(
    kills: int,
    seed: int,
    stages: Sequence[Stage] = STAGES,
    *,
    until_s: float = 0.0,
    is_told: bool = False,
) -> Tally:
    """At least this many kills, or as many as fit before `until_s` on the monotonic clock; `is_told` prints each."""
    chance, tally = random.Random(seed), Tally()
    left: list[Stage] = []

    def take(kill: Kill) -> None:
        tally.take(kill)
        if is_told:
            said = "; ".join(kill.problems) or "nothing lost"
            print(f"{tally.kills:>5}  {row_of(kill.wanted)}: {said}", flush=True)

    while tally.kills < kills and not (until_s and time.monotonic() > until_s):
        with tempfile.TemporaryDirectory(prefix="kills-") as folder:
            plan = [_next(left, stages, chance) for _ in range(min(KILLS_A_STORY, kills - tally.kills))]
            try:
                _one_story(Path(folder), plan, chance, until_s, take)
            except (AssertionError, Gone) as problem:
                tally.problems.append(f"A story could not be played: {problem}")
    return tally


def _next(left: list[Stage], stages: Sequence[Stage], chance: random.Random) -> Stage:
    """Every stage in turn, in an order of chance, and random instants in between."""
    if chance.random() < RANDOM_SHARE and len(stages) > 1:
        return chance.choice(AT_RANDOM)
    if not left:
        left += chance.sample(stages, len(stages))
    return left.pop()


def _one_story(
    folder: Path, plan: list[Stage], chance: random.Random, until_s: float, take: Callable[[Kill], None]
) -> None:
    """The plan in an order that works: one first start at the beginning, another schema only at the end."""
    first = [stage for stage in plan if stage.when == "first"]
    last = [stage for stage in plan if stage.when == "migrate"]
    rest = [stage for stage in plan if stage.when not in ("first", "migrate")]
    narrator = Narrator(random.Random(chance.random()), NAMES)
    with Peer(default=narrator) as peer, Story(folder, peer, narrator, chance) as story:
        order = [*rest, *last[:1]]
        story.following = order[0] if order else None
        for kill in story.first_start(first[0] if first else None):
            take(kill)
        for stage, following in zip(order, [*order[1:], None], strict=True):
            if until_s and time.monotonic() > until_s:
                break
            story.following = following
            for kill in story.kill(stage):
                take(kill)
