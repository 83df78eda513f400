"""Settings from the environment: CHAT_<NAME>, CHAT_<SECTION>__<NAME>, or a whole section as JSON in CHAT_<SECTION>.

Upper and lower case are one, and an empty value is none. It must never put a value into an error.
"""

from __future__ import annotations

import json
import os
from typing import Any

from chat.errors import SettingsError
from chat.settings.schema import ENV_PREFIX, section_names, setting_names


def from_environment() -> dict[str, Any]:
    """What it says, section by section; a single value wins over the section it is also in."""
    given = {name.upper(): value for name, value in os.environ.items() if value}
    found: dict[str, Any] = {}
    for section in section_names():
        if text := given.get(_variable(section)):
            found[section] = _section(section, text)
    for dotted in setting_names():
        if text := given.get(_variable(dotted)):
            section, _, name = dotted.rpartition(".")
            (found.setdefault(section, {}) if section else found)[name] = text
    return found


def unknown_variables() -> list[str]:
    """A sentence about each variable that looks like one of ours and is none."""
    known = {_variable(name) for name in (*section_names(), *setting_names())}
    ours = (name for name in os.environ if name.upper().startswith(ENV_PREFIX))
    odd = sorted(name for name in ours if name.upper() not in known)
    return [f"The environment variable {name!r} is no setting; it is ignored." for name in odd]


def _variable(dotted: str) -> str:
    return ENV_PREFIX + dotted.replace(".", "__").upper()


def _section(name: str, text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise SettingsError(
            f"The environment variable {_variable(name)} is not the JSON it has to be.",
            f"Set single values instead, such as {ENV_PREFIX}CONNECTION__BASE_URL, and start again.",
        )
    return values
