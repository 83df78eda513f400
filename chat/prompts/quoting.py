"""Makes text that others wrote fit to stand in a prompt: no role markers, no tags of ours, one macro pass, capped.

What is stored is never changed, only what a model is shown. Nothing here is ever evaluated as a template.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Count = Callable[[str], int]

_CONTROL = re.compile(
    r"<(?=[|｜]|<?/?SYS>>)|(?<=[|｜])>"
    r"|<(?=/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|end_of_utterance|start_of_image|think|thinking)>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)"
    r"|/?(?:Notes for this reply|End of notes|What changed))",
    re.IGNORECASE,
)
_PLAIN = {"<": "‹", ">": "›", "[": "("}
_TAG = re.compile(r"<(?=[/!?a-z])", re.IGNORECASE)
_ROLE_LINE = re.compile(
    r"^([ \t#*>-]*)(system|user|assistant|human|instruction|response|developer)([ \t*]*):", re.I | re.M
)
_MACRO = re.compile(r"\{\{\s*(user|char)\s*\}\}|<(user|bot|char)>", re.IGNORECASE)
_NAME_CHARS = 60
_CHARS_PER_TOKEN = 12
"""More than any language needs; keeps a very long text from being counted whole each time."""


def neutral(text: str) -> str:
    """The text with chat-template markers (and the marks around our notes) made plain characters."""
    if "<" not in text and "[" not in text and "|>" not in text and "｜>" not in text:
        return text
    return _CONTROL.sub(lambda found: _PLAIN[found[0]], text)


def quoted(text: str, limit_tokens: int, count: Count, you: str = "", bot: str = "") -> str:
    """Card, memory and world text: markers, tags and role lines defused, {{user}} and {{char}} filled in once."""
    most = limit_tokens * _CHARS_PER_TOKEN
    text = text if len(text) <= most else f"{text[:most]}…"
    named = _MACRO.sub(lambda found: you if (found[1] or found[2]).lower() == "user" else bot, text)
    plain = _ROLE_LINE.sub(r"\1\2\3 -", _TAG.sub("‹", neutral(named)))
    return clipped(plain.strip(), limit_tokens, count)


def name_of(text: str) -> str:
    """A name on one line, short, without markers."""
    return _TAG.sub("‹", neutral(" ".join(text.split())))[:_NAME_CHARS].strip()


def clipped(text: str, limit_tokens: int, count: Count) -> str:
    """The text, or its beginning up to a word's end with "…" if it has more than `limit_tokens` tokens."""
    size, body = count(text), text
    while size > limit_tokens and body:
        most = int(len(text) * limit_tokens / size * 0.97)
        shorter = body[: min(most, len(body) - 1)].rstrip("… ")  # each round shorter, or it would never end
        body = shorter[: max(shorter.rfind(" "), 0) or len(shorter)].rstrip()
        text = f"{body}…" if body else ""
        size = count(text)
    return text
