"""One lock for loading the large libraries late: they import each other in circles, and two threads that begin at two
ends of a circle would see each other's modules half made.
"""

from __future__ import annotations

import asyncio
import importlib
import threading

LOADING = threading.Lock()
"""Held while anything that leads to `openai` or `instructor` is imported away from the main thread."""
_loaded: set[str] = set()


async def load(*names: str) -> None:
    """Import modules without holding up the event loop; at once when all of them are whole already."""
    if not _loaded.issuperset(names):
        await asyncio.to_thread(_import, names)


def _import(names: tuple[str, ...]) -> None:
    with LOADING:
        for name in names:
            importlib.import_module(name)
            _loaded.add(name)
