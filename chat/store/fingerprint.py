"""Names the program that wrote the mirrored rows, so that another one knows that it must write them anew."""

from __future__ import annotations

import hashlib
import importlib.resources
from collections.abc import Iterator
from functools import cache
from importlib.resources.abc import Traversable

from chat.store import migrate


def fingerprint() -> str:
    """Changes when anything that decides the mirrored rows does: the fold's own source, or the schema."""
    return _fingerprint(tuple(migration.checksum for migration in migrate.shipped()))


@cache
def _fingerprint(schema: tuple[str, ...]) -> str:
    digest = hashlib.sha256("".join(schema).encode())
    for source in sources(importlib.resources.files("chat.domain")):
        digest.update(source)
    return digest.hexdigest()


def sources(folder: Traversable) -> Iterator[bytes]:
    """Every Python file below a folder, in the order of names."""
    for item in sorted(folder.iterdir(), key=lambda one: one.name):
        if item.is_dir():
            yield from sources(item)
        elif item.name.endswith(".py"):
            yield item.read_bytes()
