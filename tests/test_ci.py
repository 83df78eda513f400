"""The scripts behind make: what they do on a machine that lacks something, and what they refuse."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).parent.parent / ".ci"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH with a shell and nothing else: no browser, no package manager, no Python."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    return tools


def _program(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    path.chmod(0o755)
    return path


def _run(
    *command: str | Path, path: Path, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": str(path), **env},
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_machine_without_a_browser_is_told_what_to_do(bare: Path) -> None:
    answer = _run("sh", CI / "chromium", "--install", path=bare)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "set CHROMIUM_PATH" in answer.stderr


def test_the_browser_that_was_named_is_taken_before_any_other(bare: Path, tmp_path: Path) -> None:
    _program(bare / "chromium", "exit 0")
    mine = _program(tmp_path / "mine", "exit 0")
    assert _run("sh", CI / "chromium", path=bare).stdout.strip() == str(bare / "chromium")
    assert _run("sh", CI / "chromium", path=bare, CHROMIUM_PATH=str(mine)).stdout.strip() == str(mine)


def test_a_python_that_is_too_old_is_not_used(bare: Path, tmp_path: Path) -> None:
    for name in ("python3", "python"):
        _program(bare / name, "exit 1")
    answer = _run("sh", CI / "install", tmp_path / "venv", "lock.txt", path=bare)
    assert answer.returncode != 0
    assert "No Python 3.11 or newer" in answer.stderr
    assert not (tmp_path / "venv").exists()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose Python only says how it was called."""
    shutil.copytree(CI, tmp_path / "checkout/.ci")
    _program(tmp_path / "checkout/.venv/bin/python", 'echo "python $@"')
    return tmp_path / "checkout"


def test_without_a_browser_a_person_gets_all_other_tests(bare: Path, checkout: Path) -> None:
    answer = _run("sh", ".ci/test", "-q", path=bare, cwd=checkout)
    assert answer.returncode == 0
    assert answer.stdout.strip() == "python -m pytest -m not browser -q"


def test_without_a_browser_ci_fails_before_a_test_is_run(bare: Path, checkout: Path) -> None:
    answer = _run("sh", ".ci/test", path=bare, cwd=checkout, CI="true")
    assert answer.returncode == 1
    assert answer.stdout == ""


def test_a_failed_test_run_is_a_failure_whatever_was_covered(bare: Path, checkout: Path) -> None:
    _program(bare / "chromium", "exit 0")
    _program(checkout / ".venv/bin/python", 'case "$*" in *pytest*) exit 3;; esac')
    assert _run("sh", ".ci/test", path=bare, cwd=checkout).returncode == 3


@pytest.mark.parametrize(
    ("lines", "branches", "code"), [(85, 75, 0), (100, 100, 0), (84, 100, 1), (100, 74, 1)]
)
def test_too_little_coverage_of_either_kind_is_a_failure(
    tmp_path: Path, lines: int, branches: int, code: int
) -> None:
    totals = {
        "covered_lines": lines,
        "num_statements": 100,
        "covered_branches": branches,
        "num_branches": 100,
    }
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps({"totals": totals}), "utf-8")
    answer = _run(sys.executable, CI / "coverage_gate.py", report, path=tmp_path)
    assert answer.returncode == code
    assert f"{lines}.0 %" in answer.stdout
    assert f"{branches}.0 %" in answer.stdout
