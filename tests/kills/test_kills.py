"""The program survives being killed. Here a few dozen times; `make kills` does it a thousand times."""

from __future__ import annotations

import os
import time

import pytest

from tests.kills.campaign import campaign
from tests.kills.stages import RANDOM, STAGES

KILLS = int(os.environ.get("KILLS", "12"))
"""CI asks for more."""
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
def test_a_kill_at_any_instant_loses_nothing_and_leaves_nothing_half_done() -> None:
    """TRUST 89."""
    until_s = time.monotonic() + ALLOWED_S if KILLS < 100 else 0.0
    tally = campaign(KILLS, seed=11, stages=SURE if KILLS < 100 else STAGES, until_s=until_s)
    assert tally.problems == [], tally.table()
    assert tally.kills >= 4


def test_every_stage_has_a_name_of_its_own() -> None:
    assert len({(stage.name, stage.when) for stage in STAGES}) == len(STAGES)
    assert RANDOM not in STAGES
    assert all(stage.most >= 1 for stage in STAGES)
