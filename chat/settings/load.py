"""Merges the layers: command line over environment over settings file over defaults.

It remembers which layer gave each value and what was odd. It must never put a value into an error.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings import SettingsError as EnvironmentUnreadable

from chat.errors import SettingRefused, SettingsError
from chat.settings import config_file
from chat.settings.endpoint import parse_base_url
from chat.settings.schema import ENV_PREFIX, Origin, Settings, absolute

COMMAND_LINE, ENVIRONMENT = "the command line", "the environment"
_NOT_IN_THE_FILE = ("data_dir", "config_path")


def load_settings(**cli_overrides: Any) -> Settings:
    """Reads every layer. None means not given; nested: `connection={...}` or `connection__base_url=...`."""
    cli = _nested({key: value for key, value in cli_overrides.items() if value is not None})
    env = _environment()
    placed = {**env, **cli}
    root = absolute(placed.get("data_dir") or "data")
    if _is_no_folder(root):
        raise SettingsError(
            f"The data folder {root} is no folder.", "Name another one with --data-dir or CHAT_DATA_DIR."
        )
    path = absolute(placed.get("config_path") or root / "config.toml")
    warnings = [config_file.tighten(path)]
    file = config_file.read(path)
    warnings += [*_unknown_keys(file, path.name), *_unknown_variables()]
    file = {key: value for key, value in file.items() if key not in _NOT_IN_THE_FILE}
    layers = {path.name: file, ENVIRONMENT: env, COMMAND_LINE: cli}
    merged: dict[str, Any] = {}
    for values in layers.values():
        _lay_over(merged, values)
    provenance = {key: name for name, values in layers.items() for key in _leaves(values)}
    odd = tuple(warning for warning in warnings if warning)
    return _validated(merged, provenance).with_origin(Origin(cli, provenance, odd))


def _is_no_folder(root: Path) -> bool:
    try:
        return root.exists() and not root.is_dir()
    except OSError:  # whatever hinders that is said where the folder is used
        return False


def first_problem(error: ValidationError) -> tuple[str, str]:
    """The dotted name and the reason, without the value."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    reason = first["msg"].removeprefix("Value error, ").rstrip(".")
    return ".".join(str(part) for part in first["loc"]) or "group", reason[:1].lower() + reason[1:]


def _validated(values: dict[str, Any], provenance: Mapping[str, str]) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        name, reason = first_problem(error)
        where = f"It comes from {provenance[name]}; correct it there" if name in provenance else "Correct it"
        raise SettingsError(
            f"The setting {name} cannot be used: {reason}.", f"{where} and start again."
        ) from None
    except SettingRefused as refusal:
        raise SettingsError(refusal.message, refusal.next_step) from None


def _environment() -> dict[str, Any]:
    source = EnvSettingsSource(Settings)
    known = _known_variables()
    source.env_vars = {name: value for name, value in source.env_vars.items() if name.upper() in known}
    try:
        return source()
    except EnvironmentUnreadable as error:
        name = str(error).partition('field "')[2].partition('"')[0]
        raise SettingsError(
            f"The environment variable {ENV_PREFIX}{name.upper()} is not the JSON it has to be.",
            f"Set single values instead, such as {ENV_PREFIX}CONNECTION__BASE_URL, and start again.",
        ) from None


def _lay_over(merged: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        below = merged.get(key)
        if isinstance(value, Mapping):
            value = {**below, **value} if isinstance(below, Mapping) else dict(value)
        merged[key] = value
    section = layer.get("connection")
    if isinstance(section, Mapping) and section.get("api_key") and not section.get("key_host"):
        merged["connection"]["key_host"] = _authority(merged["connection"].get("base_url"))


def _authority(url: object) -> str:
    """host:port, or "" when there is none; validation reports an address that cannot be read."""
    with suppress(SettingRefused):
        return parse_base_url(url).authority if isinstance(url, str) and url.strip() else ""
    return ""


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for key, value in flat.items():
        section, _, name = key.partition("__")
        _lay_over(deep, {section: {name: value}} if name else {key: value})
    return deep


def _leaves(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from (f"{key}.{name}" for name in value)
        else:
            yield key


def _known() -> list[str]:
    """The dotted name of every setting."""
    names: list[str] = []
    for key, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            names += [f"{key}.{name}" for name in section.model_fields]
        else:
            names.append(key)
    return names


def _unknown_keys(file: Mapping[str, Any], name: str) -> list[str]:
    known = _known()
    found = [f"{name}: {key} is decided before this file is read, so it is ignored here."
             for key in _NOT_IN_THE_FILE if key in file]  # fmt: skip
    for key in _leaves(file):
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            found.append(f"{name}: there is no setting {key!r}; it is kept but does nothing.{hint}")
    return found


def _known_variables() -> set[str]:
    dotted = {ENV_PREFIX + name.replace(".", "__").upper() for name in _known()}
    return dotted | {ENV_PREFIX + name.upper() for name in Settings.model_fields}


def _unknown_variables() -> list[str]:
    known = _known_variables()
    ours = (name for name in os.environ if name.upper().startswith(ENV_PREFIX))
    odd = sorted(name for name in ours if name.upper() not in known)
    return [f"The environment variable {name!r} is no setting; it is ignored." for name in odd]
