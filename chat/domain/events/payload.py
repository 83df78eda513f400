"""What every payload is, and which of the three rooms of the log it belongs to."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

LIBRARY = "library"
LEDGER = "ledger"

Room = Literal["library", "chat", "ledger"]


def chat_stream(chat_id: str) -> str:
    return f"chat:{chat_id}"


class Payload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Base of every kind. `room` says which stream it belongs to."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    room: ClassVar[Room]


class LibraryPayload(Payload, frozen=True):
    room = "library"


class StoryPayload(Payload, frozen=True):
    room = "chat"


class LedgerPayload(Payload, frozen=True):
    room = "ledger"


class Erased(StoryPayload, frozen=True):
    """What an event says whose words were deleted for good. No kind of its own: the line keeps the one it had."""


ERASED = Erased()
