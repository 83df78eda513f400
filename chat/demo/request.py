"""Checks a chat request and turns it into what the narrator and the classifier need, or says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chat.demo.prompt import Message

NARRATOR, CLASSIFIER = "demo-narrator", "demo-classifier"
CONTEXT_LENGTH = 131_072
_ROLES = ("system", "developer", "user", "assistant", "tool")


class BadRequest(Exception):
    """The request cannot be answered; `param` and `code` are as OpenAI names them, `status` is HTTP's."""

    def __init__(
        self, message: str, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.message, self.param, self.code, self.status = message, param, code, status


@dataclass(frozen=True)
class ChatRequest:
    """One request for a completion. `schema` is None for free JSON; `max_tokens` None means no limit."""

    model: str
    messages: tuple[Message, ...]
    stream: bool
    with_usage: bool
    seed: int | None
    max_tokens: int | None
    stop: tuple[str, ...]
    structured: bool
    schema: Mapping[str, Any] | None


def read_request(body: object) -> ChatRequest:
    if not isinstance(body, dict):
        raise BadRequest("The body is not a JSON object.")
    if body.get("n", 1) not in (1, None):
        raise BadRequest("Only one choice is written at a time; n must be 1.", "n", "unsupported_value")
    structured, schema = _response_format(body.get("response_format"))
    options = body.get("stream_options") or {}
    return ChatRequest(
        model=_model(body.get("model")),
        messages=_messages(body.get("messages")),
        stream=_flag(body, "stream"),
        with_usage=isinstance(options, dict) and options.get("include_usage") is True,
        seed=_whole(body, "seed", lowest=None),
        max_tokens=_first(_whole(body, "max_completion_tokens", 1), _whole(body, "max_tokens", 1)),
        stop=_stop(body.get("stop")),
        structured=structured,
        schema=schema,
    )


def _model(model: object) -> str:
    if not isinstance(model, str) or not model:
        raise BadRequest("You must name a model.", "model", "missing_required_parameter")
    if model not in (NARRATOR, CLASSIFIER):
        raise BadRequest(f"The model {model[:80]!r} does not exist.", "model", "model_not_found", status=404)
    return model


def _messages(messages: object) -> tuple[Message, ...]:
    if not isinstance(messages, list) or not messages:
        raise BadRequest("messages must be a list with at least one message.", "messages")
    return tuple(_message(at, message) for at, message in enumerate(messages))


def _message(at: int, message: object) -> Message:
    where = f"messages[{at}]"
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        raise BadRequest(
            f"{where} needs a role: one of {', '.join(_ROLES)}.", f"{where}.role", "invalid_value"
        )
    return Message(message["role"], _content(message.get("content"), f"{where}.content", message["role"]))


def _content(content: object, where: str, role: str) -> str:
    if isinstance(content, str):
        return content
    if content is None and role == "assistant":
        return ""
    if isinstance(content, list) and all(
        isinstance(p, dict) and isinstance(p.get("text"), str) for p in content
    ):
        return "".join(part["text"] for part in content)
    raise BadRequest(f"{where} must be text.", where, "invalid_type")


def _response_format(wanted: object) -> tuple[bool, Mapping[str, Any] | None]:
    if wanted is None:
        return False, None
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if not isinstance(wanted, dict) or kind not in ("text", "json_object", "json_schema"):
        raise BadRequest("response_format.type must be text, json_object or json_schema.", "response_format")
    if kind != "json_schema":
        schema = wanted.get("schema")
        return kind == "json_object", schema if isinstance(schema, dict) else None
    schema = (
        (wanted.get("json_schema") or {}).get("schema")
        if isinstance(wanted.get("json_schema"), dict)
        else None
    )
    if not isinstance(schema, dict):
        raise BadRequest(
            "response_format.json_schema.schema is missing.", "response_format.json_schema.schema"
        )
    return True, schema


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{name} must be true or false.", name, "invalid_type")
    return bool(value)


def _whole(body: Mapping[str, Any], name: str, lowest: int | None) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRequest(f"{name} must be a whole number.", name, "invalid_type")
    if lowest is not None and value < lowest:
        raise BadRequest(f"{name} must be at least {lowest}.", name, "integer_below_min_value")
    return value


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _stop(stop: object) -> tuple[str, ...]:
    words = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadRequest("stop must be text or a list of texts.", "stop", "invalid_type")
    return tuple(word for word in words if word)
