"""The only SQL: the log, its mirror, one writer and many readers.

What this room hands out is loaded when it is first asked for: the process that tries out a backup needs a small part of
the room, and would otherwise spend more time loading the rest than on its work.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chat.store.reading import Reader
    from chat.store.state import Commit, Decide, State
    from chat.store.store import Store

__all__ = ["Commit", "Decide", "Reader", "State", "Store"]

_HOMES = {"Reader": "reading", "Commit": "state", "Decide": "state", "State": "state", "Store": "store"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
