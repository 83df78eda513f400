"""Tells a reply from a model's statement that it will not write one. Only for stories; a strict reading on purpose.

What a character says in quotes, or a reply longer than a few sentences, is never taken for it.
"""

from __future__ import annotations

import re

from chat.errors import BadResponse, Declined, HeldBack
from chat.llm.calls import Endpoint
from chat.llm.failures import quoted, quoting

_LONGEST_CHARS = 400
_STORY = re.compile('["*“”«»„]')
_BEGINS = re.compile(
    r"\W*(I(['’]m| am) (really |very |so )?(sorry|unable|not able)|sorry,? (but )?I|I apologi[sz]e"
    r"|I (can(['’]?t|not)|won['’]t|will not|must decline)|as an AI\b)",
    re.IGNORECASE,
)
_ABOUT_THE_TASK = re.compile(
    r"\b(assist|help (you )?with (that|this)|comply|fulfil|generate|continue (this|with)|request|content"
    r"|guidelines|polic(y|ies)|as an AI|language model|role-?play)\b",
    re.IGNORECASE,
)


def withheld(endpoint: Endpoint, text: str, finish: str | None, is_refusal: bool) -> BadResponse | None:
    """The error for a whole reply that is none, or whose end was held back."""
    if is_refusal or declines(text):
        words = quoted(text, endpoint)
        return Declined(quoting(f"{endpoint.name} declined to write this.", words))
    if finish == "content_filter":
        return HeldBack(f"{endpoint.name} held back the rest of its reply (content filter).", partial=text)
    return None


def declines(text: str) -> bool:
    """Whether these words speak about the task instead of telling the story."""
    plain = text.strip()
    if len(plain) > _LONGEST_CHARS or _STORY.search(plain):
        return False
    return bool(_BEGINS.match(plain) and _ABOUT_THE_TASK.search(plain))
