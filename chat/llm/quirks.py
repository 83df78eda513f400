"""What was learned about each endpoint and model while talking to it, so that nothing is refused twice.

Kept in memory only: a server may have been updated by the next start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chat.llm.calls import Endpoint, Rung

_REPLACEMENT = {"max_tokens": "max_completion_tokens"}
_OPTIONAL = ("stream_options", "max_tokens", "temperature", "seed")
_REFUSAL = re.compile(
    r"unsupported|not support|unknown|unrecogni|unexpected|not (permitted|allowed)|invalid|extra|deprecated",
    re.IGNORECASE,
)


@dataclass
class Quirks:
    """`dropped`: parameters not to send. `bare_thoughts`: replies begin inside a thought, without a tag."""

    dropped: set[str] = field(default_factory=set)
    bare_thoughts: bool = False
    rung: Rung | None = None

    def adapt(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body as this server takes it."""
        adapted = {name: value for name, value in body.items() if name not in self.dropped}
        for name in self.dropped & _REPLACEMENT.keys() & body.keys():
            if _REPLACEMENT[name] not in self.dropped:
                adapted[_REPLACEMENT[name]] = body[name]
        return adapted

    def learn(self, status: int | None, words: str, param: str, body: Mapping[str, Any]) -> bool:
        """Whether the refusal was about a parameter that can be left out; then it is left out from now on."""
        if status not in (400, 422):
            return False
        for name in _OPTIONAL:
            if name in self.dropped or name not in body:
                continue
            named = name in words or name in param or (name == "stream_options" and "include_usage" in words)
            if named and (param or _REFUSAL.search(words)):
                self.dropped.add(name)
                return True
        return False


class QuirkBook:
    """One page per (address, model)."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, str], Quirks] = {}

    def page(self, endpoint: Endpoint, model: str) -> Quirks:
        return self._pages.setdefault((endpoint.base_url, model), Quirks())
