"""What a fold hands to the tables: records, one per row, and the ways rows change.

A record's fields are its table's columns, in order; lists and segments are stored as JSON text.
The store writes and reads records without knowing what they mean.
"""

from __future__ import annotations

import operator
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, Self

import msgspec

Row = tuple[Any, ...]
_encode = msgspec.json.Encoder().encode
_NOTHING: dict[type, str] = {tuple: "[]", dict: "{}"}


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of every row. `table` names its table, `key` the columns of its primary key.

    `belongs_to` names the table a row goes away with, and the column that holds the id there.
    """

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]] = ("id",)
    belongs_to: ClassVar[tuple[str, str] | None] = None

    def row(self) -> Row:
        """The values in column order, as SQLite stores them."""
        return _row_of(type(self))(self)

    def key_values(self) -> Row:
        return key_of(type(self))(self)

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """The record a row holds; `row` has every column, in order."""
        values = list(row)
        for index, decoder in _json_columns(cls).items():
            values[index] = decoder.decode(values[index])
        for index in _flag_columns(cls):
            values[index] = bool(values[index])
        return cls(**dict(zip(cls.__struct_fields__, values, strict=True)))


@cache
def key_of(record: type[Record]) -> Callable[[Record], Row]:
    """What gets the key of a record of this type; asked for at every change of a row, so it is quick."""
    get = operator.attrgetter(*record.key)
    return get if len(record.key) > 1 else lambda one: (get(one),)


@cache
def _row_of(record: type[Record]) -> Callable[[Record], Row]:
    """What makes a row of a record of this type; asked for with every row, so it looks at nothing twice."""
    in_json, flags = tuple(_json_columns(record)), _flag_columns(record)
    if not in_json and not flags:
        return msgspec.structs.astuple

    def row(one: Record) -> Row:
        values = list(msgspec.structs.astuple(one))
        for index in in_json:
            value = values[index]
            values[index] = (not value and _NOTHING.get(type(value))) or _encode(value).decode()
        for index in flags:
            values[index] = int(values[index])
        return tuple(values)

    return row


@cache
def _json_columns(record: type[Record]) -> dict[int, msgspec.json.Decoder[Any]]:
    hints = typing.get_type_hints(record)
    return {
        index: msgspec.json.Decoder(hints[name])
        for index, name in enumerate(record.__struct_fields__)
        if typing.get_origin(hints[name]) in (tuple, dict)
    }


@cache
def _flag_columns(record: type[Record]) -> tuple[int, ...]:
    hints = typing.get_type_hints(record)
    return tuple(i for i, name in enumerate(record.__struct_fields__) if hints[name] is bool)


class Put(msgspec.Struct, frozen=True, gc=False):
    """The row is now this, whether it was there or not."""

    record: Record


class Set(msgspec.Struct, frozen=True, gc=False):
    """Some columns of an existing row changed; nothing happens where there is no such row."""

    table: str
    key: Row
    values: dict[str, Any]


class Drop(msgspec.Struct, frozen=True, gc=False):
    """The row is gone."""

    table: str
    key: Row


class Clear(msgspec.Struct, frozen=True, gc=False):
    """Every row of a table with these values is gone, and the rows of other tables that belong to one of them."""

    table: str
    values: dict[str, Any]


Change = Put | Set | Drop | Clear
