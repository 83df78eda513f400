"""What Lighthouse says of the chat page: accessibility and best practices, on a desk and on a phone.

Lighthouse is no dependency of the program: `npm install lighthouse` in any folder, and name
`node_modules/.bin/lighthouse` there in LIGHTHOUSE_PATH, or have it on the path.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.browsed import chromium_path
from tests.bench.figures import Line, Scale, Skipped
from tests.bench.served import served
from tests.bench.stories import story_of_turns

CATEGORIES = ("accessibility", "best-practices")
SCORE_MIN = 100
FORMS = {"desk": ["--preset=desktop"], "phone": []}


def measure(scale: Scale) -> list[Line]:
    lighthouse = os.environ.get("LIGHTHOUSE_PATH") or shutil.which("lighthouse")
    if not lighthouse:
        raise Skipped("Lighthouse is not installed (npm install lighthouse, then set LIGHTHOUSE_PATH)")
    story = story_of_turns(100)
    with tempfile.TemporaryDirectory(prefix="chat-bench-lighthouse-") as name:
        copy = story.copy_to(Path(name) / "story")
        with served(copy) as server:
            url = f"http://127.0.0.1:{server.port}/chats/{copy.chats[0]}"
            return [line for form in FORMS for line in _scores(_report(lighthouse, url, form), form)]


def _report(lighthouse: str, url: str, form: str) -> dict[str, Any]:
    command = [lighthouse, url, "--quiet", "--output=json", *FORMS[form]]
    command += [f"--only-categories={','.join(CATEGORIES)}", "--chrome-flags=--headless=new --no-sandbox"]
    environment = os.environ | {"CHROME_PATH": chromium_path()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _scores(report: dict[str, Any], form: str) -> list[Line]:
    lines = []
    for name in CATEGORIES:
        category = report["categories"][name]
        score = (category["score"] or 0) * 100
        wanting = [
            one["id"]
            for one in category["auditRefs"]
            if one["weight"]
            and (report["audits"][one["id"]]["score"] or 0) < 1
            and report["audits"][one["id"]]["scoreDisplayMode"]
            not in ("notApplicable", "manual", "informative")
        ]
        what = f"Lighthouse, {name} of the chat page, {form}"
        lines.append(_at_least(what, score, ", ".join(wanting) or "nothing wanting"))
    return lines


def _at_least(what: str, score: float, wanting: str) -> Line:
    return Line(what, f"{score:.0f}", wanting, f"{score:.0f}", f">= {SCORE_MIN}", score >= SCORE_MIN)
