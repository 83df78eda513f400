"""Pictures on disk, named by what they hold, so that the same picture lies there once and a name never changes it."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path

_ID = re.compile(r"[0-9a-f]{64}")
_SUFFIX = ".png"


class Media:
    """The files of the media folder. Safe to use from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: set[str] | None = None

    def keep(self, data: bytes) -> str:
        """Write a picture, readable by this user alone, whole or not at all. Returns its id."""
        media_id = sha256(data).hexdigest()
        target = self._folder / f"{media_id}{_SUFFIX}"
        if not target.exists():
            part = target.with_suffix(".part")
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        self._listed().add(media_id)
        return media_id

    def read(self, media_id: str) -> bytes | None:
        """The picture, None when there is none of that id."""
        if not self.has(media_id):
            return None
        try:
            descriptor = os.open(self._folder / f"{media_id}{_SUFFIX}", os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            self._listed().discard(media_id)
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def has(self, media_id: str) -> bool:
        return media_id in self._listed()

    def _listed(self) -> set[str]:
        """The folder is looked at once; a picture that somebody takes out is noticed when it is read."""
        if self._known is None:
            found = self._folder.glob(f"*{_SUFFIX}") if self._folder.is_dir() else ()
            self._known = {path.stem for path in found if _ID.fullmatch(path.stem)}
        return self._known
