"""Reads one file and a few fields out of a posted form, in memory: the wall has counted the bytes already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from chat.errors import Refused

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

PARTS_MAX = 8
_KIND = b"multipart/form-data"


@dataclass
class Upload:
    """`files` and `fields` by their names in the form."""

    files: dict[str, bytes] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)


async def read_upload(request: Request) -> Upload:
    """The parts of a form with a file. Raises Refused for what is no such form, or 415 for another kind of body."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != _KIND or b"boundary" not in options:
        raise HTTPException(415, "This address takes a form with a file.")
    parts = _Parts()
    try:
        parser = MultipartParser(options[b"boundary"], parts.callbacks())
        parser.write(await request.body())
        parser.finalize()
    except FormParserError:
        raise Refused("The form with the file cannot be read.", "Choose the file again.") from None
    return parts.upload


class _Parts:
    """Collects what the parser calls back with."""

    def __init__(self) -> None:
        self.upload = Upload()
        self._count = 0
        self._head: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._body: list[bytes] = []

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._more,
            "on_header_end": self._header,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > PARTS_MAX:
            raise Refused("The form has more parts than any form of this program.", "Choose the file again.")
        self._head, self._body = {}, []

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _more(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        self._head[self._name.lower()] = self._value
        self._name = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._body.append(data[start:end])

    def _end(self) -> None:
        _, options = parse_options_header(self._head.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        body = b"".join(self._body)
        if b"filename" in options or b"filename*" in options:
            self.upload.files[name] = body
        else:
            self.upload.fields[name] = body.decode("utf-8", "replace")
