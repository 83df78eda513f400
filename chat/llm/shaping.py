"""How a structured answer is asked for: instructor writes the formats, we write the words beside them.

Every request still goes out through the caller's own `create`; here is no network.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

from chat.llm import lazily
from chat.llm.calls import Message, Rung

_QUOTED = 2_000

logging.getLogger("instructor").setLevel(logging.CRITICAL)  # it prints the model's words when they do not fit


async def load() -> None:
    """Loads instructor without holding up the event loop: it takes longer than all else together."""
    await lazily.load("instructor.v2.core.patch", "openai.types.chat")


async def instructed(
    create: Callable[[dict[str, Any]], Awaitable[str]],
    rung: Rung,
    answer: type[BaseModel],
    messages: Sequence[Message],
    model: str,
) -> None:
    """Has instructor shape the request, `create` make it and give the answer's JSON; raises unless that fits."""
    import instructor

    async def completion(**shaped: Any) -> Any:
        return _completion(await create(shaped), rung)

    mode = instructor.Mode.TOOLS if rung == "tools" else instructor.Mode.JSON_SCHEMA
    patched: Any = instructor.patch(create=completion, mode=mode)
    shape = _shape_of(answer)
    await patched(response_model=shape, messages=list(messages), model=model, max_retries=0, strict=False)


@cache
def _shape_of(answer: type[BaseModel]) -> type[BaseModel]:
    """The class that instructor makes of an answer's, and its schema: made anew they cost more than all else of a call.

    Every call gets a schema of its own, because instructor writes into some.
    """
    import instructor

    shape: Any = instructor.response_schema(answer)
    schema = json.dumps(shape.model_json_schema())
    shape.model_json_schema = lambda: json.loads(schema)
    return shape  # type: ignore[no-any-return]


def format_fields(rung: Rung, shaped: dict[str, Any], schema_key: bool) -> dict[str, Any]:
    """What is added to the request's body: the format as instructor writes it, or as other servers want it."""
    if rung == "prompt":
        return {}
    if rung == "json_object":
        schema = shaped["response_format"]["json_schema"]["schema"]
        return {"response_format": {"type": "json_object"} | ({"schema": schema} if schema_key else {})}
    return {name: shaped[name] for name in ("response_format", "tools", "tool_choice") if name in shaped}


def with_schema(messages: Sequence[Message], answer: type[BaseModel]) -> list[Message]:
    """The shape in words, after everything else, so that the beginning stays the same for the server's cache."""
    words = (
        f"Answer with one JSON object and nothing else. It must match this JSON schema:\n{_schema_of(answer)}"
    )
    *before, last = messages
    if last["role"] != "user":
        return [*messages, {"role": "user", "content": words}]
    return [*before, {**last, "content": f"{last['content']}\n\n{words}"}]


@cache
def _schema_of(answer: type[BaseModel]) -> str:
    return json.dumps(answer.model_json_schema(), ensure_ascii=False)


def repair_messages(messages: Sequence[Message], raw_text: str, fault: str) -> list[Message]:
    """The same question once more, with the answer that was no use and a stricter instruction."""
    reason = f" What was wrong: {fault[:500]}" if fault else ""
    words = (
        "That cannot be used. Give the answer again, complete, as one JSON object only: "
        f"no explanation, no code fence, no apology.{reason}"
    )
    return [
        *messages,
        {"role": "assistant", "content": raw_text[:_QUOTED] or "(nothing)"},
        {"role": "user", "content": words},
    ]


def _completion(text: str, rung: Rung) -> Any:
    """The answer in the form that instructor reads."""
    from openai.types.chat import ChatCompletion

    message: dict[str, Any] = {"role": "assistant", "content": text}
    if rung == "tools":
        call = {"id": "1", "type": "function", "function": {"name": "answer", "arguments": text}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return ChatCompletion.model_validate(
        {"id": "1", "object": "chat.completion", "created": 0, "model": "", "choices": [choice]}
    )
