"""Reads and writes data/config.toml: the one file that may hold the key.

What a person wrote into it by hand stays as it is, comments and order too; only the values named are changed. It is
always written whole, at 0600, beside the old one and then renamed over it, so a crash leaves the old or the new file.
It must never put a value from the file into an error.
"""

from __future__ import annotations

import os
import stat
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from chat.errors import SettingsError

_HEADER = "# Made by the Settings page, and yours to edit. config.example.toml explains every key.\n\n"


def read(path: Path) -> dict[str, Any]:
    """The whole file, or nothing when there is none."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name} cannot be read as TOML: {error}.", _fix(path)) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path.name} is not written in UTF-8.", _fix(path)) from None
    except OSError as error:
        raise SettingsError(f"{path.name} cannot be read: {error.strerror}.", _fix(path)) from None


def change(path: Path, section: str, values: Mapping[str, Any]) -> None:
    """Sets these values of a section, None takes one out. Raises OSError when folder or disk does not allow it."""
    import tomlkit  # a tenth of a second that only saving needs

    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        text = _HEADER
    document = tomlkit.parse(text)
    if section not in document:
        document[section] = tomlkit.table()
    table: Any = document[section]
    for name, value in values.items():
        if value is not None:
            table[name] = value
        elif name in table:
            del table[name]
    _replace(path, tomlkit.dumps(document).encode())


def _replace(path: Path, body: bytes) -> None:
    """Puts the file in place in one step."""
    target = Path(os.path.realpath(path))
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(target.parent)


def tighten(path: Path) -> str:
    """Takes the file away from other users; a sentence when it was open to them, else ""."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if not mode & 0o077:
            return ""
        path.chmod(0o600)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError:
        return f"{path.name} can be read by other users of this machine, and it may hold a key: make it 0600."
    return f"{path.name} could be read by other users of this machine; now only you can read it."


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fix(path: Path) -> str:
    return f"Correct {path} and start again, or move it away to start with the defaults."
