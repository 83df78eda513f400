"""What may leave the program through a log line or an error text, and what is blotted out on the way.

Two nets: only keys on a list show their text, and every finished line is searched for secrets. It works at
the way out only; it must never touch what a model sees or what the log of events stores.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

MASK = "[hidden]"
SHOWN_CHARS = 300
_SHORTEST_SECRET = 6
_PREFIX_CHARS = 12
_TOO_DEEP = 6

# Keys whose text may be shown. All are names, codes and ids of ours; nothing a person or a model wrote.
SAFE_KEYS = frozenset({
    "app_env", "attempt", "backup", "bot_id", "branch_id", "call_id", "caused_by", "chat_id",
    "code", "component", "correlation_id", "endpoint", "epoch", "error_type", "event_id",
    "exit_code", "field", "finish_reason", "fingerprint", "frame", "host", "incident", "kind", "layer", "level",
    "log_level", "method", "migration", "mode", "model", "outcome", "part", "path", "phase",
    "policy", "port", "prompt_version", "purpose", "reason", "request_id", "route", "run_id",
    "scene_id", "section", "setting", "signal", "sqlite", "stage", "status", "step", "stop_reason",
    "stream", "subscriber", "table", "task", "terminal", "thread", "turn_id", "version",
})  # fmt: skip
_PATTERNS = (
    re.compile(r"\b(?:sk|rk|pk|gsk|hf|nvapi|xai)[-_][A-Za-z0-9_.*\-]{6,}"),
    re.compile(r"\bAIza[A-Za-z0-9_\-]{16,}"),
    re.compile(r"(?<=bearer )[^\s\"',;]{6,}", re.IGNORECASE),
    re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)?"),
    re.compile(
        r"(?i)(?<![a-z0-9])((?:api[-_ ]?key|x-api-key|password|passwd|secret|access[-_]token|authorization)"
        r"[\"']?\s*[:=]\s*[\"']?(?:basic )?)(?!bearer )[^\s\"',;&}]+"
    ),
)
_lock = threading.Lock()
_known: set[str] = set()
_known_pattern: re.Pattern[str] | None = None


def register_secret(secret: SecretStr | str | None) -> None:
    """From now on this text, its common encodings and its beginning never pass. Old ones stay registered."""
    global _known_pattern
    text = secret.get_secret_value() if isinstance(secret, SecretStr) else secret or ""
    if len(text) < _SHORTEST_SECRET:
        return
    with _lock:
        _known.update(_spellings(text))
        alternatives = sorted(_known, key=len, reverse=True)
        _known_pattern = re.compile("|".join(alternatives))


def redact(text: str) -> str:
    """The text without registered secrets and without anything that looks like a key."""
    if _known_pattern is not None:
        text = _known_pattern.sub(MASK, text)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: (match[1] if match.lastindex else "") + MASK, text)
    return text


def printable(text: str, limit: int = SHOWN_CHARS) -> str:
    """One line without control, escape or invisible characters, cut at `limit` characters."""
    shown = "".join(letter if letter.isprintable() else _escaped(letter) for letter in text[:limit])
    return shown if len(text) <= limit else f"{shown}... ({len(text)} characters)"


def guarded(key: str, value: object, depth: int = 0) -> object:
    """What a log line shows for this key: the value, or for text of an unlisted key only its length."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth > _TOO_DEEP:
        return "<deep>"
    if isinstance(value, Mapping):
        return {printable(str(name), 60): guarded(str(name), part, depth + 1) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [guarded(key, part, depth + 1) for part in list(value)[:20]]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, SecretStr):
        return MASK
    return printable(str(value)) if key in SAFE_KEYS else f"<{len(str(value))} characters>"


def _spellings(secret: str) -> set[str]:
    """Patterns for the ways a secret turns up: as it is, in JSON, a URL or base64, or only its start."""
    ways = {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}
    patterns = {re.escape(way) for way in ways}
    for offset in range(3):  # base64 of a longer text shows the secret in one of three shifts
        coded = base64.b64encode(b"\0" * offset + secret.encode())[4 if offset else 0 :].rstrip(b"=")[:-1]
        if len(coded) > _PREFIX_CHARS:
            start = coded[: 2 * _PREFIX_CHARS].decode()
            patterns.add(re.escape(start) + r"[A-Za-z0-9+/_\-=]*")
    if len(secret) >= 2 * _PREFIX_CHARS:
        patterns.add(re.escape(secret[:_PREFIX_CHARS]) + r"[A-Za-z0-9_\-*.]*")
    return patterns


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
