"""The JSON inside a stream's events, decoded with types, in every dialect the known servers speak.

Pure: bytes in, `Chunk` out. A payload that is no chunk gives None and is the caller's to count.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

Content = str | list[Any] | None


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: Content = None
    reasoning: Content = None
    reasoning_content: Content = None
    thinking: Content = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    index: int | None = None
    error: Any = None


class _Raw(msgspec.Struct):
    choices: list[_Choice] | None = None
    error: Any = None
    object: Any = None
    detail: Any = None
    message: Any = None
    usage: Any = None
    model: Any = None
    id: Any = None


class Chunk(msgspec.Struct, frozen=True):
    """What one event brought. `error` is the server's error object, whatever its shape.

    `is_refusal`: the text came in the field in which a model declines.
    """

    text: str = ""
    reasoning: str = ""
    reasoning_field: str = ""
    tool_arguments: str = ""
    finish: str | None = None
    is_refusal: bool = False
    error: Any = None
    usage: dict[str, Any] | None = None
    model: str | None = None
    id: str | None = None


_decode = msgspec.json.Decoder(_Raw).decode
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")


def read_chunk(payload: bytes) -> Chunk | None:
    raw = _parse(payload)
    if raw is None:
        return None
    return _plain(raw) or _any(raw)


def _plain(raw: _Raw) -> Chunk | None:
    """Nearly every chunk of nearly every stream: one choice with one string. Half the cost of `_any`."""
    choices = raw.choices
    if choices is None or len(choices) != 1 or raw.error or raw.usage or raw.object == "error":
        return None
    choice = choices[0]
    delta = choice.delta
    if delta is None or choice.finish_reason or choice.index or choice.error:
        return None
    content = delta.content
    if type(content) is not str or delta.tool_calls or delta.refusal or _has_reasoning(delta):
        return None
    return Chunk(content, model=_name(raw.model), id=_name(raw.id))


def _name(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) else None


def _has_reasoning(delta: _Delta) -> bool:
    return bool(delta.reasoning_content or delta.reasoning or delta.thinking)


def _any(raw: _Raw) -> Chunk:
    error = _error(raw)
    usage = raw.usage if isinstance(raw.usage, dict) else None
    model, request_id = _name(raw.model), _name(raw.id)
    choice = _first_choice(raw.choices)
    if choice is None:
        return Chunk(error=error, usage=usage, model=model, id=request_id)
    delta = choice.delta or choice.message or _Delta()
    reasoning_field, reasoning, embedded = _reasoning(delta)
    text, thoughts = _flat(delta.content) if delta.content else (choice.text or "", "")
    return Chunk(
        text=text or delta.refusal or "",
        reasoning=reasoning + embedded + thoughts,
        reasoning_field=reasoning_field or ("content" if thoughts else ""),
        tool_arguments=_arguments(delta.tool_calls) if delta.tool_calls else "",
        finish=choice.finish_reason or None,
        is_refusal=bool(delta.refusal and not text),
        error=error or choice.error,
        usage=usage,
        model=model,
        id=request_id,
    )


def _parse(payload: bytes) -> _Raw | None:
    try:
        return _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _parse_leniently(payload)


def _parse_leniently(payload: bytes) -> _Raw | None:
    """Raw control characters in strings and half of a surrogate pair, which the strict reader refuses."""
    try:
        return msgspec.convert(json.loads(payload, strict=False), _Raw)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None


def _first_choice(choices: list[_Choice] | None) -> _Choice | None:
    for choice in choices or ():
        if not choice.index:
            return choice
    return None


def _error(raw: _Raw) -> Any:
    if raw.error:
        return raw.error
    if raw.object == "error":
        return {"message": raw.message, "code": None}
    if raw.choices is None and raw.usage is None and (raw.detail or raw.message):
        return {"message": raw.detail or raw.message}
    return None


def _reasoning(delta: _Delta) -> tuple[str, str, str]:
    """The field's name and its text. Some servers fill two fields with the same words, so one is read."""
    for name in _REASONING_FIELDS:
        value = getattr(delta, name)
        if value:
            text, thoughts = _flat(value)
            return name, text, thoughts
    return "", "", ""


def _flat(content: Content) -> tuple[str, str]:
    """Text and thoughts of a content that is a string or a list of parts."""
    if content is None or isinstance(content, str):
        return content or "", ""
    text: list[str] = []
    thoughts: list[str] = []
    for part in content:
        if isinstance(part, str):
            text.append(part)
        elif isinstance(part, dict):
            kind = part.get("type")
            target = thoughts if kind in ("thinking", "reasoning") else text
            target.append(_part_text(part))
    return "".join(text), "".join(thoughts)


def _part_text(part: dict[str, Any]) -> str:
    for key in ("text", "content", "thinking", "reasoning"):
        value = part.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return "".join(_flat(value))
    return ""


def _arguments(calls: list[_ToolCall]) -> str:
    """Only the first call's arguments: one function is ever offered."""
    pieces = []
    for call in calls:
        if call.index in (None, 0) and call.function and call.function.arguments:
            arguments = call.function.arguments
            pieces.append(arguments if isinstance(arguments, str) else json.dumps(arguments))
    return "".join(pieces)


class Usage(NamedTuple):
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    cost_nano_usd: int | None


def read_usage(usage: dict[str, Any]) -> Usage:
    """OpenAI, OpenRouter and DeepSeek spellings; numbers that make no sense are unknown."""
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    cost = usage.get("cost")
    known = isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < 1_000_000
    return Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(cached if cached is not None else usage.get("prompt_cache_hit_tokens")),
        round(cost * 1_000_000_000) if known and cost is not None else None,
    )


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 40:
        return None
    return value
