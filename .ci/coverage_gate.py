"""Refuses a test run that executed too little; coverage.py has one limit for lines and branches together."""

import json
import sys
from pathlib import Path

LINES_PERCENT = 85.0
BRANCHES_PERCENT = 75.0


def main(report: Path) -> int:
    totals = json.loads(report.read_text("utf-8"))["totals"]
    lines = 100.0 * totals["covered_lines"] / max(1, totals["num_statements"])
    branches = 100.0 * totals["covered_branches"] / max(1, totals["num_branches"])
    print(f"Lines {lines:.1f} % (at least {LINES_PERCENT:.0f})")
    print(f"Branches {branches:.1f} % (at least {BRANCHES_PERCENT:.0f})")
    return 0 if lines >= LINES_PERCENT and branches >= BRANCHES_PERCENT else 1


sys.exit(main(Path(sys.argv[1])))
