"""Keeps compiled templates where Python keeps compiled modules, so that a start need not compile them again.

They are made, trusted and thrown away exactly as those are: beside the source, or below PYTHONPYCACHEPREFIX, and not
at all with PYTHONDONTWRITEBYTECODE. It must never keep anything that came from a story.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
from contextlib import suppress
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import jinja2
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

_SUM_BYTES = hashlib.sha256().digest_size


class CompiledTemplates(BytecodeCache):
    """`options` is the file that says how templates are compiled; what was compiled before it changed is stale."""

    def __init__(self, folder: Path, options: Path) -> None:
        self._folder = folder
        self._recipe = MAGIC_NUMBER + jinja2.__version__.encode() + options.read_bytes()

    def get_source_checksum(self, source: str) -> str:
        return hashlib.sha256(self._recipe + source.encode()).hexdigest()

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        return name

    def load_bytecode(self, bucket: Bucket) -> None:
        """Nothing where there is none, where it is of another source, or where it is damaged."""
        try:
            kept = self._path(bucket).read_bytes()
        except OSError:
            return
        of, whole, code = kept[:_SUM_BYTES], kept[_SUM_BYTES : 2 * _SUM_BYTES], kept[2 * _SUM_BYTES :]
        if of == bytes.fromhex(bucket.checksum) and whole == hashlib.sha256(code).digest():
            bucket.code = marshal.loads(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """In one step, so that nobody reads half of it; where nothing can be written it is compiled each time."""
        if sys.dont_write_bytecode or bucket.code is None:
            return
        code = marshal.dumps(bucket.code)
        path = self._path(bucket)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(bytes.fromhex(bucket.checksum) + hashlib.sha256(code).digest() + code)
            unfinished.replace(path)

    def _path(self, bucket: Bucket) -> Path:
        return Path(cache_from_source(str(self._folder / bucket.key)))
