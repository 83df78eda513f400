"""The schema of every setting: its name, default, range and meaning, and where files lie.

The pages about settings are generated from it. It must never put a value into an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from chat.errors import SettingsError
from chat.settings.connection import Connection
from chat.settings.endpoint import check_bind

ENV_PREFIX = "CHAT_"
_PRIVATE_FOLDERS = ("backups_dir", "snapshots_dir", "quarantine_dir", "logs_dir", "media_dir", "running_dir")


class Origin(NamedTuple):
    """How the settings came about: what the command line said, which layer gave what, and what was odd."""

    cli: Mapping[str, Any] = {}
    provenance: Mapping[str, str] = {}
    warnings: tuple[str, ...] = ()


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Timeouts(_Section):
    """Seconds after which waiting ends."""

    request_s: float = Field(
        60, ge=10, le=300, description="A whole request that does not stream, such as the list of models"
    )
    first_token_s: float = Field(180, ge=1, le=3600, description="Until the first token; models load slowly")
    slow_s: float = Field(30, ge=1, le=600, description="Until the page says that it takes long")
    between_tokens_s: float = Field(30, ge=1, le=600, description="Silence inside a reply")
    total_s: float = Field(900, ge=10, le=7200, description="A whole reply")
    classifier_s: float = Field(10, ge=1, le=600, description="Silence while a reply is being read")
    digest_wait_s: float = Field(3, ge=0, le=60, description="How long a turn waits for the last digest")


class PromptBudget(_Section):
    """Tokens a prompt may hold. Trimming starts at hard and goes down to soft in one go."""

    narrative_hard_tokens: int = Field(8000, ge=512, le=2_000_000, description="Largest story prompt")
    narrative_soft_tokens: int = Field(6000, ge=512, le=2_000_000, description="Size it is trimmed to")
    classifier_hard_tokens: int = Field(4000, ge=256, le=2_000_000, description="Largest digest prompt")
    recall_k: int = Field(4, ge=0, le=50, description="Memories recalled for a reply")
    memory_tokens: int = Field(120, ge=16, le=2000, description="Tokens of one recalled memory")
    memories_tokens: int = Field(
        120, ge=16, le=8000, description="Tokens of all of them together; a reply waits for each to be read"
    )

    @model_validator(mode="after")
    def _soft_below_hard(self) -> Self:
        if self.narrative_soft_tokens > self.narrative_hard_tokens:
            raise ValueError("narrative_soft_tokens must not be larger than narrative_hard_tokens")
        return self


class Limits(_Section):
    """Sizes beyond which the program says no."""

    turn_chars: int = Field(32_000, ge=100, le=200_000, description="Characters in one turn")
    body_bytes: int = Field(1_000_000, ge=10_000, le=1_000_000, description="Bytes in one posted form")


class Retries(_Section):
    """When a request that failed before its first word is sent again by itself."""

    tries: int = Field(3, ge=1, le=5, description="Tries in all, the first one included")
    first_wait_s: float = Field(
        2, ge=0.01, le=30, description="Wait after too many requests; doubles each time"
    )
    longest_wait_s: float = Field(30, ge=0, le=300, description="A longer wait is left to the player")


class Breaker(_Section):
    """When to stop asking a server that keeps failing. Read and checked, and without any effect yet."""

    failure_threshold: int = Field(
        5, ge=1, le=20, description="Failures in a row that open the breaker; no effect yet"
    )
    recovery_s: float = Field(30, ge=5, le=300, description="Seconds until it is tried again; no effect yet")


class Settings(BaseSettings):
    """Read-only once made. `load_settings` reads every layer; the constructor takes only what it is given."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    data_dir: Path = Field(Path("data"), description="Folder for everything the program writes")
    config_path: Path = Field(Path("data/config.toml"), description="The settings file, if it lies elsewhere")
    db_path: Path = Field(Path("data/chat.db"), description="The database, if it lies elsewhere")
    host: str = Field("127.0.0.1", description="Address to listen on; only this machine can be named")
    port: int = Field(8321, ge=0, le=65535, description="Port; when it is busy, the next free one")
    app_env: Literal["development", "staging", "production"] = Field("development", description="Sort of run")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least to log")
    ooc_marker: str = Field(
        "((",
        pattern=r"^\S{1,4}$",
        description="Opens an aside that no model sees; its mirror image closes it, else the end of the line",
    )
    connection: Connection = Connection()
    timeouts: Timeouts = Timeouts()
    budget: PromptBudget = PromptBudget()
    limits: Limits = Limits()
    retries: Retries = Retries()
    breaker: Breaker = Breaker()

    _origin: Origin = PrivateAttr(Origin())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # load.py merges the layers itself: a key must stay with its own address

    @model_validator(mode="before")
    @classmethod
    def _place_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        root = absolute(values.get("data_dir") or "data")
        config = absolute(values.get("config_path") or root / "config.toml")
        database = absolute(values.get("db_path") or root / "chat.db")
        return {**values, "data_dir": root, "config_path": config, "db_path": database}

    @field_validator("host")
    @classmethod
    def _only_this_machine(cls, value: str) -> str:
        return check_bind(value)

    @property
    def head_path(self) -> Path:
        """Beside its own database, so that two databases never share one."""
        return self._beside_database("head")

    @property
    def lock_path(self) -> Path:
        return self._beside_database("lock")

    @property
    def restoring_dir(self) -> Path:
        """Where a database is made ready that is to take the place of this one; on the same disk."""
        return self._beside_database("restoring")

    @property
    def backups_dir(self) -> Path:
        return self.data_dir / "backups"

    @property
    def snapshots_dir(self) -> Path:
        return self.data_dir / "snapshots"

    @property
    def quarantine_dir(self) -> Path:
        return self.data_dir / "quarantine"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def media_dir(self) -> Path:
        return self.data_dir / "media"

    @property
    def running_dir(self) -> Path:
        """Journals of replies that are being written."""
        return self.data_dir / "running"

    @property
    def origin(self) -> Origin:
        """Which layer gave each setting, and sentences about what was odd."""
        return self._origin

    def with_origin(self, origin: Origin) -> Self:
        self._origin = origin
        return self

    def ensure_folders(self) -> None:
        """Makes the data folder and what lies in it, for this user alone.

        Where there is a database already it can at least be read, so then a folder that cannot be made is no error.
        """
        try:
            for folder in (self.data_dir, *(getattr(self, name) for name in _PRIVATE_FOLDERS)):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _make_private(folder)
        except OSError as error:
            if self.db_path.exists():
                return
            raise SettingsError(
                f"The data folder {self.data_dir} cannot be used: {error.strerror}.",
                "Make it writable for you, or name another one with CHAT_DATA_DIR.",
            ) from None

    def _beside_database(self, name: str) -> Path:
        own = self.db_path == self.data_dir / "chat.db"
        return self.data_dir / name if own else self.db_path.with_name(f"{self.db_path.name}.{name}")


def absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))


def _make_private(folder: Path) -> None:
    """0700, but never on a folder that belongs to others or is the user's home."""
    state = folder.stat()
    shared = state.st_uid != os.getuid() or state.st_mode & 0o1000 or folder == Path.home()
    if state.st_mode & 0o077 and not shared:
        folder.chmod(0o700)
