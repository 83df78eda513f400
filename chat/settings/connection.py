"""The connection to the model's server: what is stored, which key may be sent where, and how it is changed.

The key is bound to the host and port it was entered for. Nothing here may repeat a key, not even a wrong one.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from chat.errors import SettingRefused
from chat.settings.endpoint import check_base_url, is_loopback, parse_base_url

MAX_KEY_CHARS = 8192


class Preset(NamedTuple):
    """An address to start from. Empty models mean: choose from the server's own list."""

    name: str
    base_url: str
    narrative_model: str = ""
    classifier_model: str = ""


PRESETS = (
    Preset(
        "Featherless",
        "https://api.featherless.ai/v1",
        "dphn/Dolphin-Mistral-24B-Venice-Edition",
        "NousResearch/Hermes-3-Llama-3.1-8B",
    ),
    Preset("OpenRouter", "https://openrouter.ai/api/v1"),
)
LOCAL_BACKENDS = (
    Preset("Ollama", "http://127.0.0.1:11434/v1"),
    Preset("LM Studio", "http://127.0.0.1:1234/v1"),
    Preset("llama.cpp", "http://127.0.0.1:8080/v1"),
    Preset("KoboldCpp", "http://127.0.0.1:5001/v1"),
    Preset("TabbyAPI or text-generation-webui", "http://127.0.0.1:5000/v1"),
    Preset("vLLM", "http://127.0.0.1:8000/v1"),
)


def check_key(key: SecretStr) -> SecretStr:
    """Refuses what no server accepts as a key, before some HTTP library does so by printing it."""
    text = key.get_secret_value()
    if len(text) > MAX_KEY_CHARS:
        raise SettingRefused(f"The key is longer than {MAX_KEY_CHARS} characters.", field="api_key")
    if not all("!" <= letter <= "~" for letter in text):
        raise SettingRefused(
            "The key holds a space, a line break or a letter no key has.",
            "Copy the key again, without anything around it; nothing was changed.",
            field="api_key",
        )
    return key


@lru_cache(maxsize=16)
def _authority(url: str) -> str:
    """Asked for with every request."""
    return parse_base_url(url).authority


class Connection(BaseModel):
    """Which server writes the story. An empty base_url means the demo that is built in."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    base_url: str = Field("", description="Address of an OpenAI-compatible server; empty plays the demo")
    api_key: SecretStr | None = Field(None, description="Key for that server, if it wants one")
    key_host: str = Field("", description="host:port the key was entered for; it is sent nowhere else")
    allow_plain_http: bool = Field(False, description="Send the key over http:// to another machine")
    narrative_model: str = Field("", max_length=300, description="Model that writes the replies")
    classifier_model: str = Field("", max_length=300, description="Model that reads them; empty: the same")
    temperature: float = Field(0.7, ge=0, le=2, allow_inf_nan=False, description="0 is dry, 2 is wild")
    reply_tokens: int = Field(400, ge=16, le=8192, description="Longest reply, in tokens")

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        return check_base_url(value)

    @field_validator("api_key")
    @classmethod
    def _usable_key(cls, value: SecretStr | None) -> SecretStr | None:
        return check_key(value) if value is not None and value.get_secret_value() else None

    @model_validator(mode="after")
    def _bind_key(self) -> Self:
        """A key that came without a host belongs to the address it came with."""
        if self.api_key and self.base_url and not self.key_host:
            object.__setattr__(self, "key_host", self.authority)
        return self

    @property
    def is_demo(self) -> bool:
        return not self.base_url

    @property
    def authority(self) -> str:
        """host:port of the address, or "" for the demo."""
        return _authority(self.base_url) if self.base_url else ""

    @property
    def key_to_send(self) -> SecretStr | None:
        """The key, when it was entered for this very server and may travel there; else None."""
        if self.api_key is None or not self.base_url or self.key_host != self.authority:
            return None
        return self.api_key if self.allow_plain_http or not travels_openly(self.base_url) else None


class ConnectionUpdate(msgspec.Struct, frozen=True):
    """What the settings page sends. None keeps what is stored, and so does an empty `api_key`."""

    base_url: str | None = None
    api_key: SecretStr | None = None
    narrative_model: str | None = None
    classifier_model: str | None = None
    temperature: float | None = None
    reply_tokens: int | None = None
    allow_plain_http: bool = False
    forget_key: bool = False


def changes(old: Connection, update: ConnectionUpdate, own_ports: Collection[int]) -> dict[str, Any]:
    """The stored values that change; None means the value is taken out. Raises SettingRefused."""
    typed = {
        name: getattr(update, name)
        for name in ("narrative_model", "classifier_model", "temperature", "reply_tokens")
        if getattr(update, name) is not None
    }
    url = old.base_url if update.base_url is None else check_base_url(update.base_url, own_ports)
    return {**typed, "base_url": url, **_key_changes(old, update, url)}


def travels_openly(url: str) -> bool:
    """True when what is sent to this address can be read on its way."""
    parts = parse_base_url(url)
    return parts.scheme == "http" and not is_loopback(parts.host)


def _key_changes(old: Connection, update: ConnectionUpdate, url: str) -> dict[str, Any]:
    """A new key belongs to the new address; an old one must not follow to another server."""
    if update.forget_key:
        return {"api_key": None, "key_host": None, "allow_plain_http": None}
    key = check_key(update.api_key) if update.api_key and update.api_key.get_secret_value() else None
    if not url or (key is None and old.api_key is None):
        return {"api_key": key.get_secret_value(), "key_host": None} if key else {}
    authority = parse_base_url(url).authority
    if key is None and old.key_host not in ("", authority):
        raise SettingRefused(
            f"This address is another server ({authority}) than the one the stored key was entered for "
            f"({old.key_host}), so the key is not sent there.",
            "Enter the key for the new server, or choose to forget the stored one; nothing was changed.",
            field="api_key",
        )
    may_travel = update.allow_plain_http or (key is None and old.allow_plain_http)
    if travels_openly(url) and not may_travel:
        raise SettingRefused(
            "This address begins with http:// and lies on another machine, so anyone between here and there "
            "could read the key.",
            "Use https://, forget the key, or confirm that it may be sent unprotected; nothing was changed.",
            field="allow_plain_http",
        )
    stored = {"api_key": key.get_secret_value()} if key else {}
    return {**stored, "key_host": authority, "allow_plain_http": travels_openly(url)}
