"""Which layer wins, for every single setting, and that the example file tells the truth."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from chat.settings import (
    Settings,
    load_settings,
)
from tests.support.keys import write

EXAMPLE = Path(__file__).parents[2] / "data" / "config.example.toml"

# name, default, and three other values for file, environment and command line
KEYS: list[tuple[str, Any, Any, Any, Any]] = [
    ("host", "127.0.0.1", "::1", "localhost", "::1"),
    ("port", 8321, 8401, 8402, 8403),
    ("app_env", "development", "staging", "production", "staging"),
    ("log_level", "INFO", "DEBUG", "WARNING", "ERROR"),
    ("ooc_marker", "((", "[[", "//", "{{"),
    ("connection.base_url", "", "http://a.test", "http://b.test", "http://c.test"),
    ("connection.api_key", None, "key-a", "key-b", "key-c"),
    ("connection.key_host", "", "a.test:80", "b.test:80", "c.test:80"),
    ("connection.allow_plain_http", False, True, False, True),
    ("connection.narrative_model", "", "a", "b", "c"),
    ("connection.classifier_model", "", "a", "b", "c"),
    ("connection.temperature", 0.7, 0.1, 0.2, 0.3),
    ("connection.reply_tokens", 400, 101, 102, 103),
    ("timeouts.request_s", 60, 11, 12, 13),
    ("timeouts.first_token_s", 180, 11, 12, 13),
    ("timeouts.between_tokens_s", 30, 11, 12, 13),
    ("timeouts.total_s", 900, 11, 12, 13),
    ("timeouts.classifier_s", 10, 11, 12, 13),
    ("timeouts.digest_wait_s", 3, 11, 12, 13),
    ("budget.narrative_hard_tokens", 8000, 8001, 8002, 8003),
    ("budget.narrative_soft_tokens", 6000, 5001, 5002, 5003),
    ("budget.classifier_hard_tokens", 4000, 4001, 4002, 4003),
    ("budget.recall_k", 4, 5, 6, 7),
    ("budget.memory_tokens", 120, 121, 122, 123),
    ("budget.memories_tokens", 120, 121, 122, 123),
    ("limits.turn_chars", 32_000, 1001, 1002, 1003),
    ("limits.body_bytes", 1_000_000, 10_001, 10_002, 10_003),
    ("timeouts.slow_s", 30, 11, 12, 13),
    ("retries.tries", 3, 1, 2, 4),
    ("retries.first_wait_s", 2, 3, 4, 5),
    ("retries.longest_wait_s", 30, 31, 32, 33),
    ("breaker.failure_threshold", 5, 6, 7, 8),
    ("breaker.recovery_s", 30, 31, 32, 33),
]


def value_of(settings: Settings, name: str) -> Any:
    found: Any = settings
    for part in name.split("."):
        found = getattr(found, part)
    return found.get_secret_value() if isinstance(found, SecretStr) else found


def toml_for(name: str, value: Any) -> str:
    section, _, leaf = name.rpartition(".")
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return (f"[{section}]\n" if section else "") + f"{leaf} = {shown}\n"


def variable(name: str) -> str:
    return "CHAT_" + name.replace(".", "__").upper()


@pytest.mark.parametrize(
    ("name", "default", "in_file", "in_env", "on_cli"), KEYS, ids=[row[0] for row in KEYS]
)
def test_command_line_over_environment_over_file_over_default(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    default: Any,
    in_file: Any,
    in_env: Any,
    on_cli: Any,
) -> None:
    assert value_of(load_settings(), name) == default
    write(root, toml_for(name, in_file))
    from_file = load_settings()
    assert value_of(from_file, name) == in_file
    assert from_file.origin.provenance[name] == "config.toml"
    monkeypatch.setenv(variable(name), str(in_env))
    from_env = load_settings()
    assert value_of(from_env, name) == in_env
    assert from_env.origin.provenance[name] == "the environment"
    from_cli = load_settings(**{name.replace(".", "__"): on_cli})
    assert value_of(from_cli, name) == on_cli
    assert from_cli.origin.provenance[name] == "the command line"
    assert from_cli.origin.warnings == ()


def schema_keys() -> set[str]:
    names: set[str] = set()
    for name, field in Settings.model_fields.items():
        inner = field.annotation
        nested = isinstance(inner, type) and issubclass(inner, BaseModel)
        names |= {f"{name}.{leaf}" for leaf in inner.model_fields} if nested else {name}  # type: ignore[union-attr]
    return names


def test_every_key_of_the_schema_is_in_the_list_above_and_in_the_example_file() -> None:
    paths = {"data_dir", "config_path", "db_path"}
    assert schema_keys() - paths == {row[0] for row in KEYS}
    example = tomllib.loads(EXAMPLE.read_text())
    flat = {
        f"{name}.{leaf}" if isinstance(value, dict) else name
        for name, value in example.items()
        for leaf in (value if isinstance(value, dict) else [name])
    }
    assert flat == {row[0] for row in KEYS}
    for name in paths:
        assert f"CHAT_{name.upper()} " in EXAMPLE.read_text()


def test_the_example_file_holds_exactly_the_defaults(root: Path) -> None:
    plain = load_settings()
    write(root, EXAMPLE.read_text())
    example = load_settings()
    assert example.model_dump() == plain.model_dump()
    assert example.origin.warnings == ()


def test_a_none_on_the_command_line_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_PORT", "9001")
    assert load_settings(port=None).port == 9001


def test_the_bare_constructor_reads_neither_file_nor_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "port = 9001\n")
    monkeypatch.setenv("CHAT_LOG_LEVEL", "DEBUG")
    settings = Settings(data_dir=root)
    assert (settings.port, settings.log_level) == (8321, "INFO")
