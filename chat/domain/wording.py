"""Names the words of a record, so that a form can tell whether they are still the ones it was opened with.

It says nothing about what else has happened to the record, such as that it was put away or has another portrait.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

_DIGITS = 16


def revision_of(record: object, fields: Sequence[str]) -> str:
    """Sixteen hex digits that stand for the values of these fields."""
    values = [getattr(record, name) for name in fields]
    return sha256(msgspec.json.encode(values)).hexdigest()[:_DIGITS]
