"""The shape of the program: small files, plain names, one-way imports, nothing dead, all of it here."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from pydantic import BaseModel

from chat.settings import Settings

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "chat").rglob("*.py"))
ENTRY_POINTS = ("chat.cli", "chat.app")
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 40
NAMES_THAT_SAY_NOTHING = re.compile(
    r"(utils?|helpers?|common|base|managers?|services?|misc|shared)(_.*)?|.*_(utils?|helpers?|manager|service)"
)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("chat", include_external_packages=True, cache_dir=None)


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _tracked() -> list[Path]:
    """Every file git would hand out: what is committed and what is new and not ignored."""
    named = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / name for name in named.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_is_longer_than_a_person_reads_in_one_go() -> None:
    ours = [path for path in _tracked() if path.suffix in {".py", ".js", ".css", ".html", ".j2", ".sql"}]
    ours = [path for path in ours if "vendor" not in path.parts]
    long = {_id(path): n for path in ours if (n := len(path.read_text("utf-8").splitlines())) > MOST_LINES}
    assert not long


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{_id(path)}:{node.lineno} {node.name}": length
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    }
    assert not long


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = [part for path in SOURCES for part in path.relative_to(ROOT).with_suffix("").parts]
    assert not [name for name in names if NAMES_THAT_SAY_NOTHING.fullmatch(name)]


def test_every_module_says_what_it_is_for() -> None:
    written = [(path, text) for path in SOURCES if (text := path.read_text("utf-8")).strip()]
    assert not [_id(path) for path, text in written if not ast.get_docstring(ast.parse(text))]


def test_the_import_contracts_hold() -> None:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout[-4000:]


def test_every_module_is_reached_from_an_entry_point(graph: grimp.ImportGraph) -> None:
    alive = set(ENTRY_POINTS)
    for entry in ENTRY_POINTS:
        alive |= graph.find_upstream_modules(entry)
    alive |= {".".join(name.split(".")[:depth]) for name in alive for depth in range(1, name.count(".") + 1)}
    written = {path for path in SOURCES if len(ast.parse(path.read_text("utf-8")).body) > 1}
    ours = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in written
    }
    assert not sorted(ours - alive - {"chat.__main__"})


NOT_YET_RAISED = {"BudgetExceeded", "CircuitOpen"}
"""What the tree of errors says of these: nothing raises them yet."""


def test_every_error_is_raised_by_the_program() -> None:
    """Or by a kind of it. To give it a status for the browser is not to raise it."""
    tree = ast.parse((ROOT / "chat/errors.py").read_text("utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    named = {base.id for node in classes.values() for base in node.bases if isinstance(base, ast.Name)}
    for path in SOURCES:
        if path.name not in ("errors.py", "failures.py") or path.parent.name == "llm":
            nodes = ast.walk(ast.parse(path.read_text("utf-8")))
            named |= {node.id for node in nodes if isinstance(node, ast.Name)}
    assert set(classes) - named == NOT_YET_RAISED
    told = (ast.get_docstring(tree) or "").splitlines()
    yet = {line.split()[0] for line in told if line.endswith("nothing raises it yet")}
    assert yet == NOT_YET_RAISED


NOT_YET_READ = {"breaker.failure_threshold", "breaker.recovery_s"}
"""What the pages of settings say of these: nothing goes by them yet."""


def test_every_setting_is_read_by_the_program() -> None:
    readers = [path for path in SOURCES if path.name != "schema.py"]
    nodes = [node for path in readers for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    unread = {name for name in _names_of(Settings) if name.rpartition(".")[2] not in read}
    assert unread == NOT_YET_READ


def _names_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _names_of(inner, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_package_that_is_imported_is_declared(graph: grimp.ImportGraph) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower().replace("_", "-") for line in declared}
    providers = importlib.metadata.packages_distributions()
    outside = {name.split(".")[0] for name in graph.modules} - {"chat"} - set(sys.stdlib_module_names)
    missing = {
        name
        for name in outside
        if not {dist.lower().replace("_", "-") for dist in providers.get(name, [])} & names
    }
    assert not missing


def _assets() -> Iterator[tuple[str, str]]:
    for folder in ("templates", "static"):
        for path in sorted((ROOT / "chat/web" / folder).rglob("*")):
            if (
                path.is_file()
                and "vendor" not in path.parts
                and path.suffix in {".html", ".css", ".js", ".svg"}
            ):
                yield _id(path), path.read_text("utf-8")


LOADS_FROM_ELSEWHERE = re.compile(
    r"""(?:src|srcset|poster|data|action|hx-(?:get|post|put|delete))\s*=\s*["']?\s*(?:https?:)?//
      | <link\b[^>]*href\s*=\s*["']?\s*(?:https?:)?//
      | (?:url\(|@import|fetch\(|importScripts\(|EventSource\(|WebSocket\(|Worker\(|\bfrom)
        \s*["']?\s*(?:https?:|wss?:)?//
    """,
    re.IGNORECASE | re.VERBOSE,
)
RUNS_OR_PAINTS_INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)|<style\b|\sstyle\s*=|\son[a-z]+\s*=|javascript:", re.IGNORECASE
)


def test_pages_load_nothing_from_elsewhere() -> None:
    assert not [(name, hit[0]) for name, text in _assets() if (hit := LOADS_FROM_ELSEWHERE.search(text))]


def test_pages_hold_no_inline_script_or_style() -> None:
    pages = [(name, text) for name, text in _assets() if name.endswith(".html")]
    assert not [(name, hit[0]) for name, text in pages if (hit := RUNS_OR_PAINTS_INLINE.search(text))]


def test_only_markup_decides_what_is_markup() -> None:
    templates = [name for name, text in _assets() if re.search(r"\|\s*safe\b|autoescape\s+false", text)]
    makers = [_id(path) for path in SOURCES if re.search(r"\bMarkup\(", path.read_text("utf-8"))]
    assert not templates
    assert set(makers) <= {"chat/web/markup.py"}


def test_every_template_and_every_asset_is_used() -> None:
    assets = dict(_assets())
    everything = {**assets, **{_id(path): path.read_text("utf-8") for path in SOURCES}}
    unused = [
        name
        for name in assets
        if not any(Path(name).name in text for other, text in everything.items() if other != name)
    ]
    assert not unused


REGISTRIES = (
    "pypi" + ".org",
    "python" + "hosted",
    "npm" + "js.org",
    "deb" + ".debian.org",
    "find-" + "links =",
)
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:work|root|farm|opt/(?:pypi|wheels)|home/\w+|Users/\w+)/")


def test_no_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    found = []
    for path in _tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        if any(host in text for host in REGISTRIES) or MACHINE_PATHS.search(text):
            found.append(_id(path))
    assert not found


def test_the_lock_files_hold_hashes_and_no_address() -> None:
    for lock in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / ".ci" / lock).read_text("utf-8")
        pinned = re.findall(r"^[a-z0-9][\w.-]*(?:\[[\w,-]+\])?==", text, re.MULTILINE)
        assert len(pinned) > 40
        assert len(re.split(r"^[a-z0-9]", text, flags=re.MULTILINE)) == len(pinned) + 1
        assert all(
            "--hash=sha256:" in block for block in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        )
        assert "//" not in text
