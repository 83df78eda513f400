"""A start loads what the first page needs and nothing else: every heavy package has its own moment later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
    "pydantic.v1",
)
LOADED = f"import sys, chat.cli, chat.app; print(*(name for name in {LATER!r} if sys.modules.get(name)))"


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_heavy_packages_are_not_loaded_by_the_start() -> None:
    assert _python(LOADED).split() == []


def test_what_was_kept_out_of_the_start_can_still_be_loaded() -> None:
    assert _python("import chat.observe, rich.console; print(rich.console.Console.__name__)") == "Console\n"


def test_pydantics_first_version_is_there_again_once_the_site_is_made(tmp_path: Path) -> None:
    made = f"create_site(load_settings(data_dir={str(tmp_path)!r}), clock=Clock(), lifespan=None)"
    code = (
        "from chat.clock import Clock; from chat.settings import load_settings; "
        f"from chat.web.site import create_site; {made}; from pydantic import v1; print(v1.BaseModel.__name__)"
    )
    assert _python(code) == "BaseModel\n"


def test_logs_can_be_set_up_where_rich_is_there_already() -> None:
    assert _python("import rich, chat.observe, structlog; print(structlog.is_configured())") == "True\n"
