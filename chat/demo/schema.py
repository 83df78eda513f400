"""A small valid instance for any JSON schema: defaults, empty lists, the first of an enum, numbers in range.

It invents nothing; what a schema means is filled in by the classifier afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Any
Schema: TypeAlias = Mapping[str, Any]

_DEEPEST = 40
_FORMATS = {
    "date-time": "2026-01-01T12:00:00Z",
    "date": "2026-01-01",
    "time": "12:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "nobody@example.org",
    "uri": "https://example.org/",
    "duration": "PT0S",
}


class UnusableSchema(ValueError):
    """The schema refers to something that is not there, or to itself without an end."""


def instance(schema: Schema, root: Schema | None = None, depth: int = 0) -> Json:
    """The smallest sensible instance of `schema`; `root` is where its $ref pointers start."""
    root = schema if root is None else root
    if depth > _DEEPEST:
        raise UnusableSchema("the schema requires itself without an end")
    schema = resolved(schema, root)
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return _one_of(schema[key], root, depth)
    return _BUILDERS.get(_type_of(schema), _null)(schema, root, depth)


def resolved(schema: Schema, root: Schema) -> Schema:
    """The schema with its $ref followed and its allOf merged in, one level deep."""
    for _ in range(_DEEPEST):
        if "$ref" not in schema:
            break
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**_lookup(str(schema["$ref"]), root), **rest}
    if "$ref" in schema:
        raise UnusableSchema("a $ref leads round in a circle")
    for part in schema.get("allOf", ()):
        schema = _merged(schema, resolved(part, root))
    return schema


def fits(value: Json, schema: Schema, root: Schema) -> bool:
    """Whether a filled-in value may stand where the schema puts it: type, enum and range."""
    schema = resolved(schema, root)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return any(fits(value, choice, root) for choice in choices)
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if isinstance(value, int) and not isinstance(value, bool):
        return _type_of(schema) in ("integer", "number") and _in_range(value, schema)
    wanted = {
        "string": str,
        "boolean": bool,
        "array": list,
        "object": dict,
        "null": type(None),
        "number": float,
    }
    return isinstance(value, wanted.get(_type_of(schema), object))


def _lookup(pointer: str, root: Schema) -> Schema:
    found: Any = root
    for step in pointer.removeprefix("#").strip("/").split("/"):
        if step:
            try:
                found = found[step.replace("~1", "/").replace("~0", "~")]
            except (KeyError, TypeError, IndexError):
                raise UnusableSchema(f"{pointer} is not in the schema") from None
    if not isinstance(found, Mapping):
        raise UnusableSchema(f"{pointer} is not a schema")
    return found


def _merged(schema: Schema, part: Schema) -> Schema:
    both = {**part, **schema}
    both["properties"] = {**part.get("properties", {}), **schema.get("properties", {})}
    both["required"] = [*part.get("required", ()), *schema.get("required", ())]
    return both


def _type_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return "null" if "null" in kind else str(kind[0])
    return str(kind or ("object" if "properties" in schema else "array" if "items" in schema else "null"))


def _one_of(choices: list[Schema], root: Schema, depth: int) -> Json:
    if any(_type_of(resolved(choice, root)) == "null" for choice in choices):
        return None
    return instance(choices[0], root, depth + 1)


def _object(schema: Schema, root: Schema, depth: int) -> Json:
    properties = schema.get("properties", {})
    required = set(schema.get("required", ()))
    wanted = {name: part for name, part in properties.items() if name in required or "default" in part}
    return {name: instance(part, root, depth + 1) for name, part in wanted.items()} | dict.fromkeys(
        required - properties.keys()
    )


def _array(schema: Schema, root: Schema, depth: int) -> Json:
    first = list(schema.get("prefixItems", ()))
    parts = first + [schema.get("items") or {}] * max(0, schema.get("minItems", 0) - len(first))
    return [instance(part, root, depth + 1) for part in parts]


def _number(schema: Schema, _root: Schema, _depth: int) -> Json:
    whole = _type_of(schema) == "integer"
    step = schema.get("multipleOf", 1)
    low, high = _bounds(schema, step)
    value = 0 if low <= 0 <= high else math.ceil(low / step) * step if math.isfinite(low) else high
    value = high if value > high and not whole else value
    return int(value) if whole else float(value)


def _bounds(schema: Schema, step: float) -> tuple[float, float]:
    whole = _type_of(schema) == "integer"
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    below, above = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    nudge = step if whole else 1e-6
    low = low if below is None else max(low, below + nudge)
    high = high if above is None else min(high, above - nudge)
    if not whole and "multipleOf" not in schema and low > 0:
        return low, min(high, low) if high < math.ceil(low) else high
    return low, high


def _in_range(value: float, schema: Schema) -> bool:
    low, high = _bounds(schema, schema.get("multipleOf", 1))
    return low <= value <= high


def _text(schema: Schema, _root: Schema, _depth: int) -> Json:
    text = _FORMATS.get(schema.get("format", ""), "")
    return text.ljust(schema.get("minLength", 0), "-")[: schema.get("maxLength", len(text) + 10_000)]


def _flag(_schema: Schema, _root: Schema, _depth: int) -> Json:
    return False


def _null(_schema: Schema, _root: Schema, _depth: int) -> Json:
    return None


_BUILDERS: dict[str, Callable[[Schema, Schema, int], Json]] = {
    "object": _object,
    "array": _array,
    "integer": _number,
    "number": _number,
    "string": _text,
    "boolean": _flag,
}
