"""The program survives being killed. Here a few times, in CI a hundred times; `make kills` does it a
thousand times."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.kills.campaign import TRIES, Tally, campaign, row_of
from tests.kills.census import never_reached
from tests.kills.stages import RANDOM, STAGES
from tests.kills.story import Kill

KILLS = int(os.environ.get("KILLS") or (100 if os.environ.get("CI") == "true" else 12))
"""CI does a tenth of the thousand, a person a few."""
PARTS = 8 if KILLS >= 100 else 1
"""Stories that may be played at the same time, each with its share of the stages."""
ALLOWED_S = 90

SURE = tuple(
    stage
    for stage in STAGES
    if (stage.name, stage.when)
    in {
        ("between commit and head file", "play"),
        ("turn stored, reply not begun", "play"),
        ("mid-stream", "play"),
        ("digest applied", "play"),
        ("erasing: out of the log", "play"),
        ("recovery: reply not closed", "start"),
        ("migration", "first"),
        ("rebuild", "rebuild"),
    }
)
"""One of each family, for a run in which not every stage has its turn."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_instant_loses_nothing_and_leaves_nothing_half_done(part: int) -> None:
    """TRUST 89."""
    until_s = time.monotonic() + ALLOWED_S if PARTS == 1 else 0.0
    stages = SURE if PARTS == 1 else STAGES[part::PARTS]
    tally = campaign(-(-KILLS // PARTS), seed=11 + part, stages=stages, until_s=until_s)
    assert tally.problems == [], tally.table()
    assert tally.never_reached == [], tally.table()
    assert tally.kills >= (4 if PARTS == 1 else KILLS // PARTS)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_stage_is_still_there_to_be_killed_at(tmp_path: Path) -> None:
    """A few kills at each would meet a stage that is gone as little as one that is rare."""
    assert never_reached(tmp_path) == []


def test_a_stage_that_is_never_reached_is_told() -> None:
    tally, (stage, other) = Tally(), (one for one in STAGES[:2])
    for _ in range(TRIES):
        tally.take(Kill(stage, "nothing", []))
        tally.take(Kill(other, "nothing", []))
    tally.take(Kill(other, other.name, []))
    assert tally.never_reached == [row_of(stage)]


def test_every_stage_has_a_name_of_its_own() -> None:
    assert len({(stage.name, stage.when) for stage in STAGES}) == len(STAGES)
    assert RANDOM not in STAGES
    assert all(stage.most >= 1 for stage in STAGES)
