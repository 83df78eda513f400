"""`python -m tests.support.no_override ARGUMENTS`: the `chat` command without a superuser's right to any file.

For tests of files that cannot be written to: where tests run as root, a read-only file is none.
"""

from __future__ import annotations

import ctypes
import os
import sys

_VERSION_3 = 0x20080522
_OVERRIDE = 0b110
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def give_up_override() -> None:
    """From here on permissions count for this process, whoever it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = _Header(_VERSION_3, 0), (_Data * 2)()
    if libc.capget(ctypes.byref(header), data):
        raise OSError(ctypes.get_errno(), "capget")
    for name in ("effective", "permitted", "inheritable"):
        setattr(data[0], name, getattr(data[0], name) & ~_OVERRIDE)
    if libc.capset(ctypes.byref(header), data):
        raise OSError(ctypes.get_errno(), "capset")


def main() -> None:
    if os.geteuid() == 0:
        give_up_override()
    from chat.cli import main as chat

    chat()


if __name__ == "__main__":
    sys.exit(main())
