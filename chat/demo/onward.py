"""Goes on with a reply that broke off: the last message of such a request is the reply as far as it got.

It ends what was left open and then tells more about the same words; it never repeats what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chat.demo.narrator import narrate
from chat.demo.prompt import Message

_WHOLE = re.compile(r"[.!?…][\"”*)]*\s*\Z")


def go_on(messages: Sequence[Message], seed: int | None = None) -> str:
    """What comes after the last message, which is the narrator's own."""
    *before, part = messages
    last = [before.pop()] if before else []
    paragraphs = narrate([*before, part, *last], seed).split("\n\n")
    more = "\n\n".join(paragraphs[1:] or paragraphs)
    return f"{_ending(part.text)}\n\n{more}"


def _ending(text: str) -> str:
    """What closes a sentence that was left open, and the speech or the action it stands in."""
    last = text.split("\n\n")[-1]
    closer = '"' if last.count('"') % 2 else "*" if last.count("*") % 2 else ""
    return closer if _WHOLE.search(text) else f"…{closer}"
