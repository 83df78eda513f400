"""Joins the modules of the page's script into one file, so that a page asks for one however many it is written in.

It reads the few shapes our own files use (named imports on one line, exported declarations) and refuses any other;
it must never be given a file from elsewhere.
"""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def join_modules(entry: Path) -> bytes:
    """One module that does what `entry` does with all it imports; each of those runs once, in a scope of its own."""
    joined: dict[str, str] = {}
    body, _ = _read(entry, joined)
    return "\n".join([*joined.values(), body]).encode()


def _read(path: Path, joined: dict[str, str]) -> tuple[str, list[str]]:
    """The text of one module with its imports taken from those in `joined`, and the names it exports."""
    source = path.read_text("utf-8")
    for imported in _IMPORT.finditer(source):
        if imported[2] not in joined:
            text, exported = _read(path.parent / imported[2], joined)
            joined[imported[2]] = _enclosed(imported[2], text, exported)
    names = _EXPORT.findall(source)
    body = _EXPORT.sub(
        "", _IMPORT.sub(lambda found: f"const {{ {found[1]} }} = {_scope(found[2])};\n", source)
    )
    if other := _OTHER.search(body):
        raise ValueError(f"{path.name} cannot be joined with the other scripts: {other[0]}")
    return body, names


def _enclosed(name: str, text: str, exported: list[str]) -> str:
    return f"const {_scope(name)} = (() => {{\n{text}\nreturn {{ {', '.join(exported)} }};\n}})();\n"


def _scope(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))
