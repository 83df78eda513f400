"""The shapes of OpenAI's chat completions on the wire: pieces, chunks, completions, usage and errors."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from chat.demo.prompt import Message
from chat.demo.request import ChatRequest

FINGERPRINT = "demo-scripted-1"
_PIECE = re.compile(r"\s*\S{1,9}")


@dataclass(frozen=True)
class Answer:
    """A finished answer cut into the pieces it is sent in; a piece counts as one token."""

    id: str
    created: int
    model: str
    pieces: tuple[str, ...]
    finish_reason: str
    prompt_tokens: int

    @property
    def usage(self) -> dict[str, int]:
        written = len(self.pieces)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": written,
            "total_tokens": self.prompt_tokens + written,
        }


def pieces_of(text: str) -> list[str]:
    """Words with the space before them, long ones in parts; the pieces join to the text."""
    found = _PIECE.findall(text)
    rest = text[sum(map(len, found)) :]
    return [*found, rest] if rest else found


def count_tokens(messages: tuple[Message, ...]) -> int:
    """As many as the pieces the messages would be sent in, and four a message for its frame."""
    return sum(4 + len(_PIECE.findall(message.text)) for message in messages)


def cut(text: str, request: ChatRequest) -> tuple[tuple[str, ...], str]:
    """The pieces that may be sent and why the text ends there: "stop" or "length"."""
    ends = [at for at in (text.find(word) for word in request.stop) if at >= 0]
    pieces = pieces_of(text[: min(ends)] if ends else text)
    if request.max_tokens is not None and len(pieces) > request.max_tokens:
        return tuple(pieces[: request.max_tokens]), "length"
    return tuple(pieces), "stop"


def completion(answer: Answer) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(answer.pieces), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
    return {**_head(answer, "chat.completion"), "choices": [choice], "usage": answer.usage}


def chunk(answer: Answer, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {**_head(answer, "chat.completion.chunk"), "choices": [choice]}


def usage_chunk(answer: Answer) -> dict[str, Any]:
    return {**_head(answer, "chat.completion.chunk"), "choices": [], "usage": answer.usage}


def frame(payload: dict[str, Any]) -> bytes:
    """One server-sent event; letters outside ASCII go out as UTF-8, as providers send them."""
    return b"data: " + json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"


def error(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _head(answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": answer.id,
        "object": kind,
        "created": answer.created,
        "model": answer.model,
        "system_fingerprint": FINGERPRINT,
    }
