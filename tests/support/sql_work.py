"""Counts what SQLite does on all the program's connections: statements, and steps of its machine (a row costs some)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

STEPS_AT_ONCE = 50


@dataclass
class Work:
    """`steps` in virtual machine instructions, give or take `STEPS_AT_ONCE` a statement."""

    statements: int = 0
    steps: int = 0


@contextmanager
def counting() -> Iterator[Work]:
    """Every connection opened inside is counted; wrap the start of the program in it."""
    work, connect = Work(), sqlite3.connect

    def said(sql: str) -> None:
        work.statements += not sql.startswith("--")  # a trigger's own statements come as comments

    def went_on() -> int:
        work.steps += STEPS_AT_ONCE
        return 0

    def counted(*place: Any, **how: Any) -> sqlite3.Connection:
        conn = connect(*place, **how)
        conn.set_trace_callback(said)
        conn.set_progress_handler(went_on, STEPS_AT_ONCE)
        return conn

    sqlite3.connect = counted  # type: ignore[assignment]
    try:
        yield work
    finally:
        sqlite3.connect = connect
