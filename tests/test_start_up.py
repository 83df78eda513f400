"""A start loads what the first page needs and nothing else: every heavy package has its own moment later."""

from __future__ import annotations

import subprocess
import sys

LATER = (
    "openai",
    "instructor",
    "httpx2",
    "aiohttp",
    "tiktoken",
    "rich",
    "pygments",
    "pytest",
    "numpy",
    "prometheus_client",
    "PIL",
)
LOADED = f"import sys, chat.cli, chat.app; print(*(name for name in {LATER!r} if name in sys.modules))"


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_heavy_packages_are_not_loaded_by_the_start() -> None:
    assert _python(LOADED).split() == []


def test_what_was_kept_out_of_the_start_can_still_be_loaded() -> None:
    assert _python("import chat.observe, rich.console; print(rich.console.Console.__name__)") == "Console\n"


def test_logs_can_be_set_up_where_rich_is_there_already() -> None:
    assert _python("import rich, chat.observe, structlog; print(structlog.is_configured())") == "True\n"
