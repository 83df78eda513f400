"""What Lighthouse says of the main pages: accessibility and best practices, on a desk and on a phone.

Lighthouse is no dependency of the program: `npm install lighthouse` in any folder, and name
`node_modules/.bin/lighthouse` there in LIGHTHOUSE_PATH, or have it on the path.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from chat.clock import Clock
from chat.store.start import open_live
from tests.bench.browsed import chromium_path
from tests.bench.figures import Line, Scale, Skipped
from tests.bench.served import served
from tests.bench.stories import Story, story_of_turns

CATEGORIES = ("accessibility", "best-practices")
SCORE_MIN = 100
CHROME = (
    "--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-background-networking "
    "--disable-component-update"
)
FORMS = {"desk": ["--preset=desktop"], "phone": []}


def measure(scale: Scale) -> list[Line]:
    lighthouse = os.environ.get("LIGHTHOUSE_PATH") or shutil.which("lighthouse")
    if not lighthouse:
        raise Skipped("Lighthouse is not installed (npm install lighthouse, then set LIGHTHOUSE_PATH)")
    story = story_of_turns(100)
    with tempfile.TemporaryDirectory(prefix="chat-bench-lighthouse-") as name:
        copy = story.copy_to(Path(name) / "story")
        pages = _pages(copy, scale)
        with served(copy) as server:
            address = f"http://127.0.0.1:{server.port}"
            return [
                line
                for page, path in pages.items()
                for form in FORMS
                for line in _scores(_report(lighthouse, address + path, form), page, form)
            ]


def _pages(story: Story, scale: Scale) -> dict[str, str]:
    """The chat page alone in a quick run, since every page takes half a minute."""
    chat = f"/chats/{story.chats[0]}"
    if scale.quick:
        return {"the chat page": chat}
    with closing(open_live(story.settings, Clock(), read_only=True, warn=lambda _: None)) as live:
        bot_id = live.library.chats[story.chats[0]].bot_ids[0]
    return {
        "the chat page": chat,
        "the list of chats": "/chats",
        "the story map": f"{chat}/map",
        "the bots": "/bots",
        "a bot's page": f"/bots/{bot_id}",
        "the settings": "/settings",
    }


def _report(lighthouse: str, url: str, form: str) -> dict[str, Any]:
    command = [lighthouse, url, "--quiet", "--output=json", *FORMS[form]]
    command += [f"--only-categories={','.join(CATEGORIES)}", CHROME]
    environment = os.environ | {"CHROME_PATH": chromium_path()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _scores(report: dict[str, Any], page: str, form: str) -> list[Line]:
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
        what = f"{name} of {page}, {form}"
        lines.append(_at_least(what, score, ", ".join(wanting) or "nothing wanting"))
    return lines


def _at_least(what: str, score: float, wanting: str) -> Line:
    return Line(what, f"{score:.0f}", wanting, f"{score:.0f}", f">= {SCORE_MIN}", score >= SCORE_MIN)
