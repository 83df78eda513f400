"""The hash chain of the log: each event's hash covers its content and the hash before it.

SQLite's own checks notice neither a changed byte in a row nor a torn write-ahead log; this does.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

SALT_BYTES = 16
GENESIS = bytes(32)
"""What stands before the first event."""

_encode = msgspec.json.Encoder().encode
_sha256 = hashlib.sha256

Envelope = tuple[int, str, str | None, int | None, str, int, str, str | None]
"""id, stream, branch_id, step, kind, version, ts, caused_by."""


def body_hash(salt: bytes, body: bytes) -> bytes:
    """SHA-256 over the salt and the stored bytes of the payload. The salt keeps short texts from being guessed."""
    return _sha256(salt + body).digest()


def next_hash(previous: bytes, envelope: Envelope | tuple[Any, ...], body: bytes) -> bytes:
    """The hash of an event; `body` is its body hash, and the envelope is hashed as compact JSON."""
    return _sha256(previous + _encode(envelope) + body).digest()
