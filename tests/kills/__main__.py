"""`python -m tests.kills --kills 1000`: kills the program and prints, stage by stage, how often and what was lost.

Exit code 1 when anything was, or when a stage was aimed at and never reached. The seed is printed; with it the same
stages come in the same order.
"""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.kills.campaign import Tally, campaign, row_of
from tests.kills.stages import STAGES


def main() -> int:
    asked = _arguments()
    stages = [stage for stage in STAGES if not asked.stage or row_of(stage) in asked.stage]
    if not stages:
        print("There is no such stage. These are:", *sorted(map(row_of, STAGES)), sep="\n  ")
        return 2
    share = -(-asked.kills // asked.jobs)
    until_s = time.monotonic() + asked.minutes * 60 if asked.minutes else 0.0
    began_s, whole = time.monotonic(), Tally()
    print(f"Seed {asked.seed}, {asked.jobs} at a time.", flush=True)
    with ProcessPoolExecutor(asked.jobs, multiprocessing.get_context("spawn")) as pool:
        jobs = [
            pool.submit(campaign, share, asked.seed + number, stages, until_s=until_s, is_told=True)
            for number in range(asked.jobs)
        ]
        for job in jobs:
            whole.add(job.result())
    print(f"\n{whole.table()}\n\n{(time.monotonic() - began_s) / 60:.1f} minutes.")
    print(*(whole.problems or ["Nothing was lost."]), sep="\n")
    if whole.never_reached:
        print("Never reached, so not tried:", *whole.never_reached, sep="\n  ")
    return 1 if whole.problems or whole.never_reached else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="what comes when")
    parser.add_argument("--jobs", type=int, default=2, help="stories at a time (2)")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so many")
    parser.add_argument("--stage", action="append", help="only this one; may be given again")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
