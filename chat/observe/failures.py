"""Tells a failure for the log: where it happened and of what kind, without what anybody wrote.

Local values are never shown, and the message of an error only when its kind cannot quote a story.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from chat.errors import ChatError
from chat.observe.redaction import printable

_SPEAK = (ChatError, OSError, AttributeError, NameError, ImportError, TypeError, RuntimeError, IndexError)
_FRAMES = 25
_LINKS = 8
_HERE = Path(__file__).parents[2]


def describe(error: BaseException) -> list[str]:
    """Lines for the log, the first cause first."""
    lines: list[str] = []
    for link in reversed(_chain(error)):
        lines += [f"{_kind(link)}: {_message(link)}", *_frames(link)]
        if isinstance(link, BaseExceptionGroup):
            for part in link.exceptions[:_LINKS]:
                lines += [f"  + {line}" for line in describe(part)]
    return lines


def _chain(error: BaseException) -> list[BaseException]:
    """The error, what caused it, what caused that."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links and len(links) < _LINKS:
        links.append(link)
        hidden = link.__suppress_context__
        link = link.__cause__ or (None if hidden else link.__context__)
    return links


def _message(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return f"{len(error.exceptions)} failures"
    text = str(error)
    from_sqlite = type(error).__module__ == "sqlite3" and "fts5" not in text
    if isinstance(error, UnicodeError) or not (from_sqlite or isinstance(error, _SPEAK)):
        return f"<{len(text)} characters>"
    return printable(text)


def _frames(error: BaseException) -> list[str]:
    found = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [
        f"  at {_place(frame.filename)}:{frame.lineno} {frame.name}: {frame.line or ''}" for frame in found
    ]


def _place(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(_HERE)) if path.is_relative_to(_HERE) else "/".join(path.parts[-3:])


def _kind(error: BaseException) -> str:
    module = type(error).__module__
    return type(error).__qualname__ if module == "builtins" else f"{module}.{type(error).__qualname__}"
