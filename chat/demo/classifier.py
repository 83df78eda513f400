"""Structured answers: an object that is valid for the request's schema and says what the text itself says.

A known kind of question is told by its property names; any other schema gets a minimal valid instance.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chat.demo.kickoff import read_kickoff
from chat.demo.notes import read_digest, read_scene
from chat.demo.prompt import Message
from chat.demo.schema import Json, Schema, fits, instance, resolved


@dataclass(frozen=True)
class Question:
    """One kind of structured question: the properties it is known by and who answers it."""

    known_by: frozenset[str]
    answer: Callable[[Sequence[Message]], dict[str, Json]]


QUESTIONS: tuple[Question, ...] = (
    Question(frozenset({"place", "you", "bot", "opening"}), read_kickoff),
    Question(frozenset({"feelings", "minutes", "scene"}), read_digest),
    Question(frozenset({"memory", "significance", "feelings"}), read_scene),
)


def classify(messages: Sequence[Message], schema: Schema | None) -> str:
    """The answer as JSON text. Without a schema one is looked for in the messages, where some clients put it."""
    schema = schema or schema_in(messages)
    if schema is None:
        return "{}"
    whole = resolved(schema, schema)
    answer = instance(schema)
    properties = whole.get("properties", {})
    for question in QUESTIONS:
        if question.known_by <= properties.keys() and isinstance(answer, dict):
            answer = _filled(answer, question.answer(messages), whole, schema)
            break
    return json.dumps(answer, ensure_ascii=False)


def schema_in(messages: Sequence[Message]) -> Schema | None:
    """The first JSON object with "properties" that stands in a message."""
    decoder = json.JSONDecoder()
    for message in messages:
        at = message.text.find("{")
        for _ in range(50):
            if at < 0:
                break
            try:
                found, end = decoder.raw_decode(message.text, at)
            except (ValueError, RecursionError):
                end, found = at + 1, None
            if isinstance(found, dict) and "properties" in found:
                return found
            at = message.text.find("{", end)
    return None


def _filled(answer: dict[str, Json], found: dict[str, Json], schema: Schema, root: Schema) -> dict[str, Json]:
    """The minimal answer with what was found put in, wherever the schema has room for it."""
    filled = dict(answer)
    for name, value in found.items():
        part = schema.get("properties", {}).get(name)
        if part is None:
            continue
        inner = _object_in(part, root)
        if isinstance(value, dict) and inner is not None:
            base = filled.get(name)
            filled[name] = _filled(
                base if isinstance(base, dict) else instance(inner, root), value, inner, root
            )
        elif fits(value, part, root):
            filled[name] = value
    return filled


def _object_in(part: Schema, root: Schema) -> Schema | None:
    """The schema of an object a property may hold, also where it may be null instead."""
    whole = resolved(part, root)
    choices = [resolved(choice, root) for choice in whole.get("anyOf", (whole,))]
    return next((choice for choice in choices if "properties" in choice), None)
