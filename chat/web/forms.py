"""Reads what a form or a script posted, as plain text fields. It must never lose or change a word silently.

Only urlencoded forms and JSON objects are read; anything else is refused before it is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from fastapi import HTTPException, Request

from chat.domain.turns import NOT_STORABLE
from chat.errors import Refused, TextNotStorable

FIELDS_MAX = 200
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


class Fields:
    """Posted values by name. A missing field is not the same as an empty one: see `has`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def has(self, *names: str) -> bool:
        """True when any of these fields was posted at all."""
        return any(name in self._values for name in names)

    def text(self, name: str, default: str = "") -> str:
        """The value with LF line ends and nothing else changed."""
        return self._values.get(name, default).replace("\r\n", "\n").replace("\r", "\n")

    def line(self, name: str, default: str = "") -> str:
        """The value of a one-line field, without blanks around it."""
        return " ".join(self.text(name, default).split("\n")).strip()

    def flag(self, name: str, *, default: bool = False) -> bool:
        """`default` is for a field that was not posted, which is also what a browser makes of an empty checkbox."""
        return self._values.get(name, "on" if default else "").lower() in ("on", "true", "1", "yes")

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number held within its range; what is no number is the default."""
        digits = self.line(name)
        try:
            number = int(digits) if len(digits) < 12 else default
        except ValueError:
            number = default
        return max(low, min(high, number))

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of the allowed values; the first when something else was sent."""
        value = self.line(name)
        return value if value in allowed else allowed[0]

    def typed(self) -> dict[str, str]:
        """Everything as it was typed, to show the form again."""
        return {name: self.text(name) for name in self._values}


async def read_fields(request: Request, *, checked: bool = True) -> Fields:
    """The posted fields. Raises TextNotStorable (if `checked`), Refused, or 415 for a body of another kind."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind == _JSON:
        values = _from_json(body)
    elif kind == _FORM:
        values = _from_form(body)
        request.state.fields = Fields(values)
    elif not body:
        values = {}
    else:
        raise HTTPException(415, "This address takes a form or a JSON object.")
    for value in values.values() if checked else ():
        check_storable(value)
    return Fields(values)


def typed_before(request: Request) -> dict[str, str]:
    """What a handler has read of a plain form already, for the page that says why it was refused."""
    read: Fields | None = getattr(request.state, "fields", None)
    return read.typed() if read else {}


def check_storable(text: str) -> None:
    if NOT_STORABLE.search(text):
        raise TextNotStorable(
            "The text holds a character that cannot be stored (a NUL or half of a broken emoji)."
        )


def _from_form(body: bytes) -> dict[str, str]:
    """Bytes that are no UTF-8 become lone surrogates here, which `check_storable` then refuses."""
    try:
        pairs = parse_qsl(
            body.decode("ascii", "surrogateescape"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        raise Refused("The form has more fields than any form of this program.") from None
    return dict(pairs)


def _from_json(body: bytes) -> dict[str, str]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("The body is not JSON that can be read.", "Send one JSON object.") from None
    if not isinstance(read, dict) or len(read) > FIELDS_MAX:
        raise Refused("The body is not one JSON object.", "Send one object with a value for each field.")
    return {str(name): _as_text(name, value) for name, value in read.items()}


def _as_text(name: str, value: Any) -> str:
    """Lists of texts are taken as the form would hold them: separated by the mark of their field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else ""
    if isinstance(value, int | float | str):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return _SEPARATORS.get(name, "\n").join(value)
    raise Refused(f"The field {name[:40]!r} cannot be read.", "Send text, a number, true or false.")


_SEPARATORS = {"voice_samples": "\n---\n", "traits": ", "}
