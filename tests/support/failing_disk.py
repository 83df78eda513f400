"""A disk that fails at a chosen moment: below SQLite, and below the program's own files in one folder.

SQLite is reached through its own layer for files (its VFS), so what fails is what would fail in the kernel: each open,
write, truncation and sync. Reads are left alone; damaged pages are tests of their own.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_FULL, _CANTOPEN, _IOERR_FSYNC, _IOERR_TRUNCATE = 13, 14, 1034, 1546
_POINTER = ctypes.c_void_p
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, _POINTER, ctypes.c_int, _POINTER)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int)


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`: what one open file can do. Only what is replaced here has its type."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("close", _POINTER),
        ("read", _POINTER),
        ("write", _WRITE),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        *((f"other{number}", _POINTER) for number in range(14)),
    ]


class _Vfs(ctypes.Structure):
    """The beginning of `sqlite3_vfs`."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", _POINTER),
        ("name", ctypes.c_char_p),
        ("data", _POINTER),
        ("open", _OPEN),
    ]


class _File(ctypes.Structure):
    _fields_ = [("methods", _POINTER)]


def _default_vfs() -> _Vfs:
    library = ctypes.CDLL(_sqlite3.__file__)  # looks in what it is linked against, too
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    found: _Vfs = library.sqlite3_vfs_find(None).contents
    return found


class FailingDisk:
    """`with FailingDisk(folder) as disk:` and, inside it, `disk.fail(3)`: the third operation from now on fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._vfs = _default_vfs()
        self._open = _OPEN.from_buffer_copy(self._vfs.open)
        self._hooked = _OPEN(self._opened)
        self._methods: dict[int, _Methods] = {}
        self._kept: list[Any] = []
        self._real: dict[str, Any] = {}
        self._until = 0
        self._stays = False
        self.has_failed = False
        self.done: list[str] = []
        """What SQLite did to its files, by the names of its methods."""

    def fail(self, at: int, *, stays: bool = False) -> None:
        """Count from one; `stays` makes everything after it fail as well."""
        self._until, self._stays, self.has_failed = at, stays, False

    def recover(self) -> None:
        self._until = 0

    def __enter__(self) -> Self:
        self._vfs.open = self._hooked
        for name in ("open", "write", "pwrite", "fsync", "rename", "replace", "link", "ftruncate"):
            self._real[name] = getattr(os, name)
            setattr(os, name, self._watched(self._real[name]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._vfs.open = self._open
        for name, real in self._real.items():
            setattr(os, name, real)

    def _fails(self) -> bool:
        if not self._until:
            return False
        if self._until > 1:
            self._until -= 1
            return False
        if not self._stays:
            self._until = 0
        self.has_failed = True
        return True

    def _watched(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(what: Any, *rest: Any, **named: Any) -> Any:
            writes = real is not self._real["open"] or (rest and rest[0] & (os.O_WRONLY | os.O_RDWR))
            if self._until and writes and self._is_ours(what, named) and self._fails():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(what, *rest, **named)

        return call

    def _is_ours(self, what: Any, named: dict[str, Any]) -> bool:
        folder = named.get("dir_fd", named.get("src_dir_fd"))
        link = folder if folder is not None else what if isinstance(what, int) else None
        path = os.readlink(f"/proc/self/fd/{link}") if link is not None else os.fspath(what)
        return str(path).startswith(self._folder)

    def _opened(self, vfs: int, name: int, file: int, flags: int, out_flags: int) -> int:
        if self._fails():
            ctypes.memset(file, 0, ctypes.sizeof(_File))  # a file without methods is not closed
            return _CANTOPEN
        code = self._open(vfs, name, file, flags, out_flags)
        opened = _File.from_address(file)
        if code == 0 and opened.methods:
            if opened.methods not in self._methods:
                self._methods[opened.methods] = self._failing(_Methods.from_address(opened.methods))
            opened.methods = ctypes.addressof(self._methods[opened.methods])
        return code

    def _failing(self, real: _Methods) -> _Methods:
        """The same methods, save that these three may fail."""
        made = _Methods.from_buffer_copy(real)
        for name, kind, code in (
            ("write", _WRITE, _FULL),
            ("truncate", _TRUNCATE, _IOERR_TRUNCATE),
            ("sync", _SYNC, _IOERR_FSYNC),
        ):
            hook = kind(self._or(name, getattr(real, name), code))
            self._kept.append(hook)
            setattr(made, name, hook)
        return made

    def _or(self, name: str, call: Callable[..., int], code: int) -> Callable[..., int]:
        def hooked(*arguments: Any) -> int:
            self.done.append(name)
            return code if self._fails() else call(*arguments)

        return hooked
