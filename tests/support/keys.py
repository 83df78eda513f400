"""A key to look for, and short ways to write and save settings in the folder the test works in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from chat.errors import ChatError
from chat.settings import ConnectionUpdate, Settings, load_settings, save_connection

CANARY = "sk-canary-5f1d2c3b4a-THE-KEY"


def write(root: Path, text: str) -> Path:
    path = root / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def saved(**update: Any) -> Settings:
    return save_connection(load_settings(), ConnectionUpdate(**update))


def key(text: str = CANARY) -> SecretStr:
    return SecretStr(text)


def whole(error: BaseException | None) -> str:
    """All that a traceback of this error could print."""
    if error is None:
        return ""
    step = error.next_step if isinstance(error, ChatError) else ""
    shown = None if error.__suppress_context__ else error.__context__
    return f"{error} {error!r} {step} {whole(error.__cause__)} {whole(shown)}"
