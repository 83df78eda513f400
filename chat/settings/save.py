"""Keeps what the settings page was told about the connection.

Only what changed goes into the file; everything else in it stays, comments too. The key is never read back to a page.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from chat.errors import SettingRefused
from chat.settings import config_file, connection
from chat.settings.connection import Connection, ConnectionUpdate
from chat.settings.load import COMMAND_LINE, ENVIRONMENT, first_problem, load_settings
from chat.settings.schema import ENV_PREFIX, Settings

_save_lock = threading.Lock()


def save_connection(
    settings: Settings, update: ConnectionUpdate, own_ports: Collection[int] = ()
) -> Settings:
    """Writes what changed to the settings file and reads everything again. Raises SettingRefused.

    `own_ports` are the ports this program listens on, besides the configured one.
    """
    with _save_lock:
        current = load_settings(**settings.origin.cli)
        changed = connection.changes(current.connection, update, {settings.port, *own_ports})
        changed = _writable(current, changed)
        file = config_file.read(current.config_path)
        section = {**file.get("connection", {}), **changed}
        try:
            Connection(**{key: value for key, value in section.items() if value is not None})
        except ValidationError as error:
            name, reason = first_problem(error)
            raise SettingRefused(f"The setting {name} cannot be kept: {reason}.", field=name) from None
        try:
            config_file.change(current.config_path, "connection", changed)
        except OSError as error:
            raise SettingRefused(
                f"The settings could not be written to {current.config_path.name}: {error.strerror}.",
                "Free some space or make the data folder writable, then save again; nothing was changed.",
            ) from None
        return load_settings(**settings.origin.cli)


def _writable(current: Settings, changed: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves out what a higher layer already says, and refuses what it would silently undo."""
    kept = {}
    for name, value in changed.items():
        layer = current.origin.provenance.get(f"connection.{name}", "")
        if layer not in (ENVIRONMENT, COMMAND_LINE):
            kept[name] = value
        elif name == "api_key" or value != getattr(current.connection, name):
            raise SettingRefused(
                f"This setting is given by {layer}, so it cannot be changed here.",
                f"Change {ENV_PREFIX}CONNECTION__{name.upper()} there and start again.",
                field=name,
            )
    if current.origin.provenance.get("connection.api_key") in (ENVIRONMENT, COMMAND_LINE):
        kept.pop("key_host", None)  # a key from outside is bound anew at each start
    return kept
