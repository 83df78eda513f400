"""What goes into the gateway and what comes out of it: plain frozen values, no behaviour.

Callers see these and the errors in `chat.errors`; nothing of openai, instructor or the HTTP client shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec
from pydantic import BaseModel, SecretStr

Message = dict[str, str]
"""{"role": "system" | "user" | "assistant", "content": text}"""

T = TypeVar("T", bound=BaseModel)

Rung = Literal["json_schema", "json_object", "tools", "prompt"]
"""How a structured answer is asked for; the ladder is tried in this order."""

LADDER: tuple[Rung, ...] = ("json_schema", "json_object", "tools", "prompt")


class Endpoint(msgspec.Struct, frozen=True):
    """`name` is what records and messages call it ("demo" or the host); `base_url` usually ends in /v1."""

    name: str
    base_url: str
    api_key: SecretStr | None = None

    @property
    def secret(self) -> str:
        return self.api_key.get_secret_value() if self.api_key else ""


class NarrateRequest(msgspec.Struct, frozen=True):
    """Limits: seconds of silence before the first token, between tokens, and for the whole call."""

    model: str
    messages: Sequence[Message]
    temperature: float
    max_tokens: int
    seed: int | None
    first_token_s: float
    between_tokens_s: float
    total_s: float
    max_chars: int = 200_000
    purpose: str = "narrate"


class ClassifyRequest(msgspec.Struct, Generic[T], frozen=True):
    """`default` is what comes back when nothing usable was answered; without one BadResponse is raised.

    `attempts` bounds the answers that may be unusable, not the formats a server may refuse.
    """

    purpose: str
    model: str
    messages: Sequence[Message]
    answer: type[T]
    default: T | None = None
    temperature: float = 0.0
    max_tokens: int = 512
    seed: int | None = None
    first_token_s: float = 120.0
    between_tokens_s: float = 10.0
    total_s: float = 180.0
    max_chars: int = 60_000
    attempts: int = 3


class Piece(NamedTuple):
    kind: Literal["text", "reasoning"]
    text: str


class CallRecord(msgspec.Struct, frozen=True):
    """One finished or abandoned call. Tokens are the provider's unless `estimated`; unknown cost is None."""

    purpose: str
    endpoint: str
    model_asked: str
    model_answered: str | None
    attempts: int
    status: Literal["ok", "stopped", "failed"]
    stop_cause: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None
    estimated: bool
    cost_nano_usd: int | None
    first_token_ms: float | None
    duration_ms: float
    request_id: str | None


@dataclass(frozen=True)
class FailedAttempt:
    """A structured answer that could not be used whole, for the quarantine. `kind` is one of
    refused_format, refusal, unparsable, wrong_shape, truncated, salvaged, or an error's code."""

    kind: str
    model: str
    rung: Rung
    attempt: int
    raw_text: str = field(repr=False)
    detail: str = field(default="", repr=False)


class Classified(msgspec.Struct, Generic[T], frozen=True):
    """`rung` is None when the default was used; `salvaged` says that parts of the answer were dropped."""

    answer: T
    records: tuple[CallRecord, ...]
    rung: Rung | None
    failures: tuple[FailedAttempt, ...]
    defaulted: bool
    salvaged: bool = False

    @property
    def record(self) -> CallRecord | None:
        """The call that gave the answer, or the last one made."""
        return self.records[-1] if self.records else None


class ModelInfo(msgspec.Struct, frozen=True):
    """Prices are USD per token, as the provider lists them; None is unknown, not free."""

    id: str
    context_length: int | None = None
    prompt_usd: Decimal | None = None
    completion_usd: Decimal | None = None


class Finding(msgspec.Struct, frozen=True):
    """One thing the probe looked at. `ok` None: could not be found out."""

    what: str
    ok: bool | None
    sentence: str


class Probe(msgspec.Struct, frozen=True):
    """`model` writes and `reader` answers structured questions, in the ways named in `rungs`; often it is the same."""

    endpoint: str
    model: str
    reader: str
    models: tuple[ModelInfo, ...]
    context_length: int | None
    streams: bool
    usage: bool
    rungs: tuple[Rung, ...]
    reasoning_field: str | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether a story can be told with it."""
        return self.streams
