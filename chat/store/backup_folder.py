"""The folder of backups: what lies in it, and the only way in and out of it.

Names come from its listing, never from a request; links are not followed, neither of the folder nor in it.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import msgspec

from chat.errors import BackupRunning, NotFound, StoreError

DATABASE, MANIFEST, PART = ".db", ".json", ".part"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,120}")
_LOCK = ".lock"
_MANIFEST_BYTES = 65_536
_PLAIN_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Manifest(msgspec.Struct, frozen=True):
    """What a backup held when it was made. `number` grows by one with each, whatever the clock says."""

    number: Count
    created_at: str
    reason: str
    program: str
    head_id: Count
    head_hash: str
    events: Count
    chats: Count
    bots: Count
    size: Count
    sha256: str
    verified: bool


class Backup(NamedTuple):
    """A database file in the folder; without a manifest it was not made by this program, or not in full."""

    name: str
    size: int
    manifest: Manifest | None

    @property
    def is_verified(self) -> bool:
        """It was restored for a trial when it was made, and has the size it had then."""
        made = self.manifest
        return made is not None and made.verified and made.size == self.size


class BackupFolder:
    """Opened once and used through its own handle, so that nobody can put another folder in its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as problem:
            raise StoreError(
                f"The folder of backups cannot be opened: {problem.strerror}.",
                "It has to be a real folder, no link, that you may read; see the data folder.",
            ) from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def backups(self) -> list[Backup]:
        """Every backup, the last made first; files without a manifest come last."""
        found = [Backup(name, size, self._manifest(name)) for name, size in self._databases()]
        found.sort(key=lambda one: (one.manifest is not None, _order(one.manifest), one.name), reverse=True)
        return found

    def find(self, name: str) -> Backup:
        """The backup of that name from the listing. Raises NotFound."""
        for one in self.backups():
            if name in (one.name, one.name + DATABASE):
                return one
        raise NotFound("There is no backup of that name.", "Look at the list of backups and choose one.")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time writes here. Raises BackupRunning; the lock dies with its holder."""
        lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | _PLAIN_FILE, 0o600, dir_fd=self._fd)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BackupRunning("A backup is being made at this moment.") from None
            yield
        finally:
            os.close(lock)

    def create(self, name: str) -> None:
        """An empty file for its owner only; the name must be free."""
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN_FILE, 0o600, dir_fd=self._fd))

    def write(self, name: str, content: bytes) -> None:
        """A new file with this content, on the disk when this returns."""
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN_FILE, 0o600, dir_fd=self._fd)
        with os.fdopen(file, "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())

    @contextmanager
    def opened(self, name: str) -> Iterator[io.FileIO]:
        """A file, to be read through one handle. Raises NotFound for no file."""
        with os.fdopen(self._open(name), "rb", buffering=0) as file:
            yield file

    def start_of(self, name: str, count: int) -> tuple[bytes, int]:
        """The first bytes of a file and its size."""
        with self.opened(name) as source:
            return source.read(count) or b"", os.fstat(source.fileno()).st_size

    def sync(self, name: str) -> None:
        with self.opened(name) as file:
            os.fsync(file.fileno())

    def rename(self, name: str, final: str) -> None:
        os.rename(name, final, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        os.fsync(self._fd)

    def remove(self, *names: str) -> None:
        for name in names:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._fd)

    def discard(self, backup: Backup) -> None:
        """The database first: a manifest alone is nothing, a database alone would look like a foreign one."""
        self.remove(backup.name + DATABASE, backup.name + MANIFEST)

    def sweep(self) -> None:
        """Take away what a kill left behind. Only for the holder of the lock."""
        names = set(os.listdir(self._fd))
        unfinished = tuple(ending + PART for ending in (DATABASE, MANIFEST))
        for name in names:
            alone = name.endswith(MANIFEST) and name.removesuffix(MANIFEST) + DATABASE not in names
            if alone or name.endswith((*unfinished, f"{DATABASE}{PART}-journal")):
                self.remove(name)

    def is_free(self, name: str) -> bool:
        names = os.listdir(self._fd)
        return not any(one.startswith(f"{name}.") for one in names)

    def _databases(self) -> Iterator[tuple[str, int]]:
        for entry in os.listdir(self._fd):
            name = entry.removesuffix(DATABASE)
            if name == entry or not _NAME.fullmatch(name):
                continue
            with suppress(FileNotFoundError):
                state = os.stat(entry, dir_fd=self._fd, follow_symlinks=False)
                if stat.S_ISREG(state.st_mode):
                    yield name, state.st_size

    def _manifest(self, name: str) -> Manifest | None:
        try:
            with self.opened(name + MANIFEST) as file:
                return msgspec.json.decode(file.read(_MANIFEST_BYTES) or b"", type=Manifest)
        except (OSError, NotFound, msgspec.MsgspecError, UnicodeError):
            return None

    def _open(self, name: str) -> int:
        """A plain file, never what a link points to, never a pipe or a device."""
        try:
            file = os.open(name, os.O_RDONLY | _PLAIN_FILE, dir_fd=self._fd)
        except OSError as problem:
            if problem.errno in (errno.ELOOP, errno.ENOENT, errno.ENXIO):
                raise NotFound("There is no backup of that name.") from None
            raise
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise NotFound("There is no backup of that name.")
        return file


def _order(manifest: Manifest | None) -> int:
    return manifest.number if manifest else 0
