"""Compiled templates are kept as Python keeps compiled modules, only while source and options are the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

from chat.web.compiled import CompiledTemplates


class Counting(Environment):
    """Notes what it had to compile."""

    compiled: list[str | None]

    def compile(self, source, name=None, filename=None, raw=False, defer_init=False):  # type: ignore[no-untyped-def]
        self.compiled.append(name)
        return super().compile(source, name, filename, raw, defer_init)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Templates and the file that sets their options; nothing of this is kept beside the real ones."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "compiled"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    made = tmp_path / "templates"
    (made / "pages").mkdir(parents=True)
    (made / "pages/hello.html").write_text("Hello {{ name }}.", "utf-8")
    (tmp_path / "options.py").write_text("trim = True", "utf-8")
    return made


def environment(folder: Path) -> Counting:
    cache = CompiledTemplates(folder, folder.parent / "options.py")
    made = Counting(loader=FileSystemLoader(folder), bytecode_cache=cache, autoescape=True)
    made.compiled = []
    return made


def said(made: Counting) -> str:
    return made.get_template("pages/hello.html").render(name="<you>")


def test_a_template_is_compiled_once_for_all_starts(folder: Path) -> None:
    first, second = environment(folder), environment(folder)
    assert said(first) == said(second) == "Hello &lt;you&gt;."
    assert (first.compiled, second.compiled) == (["pages/hello.html"], [])
    assert [path.suffix for path in (folder.parent / "compiled").rglob("*") if path.is_file()] == [".pyc"]
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["hello.html"]


def test_another_source_and_other_options_are_compiled_anew(folder: Path) -> None:
    said(environment(folder))
    (folder / "pages/hello.html").write_text("Good evening {{ name }}.", "utf-8")
    second = environment(folder)
    assert (said(second), second.compiled) == ("Good evening &lt;you&gt;.", ["pages/hello.html"])
    (folder.parent / "options.py").write_text("trim = False", "utf-8")
    third = environment(folder)
    assert (said(third), third.compiled) == ("Good evening &lt;you&gt;.", ["pages/hello.html"])


def test_a_damaged_file_and_a_folder_that_cannot_be_written_cost_time_and_nothing_else(folder: Path) -> None:
    said(environment(folder))
    (kept,) = (path for path in (folder.parent / "compiled").rglob("*.pyc"))
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-9] + bytes(9))
    second = environment(folder)
    assert (said(second), second.compiled) == ("Hello &lt;you&gt;.", ["pages/hello.html"])
    kept.unlink()
    kept.mkdir()  # a file cannot take its place
    third = environment(folder)
    assert (said(third), third.compiled) == ("Hello &lt;you&gt;.", ["pages/hello.html"])


def test_nothing_is_kept_where_python_keeps_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    said(environment(folder))
    assert not (folder.parent / "compiled").exists()
