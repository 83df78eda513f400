"""What was learned about each endpoint and model while talking to it, so that nothing is refused twice.

Kept in memory only: a server may have been updated by the next start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chat.llm.calls import Endpoint, Message, Rung

_REPLACEMENT = {"max_tokens": "max_completion_tokens"}
_OPTIONAL = ("stream_options", "max_tokens", "temperature", "seed")
_REFUSAL = re.compile(
    r"unsupported|not support|unknown|unrecogni|unexpected|not (permitted|allowed)|invalid|extra|deprecated",
    re.IGNORECASE,
)
_TEMPLATE_FAILED = (None, 400, 422, 500, 501, 502)
"""How servers tell that a model's template refuses the messages; None is an error at 200, inside the stream."""
_SYSTEM = r"(system|developer)['\"`]?[ _](role|message|prompt|instruction)s?"
_NOT_TAKEN = r"(not (supported|enabled|allowed|permitted|available|accepted)|unsupported|disabled)"
_NO_SYSTEM_ROLE = re.compile(
    rf"\b{_SYSTEM}['\"`]? ((is|are|was) )?{_NOT_TAKEN}"
    rf"|(\bnot|n['’]t) (support|accept|allow|have)\w* ((a|the|any) )?(['\"`](system|developer)['\"`]|\b{_SYSTEM})"
    rf"|\brole:? ['\"`]?(system|developer)['\"`]? ((is|was) )?{_NOT_TAKEN}"
    r"|(unexpected|invalid|unknown|unsupported|unrecogni[sz]ed) (message )?role:? ['\"`]?(system|developer)\b"
    r"|\bonly ['\"`]?user['\"`]?( and|,) ['\"`]?assistant\b(?![^.!]*system)"
    r"|should be ['\"`]?user['\"`]? or ['\"`]?assistant\b"
    r"|\broles must alternate",
    re.IGNORECASE,
)
_MAY_COME_FIRST = re.compile(r"optional system|system message must", re.IGNORECASE)


@dataclass
class Quirks:
    """`dropped`: parameters not to send. `bare_thoughts`: replies begin inside a thought, without a tag.

    `folds_system`: its template knows no system role; what stands there is told at the head of the first user message.
    """

    dropped: set[str] = field(default_factory=set)
    folds_system: bool = False
    bare_thoughts: bool = False
    rung: Rung | None = None

    def adapt(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body as this server takes it."""
        adapted = {name: value for name, value in body.items() if name not in self.dropped}
        for name in self.dropped & _REPLACEMENT.keys() & body.keys():
            if _REPLACEMENT[name] not in self.dropped:
                adapted[_REPLACEMENT[name]] = body[name]
        if self.folds_system:
            adapted["messages"] = _folded(adapted["messages"])
        return adapted

    def learn(self, status: int | None, words: str, param: str, body: Mapping[str, Any]) -> bool:
        """Whether the refusal was about something in the `body` that was sent and can be told otherwise; then it is so
        from now on. Another call may have learned the same meanwhile: this one is then sent again as well."""
        return self._learn_role(status, words, body) or self._learn_parameter(status, words, param, body)

    def _learn_role(self, status: int | None, words: str, body: Mapping[str, Any]) -> bool:
        if status not in _TEMPLATE_FAILED or body["messages"][0]["role"] != "system":
            return False
        if not _NO_SYSTEM_ROLE.search(words) or _MAY_COME_FIRST.search(words):
            return False
        self.folds_system = True
        return True

    def _learn_parameter(self, status: int | None, words: str, param: str, body: Mapping[str, Any]) -> bool:
        if status not in (400, 422):
            return False
        for name in _OPTIONAL:
            if name not in body:
                continue
            named = name in words or name in param or (name == "stream_options" and "include_usage" in words)
            if named and (param or _REFUSAL.search(words)):
                self.dropped.add(name)
                return True
        return False


def _folded(messages: Sequence[Message]) -> list[Message]:
    """The same words in the same order, and still strictly alternating; all in the first message of the user's."""
    first, *rest = messages
    if first["role"] != "system":
        return list(messages)
    words = [first["content"]]
    if rest and rest[0]["role"] == "user":
        words.append(rest.pop(0)["content"])
    return [{"role": "user", "content": "\n\n".join(words)}, *rest]


class QuirkBook:
    """One page per (address, model)."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, str], Quirks] = {}

    def page(self, endpoint: Endpoint, model: str) -> Quirks:
        return self._pages.setdefault((endpoint.base_url, model), Quirks())
