"""An event before and after it has its place in the log."""

from __future__ import annotations

import msgspec

from chat.domain.events.payload import (
    LEDGER,
    LIBRARY,
    LedgerPayload,
    LibraryPayload,
    Payload,
    StoryPayload,
    chat_stream,
)


class NewEvent(msgspec.Struct, frozen=True, gc=False):
    """What a decision returns: an event that has no place in the log yet. Library and ledger have no branch or step."""

    data: Payload
    stream: str
    branch_id: str | None = None
    step: int | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One line of the log. `id` gives the order of folding; `ts` is real time, ISO 8601 in UTC."""

    id: int
    stream: str
    branch_id: str | None
    step: int | None
    kind: str
    version: int
    ts: str
    caused_by: str | None
    data: Payload


def library(data: LibraryPayload) -> NewEvent:
    return NewEvent(data, LIBRARY)


def ledger(data: LedgerPayload) -> NewEvent:
    return NewEvent(data, LEDGER)


def story(chat_id: str, branch_id: str, step: int, *data: StoryPayload) -> list[NewEvent]:
    """Several things that happen at one step."""
    return [NewEvent(payload, chat_stream(chat_id), branch_id, step) for payload in data]
