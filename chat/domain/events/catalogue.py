"""Every kind this program knows, and how its payload is written to and read from the log.

A kind is never renamed; a changed shape gets the next version and an upcaster from the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from chat.domain.events import ledger, library, story
from chat.domain.events.payload import Payload
from chat.errors import UnknownEvent

ROOMS = (library, story, ledger)


def _subclasses(payload: type[Payload]) -> list[type[Payload]]:
    found = []
    for child in payload.__subclasses__():
        found += [child] if "kind" in vars(child) else _subclasses(child)
    return found


CATALOGUE: dict[str, type[Payload]] = {payload.kind: payload for payload in _subclasses(Payload)}
"""Every kind this program knows, in the order of this file."""

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
UPCASTERS: dict[tuple[str, int], Upcaster] = {
    ("digest_finished", 1): lambda raw: {**raw, "continued": False},
}
"""(kind, old version) -> the payload as the next version has it."""


_encoder = msgspec.json.Encoder()
_decoders: dict[tuple[str, int], msgspec.json.Decoder[Any]] = {
    (kind, payload.version): msgspec.json.Decoder(payload) for kind, payload in CATALOGUE.items()
}


def encode(payload: Payload) -> bytes:
    return _encoder.encode(payload)


def decode(kind: str, version: int, body: bytes | str) -> Payload:
    """The payload as the newest version has it. Raises UnknownEvent; an event is never skipped."""
    decoder = _decoders.get((kind, version))
    try:
        return decoder.decode(body) if decoder else _decode_older(kind, version, body)
    except msgspec.MsgspecError as problem:
        raise UnknownEvent(
            f"An event of kind {kind!r} does not have the shape this program knows: {problem}."
        ) from None


def _decode_older(kind: str, version: int, body: bytes | str) -> Payload:
    known = CATALOGUE.get(kind)
    raw: dict[str, Any] = msgspec.json.decode(body) if known else {}
    while known and version < known.version and (kind, version) in UPCASTERS:
        raw = UPCASTERS[kind, version](raw)
        version += 1
    if known is None or version != known.version:
        raise UnknownEvent(
            f"The log holds an event of kind {kind!r}, version {version}, which this program does not know."
        )
    return msgspec.convert(raw, known)
