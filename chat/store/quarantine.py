"""Answers of a model that could not be used, each a file with its raw text, until the player looks at or drops them.

They hold story text, so they lie in the private data folder and are never logged.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from chat.errors import NotFound

_ID = re.compile(r"[0-9A-Z]{26}")
_RAW_MAX = 60_000


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One unusable answer. `kind` is what was wrong with it, `purpose` what it was asked for."""

    id: str
    kind: str
    purpose: str
    chat_id: str
    turn_id: str
    model: str
    attempt: int
    detail: str
    raw_text: str
    ts: str


def keep(folder: Path, case: Case) -> None:
    """Write a case, readable by this user alone."""
    body = msgspec.json.encode(msgspec.structs.replace(case, raw_text=case.raw_text[:_RAW_MAX]))
    descriptor = os.open(_path(folder, case.id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)


def cases(folder: Path) -> list[Case]:
    """Every readable case, newest first."""
    found = []
    for path in sorted(folder.glob("*.json"), reverse=True):
        if _ID.fullmatch(path.stem):
            found.append(show(folder, path.stem))
    return found


def show(folder: Path, case_id: str) -> Case:
    try:
        return msgspec.json.decode(_path(folder, case_id).read_bytes(), type=Case)
    except (OSError, msgspec.MsgspecError):
        raise NotFound("There is no such case in the quarantine.") from None


def remove(folder: Path, case_id: str) -> None:
    _path(folder, case_id).unlink(missing_ok=True)


def _path(folder: Path, case_id: str) -> Path:
    if not _ID.fullmatch(case_id):
        raise NotFound("There is no such case in the quarantine.")
    return folder / f"{case_id}.json"
