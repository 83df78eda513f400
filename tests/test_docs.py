"""Everything a reader can look up is written down, and every page points at things that exist."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CLAUDE.md", *(ROOT / "docs").rglob("*.md")])
MADE_FROM_CODE = ("events.md", "settings.md", "routes.md", "cli.md", "metrics.md")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", MADE_FROM_CODE)
def test_a_page_made_from_code_says_what_the_code_says(generate: ModuleType, name: str) -> None:
    assert (ROOT / "docs" / name).read_text("utf-8") == generate.PAGES[name]()


def _cells(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Each table row of a page with the head of its table."""
    head = ""
    for line in page.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells or set(cells) == {"---"}:
            head = head if cells else ""
        elif not head:
            head = line
        else:
            yield head, cells


@pytest.mark.parametrize(
    ("name", "column"), [("settings.md", 3), ("routes.md", 2), ("cli.md", 2), ("metrics.md", 2)]
)
def test_nothing_in_a_table_is_left_unexplained(name: str, column: int) -> None:
    rows = list(_cells(ROOT / "docs" / name))
    assert rows
    assert not [cells for _, cells in rows if not cells[column]]


def test_every_event_says_what_happened(generate: ModuleType) -> None:
    kinds = re.findall(r"^### (\w+)\n\nVersion \d+\. ?(.*)$", generate.events(), re.MULTILINE)
    assert len(kinds) > 20
    assert not [kind for kind, meaning in kinds if not meaning.endswith((".", ")"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    assert not [target for target in targets if "://" not in target and not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_and_make_words_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    words = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^    )make ([a-z]+)", text, re.MULTILINE)) <= words
    named = re.findall(r"`((?:chat|docs|tests|\.ci)/[\w/.-]+\.\w+)`", text)
    assert not [name for name in named if not (ROOT / name).exists()]
