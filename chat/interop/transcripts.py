"""A story as a file to keep: Markdown to read, JSON to work with; what a reader of the page sees, and nothing else.

Written piece by piece, so that a long story needs no more room than a short one. In Markdown the words of a story
are words: nothing in them becomes a heading, a picture or a tag in whatever shows the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

_MARKS = re.compile(r"[\\`\[\]<~]|&(?=#?\w+;)")
_LINE_START = re.compile(r"^(\s{0,3})([#>+=|-]|:(?=-)|\d{1,9}(?=[.)]))", re.MULTILINE)
_LIST_OR_RULE = re.compile(r"^(\s{0,3})(?=\*[ \t]|(?:\*[ \t]*){3,}$|(?:_[ \t]*){3,}$)", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]{4,}", re.MULTILINE)


class About(NamedTuple):
    """What stands at the head of a file."""

    title: str
    you: str
    bots: tuple[str, ...]


class Entry(NamedTuple):
    """One turn. `text` is as it was written, `shown` with its commands in words.

    `at` is story time, `when` the same in words; `scene` changes where another scene begins.
    """

    name: str
    role: str
    text: str
    shown: str
    at: str
    when: str
    written_at: str
    scene: str
    place: str
    is_whole: bool


class Format(Protocol):
    """How a file is written. `before` is the entry above, None for the first."""

    def head(self, about: About) -> str: ...
    def entry(self, entry: Entry, before: Entry | None) -> str: ...
    def tail(self) -> str: ...


class Markdown:
    media_type, suffix = "text/markdown; charset=utf-8", "md"

    def head(self, about: About) -> str:
        people = ", ".join(_on_one_line(name) for name in (*about.bots, about.you))
        return f"# {_on_one_line(about.title)}\n\n{people}\n"

    def entry(self, entry: Entry, before: Entry | None) -> str:
        is_new = before is None or before.scene != entry.scene
        heading = ", ".join(filter(None, (_on_one_line(entry.place), entry.when))) if is_new else ""
        above = f"\n## {heading}\n" if heading else ""
        cut = "" if entry.is_whole else "\n\n(This reply was not finished.)"
        name = "" if entry.role == "narrator" else f"**{_on_one_line(entry.name)}**\n\n"
        return f"{above}\n{name}{prose(entry.shown)}{cut}\n"

    def tail(self) -> str:
        return ""


class Json:
    media_type, suffix = "application/json", "json"

    def head(self, about: About) -> str:
        told = {"format": "chat transcript", "version": 1, **about._asdict()}
        return json.dumps(told, ensure_ascii=False)[:-1] + ', "turns": ['

    def entry(self, entry: Entry, before: Entry | None) -> str:
        told = {
            "name": entry.name,
            "role": entry.role,
            "text": entry.text,
            "story_time": entry.at,
            "written_at": entry.written_at,
            "place": entry.place,
            "whole": entry.is_whole,
        }
        return ("," if before else "") + "\n" + json.dumps(told, ensure_ascii=False)

    def tail(self) -> str:
        return "\n]}\n"


def prose(text: str) -> str:
    """The words of a turn as Markdown: emphasis stays, line breaks stay, every other mark is only a character."""
    plain = _INDENT.sub("", _MARKS.sub(r"\\\g<0>", text.strip()))
    plain = _LIST_OR_RULE.sub(r"\1\\", plain)
    plain = _LINE_START.sub(lambda at: f"{at[1]}{at[2]}\\" if at[2].isdigit() else f"{at[1]}\\{at[2]}", plain)
    return re.sub(r"(?<=\S)[ \t]*\n(?=[ \t]*\S)", "\\\\\n", plain)


def _on_one_line(text: str) -> str:
    return re.sub(r"([*_#|])", r"\\\1", _MARKS.sub(r"\\\g<0>", " ".join(text.split())))


def file_name(title: str, suffix: str) -> str:
    """A name any file system takes: letters, digits and blanks of the title, in whatever script it is written."""
    kept = "".join(char if char.isalnum() or char in " -_" else " " for char in title)
    return f"{' '.join(kept.split())[:80].strip() or 'story'}.{suffix}"


FORMATS: Sequence[Markdown | Json] = (Markdown(), Json())
