"""Gets the most out of an answer that was to be JSON of a known shape. Pure; never invents a value.

Order: the first balanced object in the text, then the stump of a cut-off one, then its valid parts.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, TypeVar

import pydantic_core
from pydantic import BaseModel, ValidationError

T = TypeVar("T", bound=BaseModel)

_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_REFUSAL = re.compile(
    r"\b(I(['’]m| am) (sorry|unable|not able)|I (can(['’]?t|not)|won['’]t|will not|must decline)|as an AI\b"
    r"|I apologi[sz]e|against my (guidelines|policy)|(unable|not able) to (assist|help|comply))",
    re.IGNORECASE,
)
_ROUNDS = 20


class Found(NamedTuple):
    """`data` is None when there is no object in the text; `whole` is false for a cut-off one."""

    data: dict[str, Any] | None
    whole: bool


NOTHING = Found(None, False)


def find_object(text: str) -> Found:
    """The first object in the text that parses; fences, prose around it and raw line breaks are no matter."""
    for start in _openings(text):
        end = _balanced_end(text, start)
        if end is None:
            return Found(_stump(text[start:]), False)
        data = _load(text[start:end])
        if data is not None:
            return Found(data, True)
    return NOTHING


def _openings(text: str) -> list[int]:
    return [found.start() for found in re.finditer(r"\{", text)][:50]


def _balanced_end(text: str, start: int) -> int | None:
    depth, at = 0, start
    while at < len(text):
        character = text[at]
        if character == '"':
            string = _STRING.match(text, at)
            at = string.end() if string else at + 1
            continue
        depth += (character == "{") - (character == "}")
        at += 1
        if depth == 0:
            return at
    return None


def _load(text: str) -> dict[str, Any] | None:
    for candidate in (text, _without_trailing_commas(text)):
        try:
            value = json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict) else None
    return None


def _without_trailing_commas(text: str) -> str:
    pieces, at = [], 0
    for string in _STRING.finditer(text):
        pieces += [_TRAILING_COMMA.sub(r"\1", text[at : string.start()]), string.group()]
        at = string.end()
    return "".join([*pieces, _TRAILING_COMMA.sub(r"\1", text[at:])])


def _stump(text: str) -> dict[str, Any] | None:
    escaped = _STRING.sub(lambda found: re.sub(r"[\x00-\x1f]", _escape, found.group()), text)
    try:
        value = pydantic_core.from_json(escaped, allow_partial="trailing-strings")
    except ValueError:
        return None
    return value if isinstance(value, dict) and value else None


def _escape(control: re.Match[str]) -> str:
    return f"\\u{ord(control.group()):04x}"


def is_refusal(text: str) -> bool:
    """Whether a text without an object is the model declining, in the words models use for it."""
    return bool(_REFUSAL.search(text[:600]))


def has_its_shape(answer: type[BaseModel], data: dict[str, Any]) -> bool:
    """At least one of the answer's own keys: otherwise defaults would pass any object off as an answer."""
    keys = {field.alias or name for name, field in answer.model_fields.items()} | set(answer.model_fields)
    return not keys or not keys.isdisjoint(data)


def salvage(answer: type[T], data: dict[str, Any]) -> T | None:
    """The answer from its valid parts: bad list items and bad optional fields are left out."""
    for _ in range(_ROUNDS):
        try:
            return answer.model_validate(data) if has_its_shape(answer, data) else None
        except ValidationError as error:
            paths = {_droppable(data, problem["loc"]) for problem in error.errors()}
        if () in paths:
            return None
        for path in sorted(paths, key=_late_first, reverse=True):
            _drop(data, path)
    return None


_Path = tuple[int | str, ...]


def _late_first(path: _Path) -> list[tuple[str, int]]:
    return [(part, 0) if isinstance(part, str) else ("", part) for part in path]


def _droppable(data: Any, loc: _Path) -> _Path:
    """The innermost list item on the way to the fault, else the part nearest to it; () for the whole."""
    walked: list[int | str] = []
    item: _Path = ()
    for part in loc:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            break
        walked.append(part)
        if isinstance(part, int):
            item = tuple(walked)
    return item or tuple(walked)


def _drop(data: Any, path: _Path) -> None:
    *way, last = path
    try:
        for part in way:
            data = data[part]
        del data[last]
    except (KeyError, IndexError, TypeError):
        pass  # a neighbour that held it is gone already
