"""The scripted drafts of a turn of the player: a gesture and a line that fit almost anywhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from random import Random

from chat.demo.prompt import Message

MARK = "You draft the next turn of "
_NAMED = re.compile(r"^([^\n:]{1,60}): ", re.M)
_GESTURES = (
    "*leans a little closer*",
    "*looks at {them} for a moment*",
    "*sets down what I was holding*",
    "*lets the silence stand a while*",
    "*draws up a chair*",
    "*nods slowly*",
)
_LINES = (
    '"Go on. I would like to hear the rest of it."',
    '"And what did you do then?"',
    '"I have been thinking the same. Shall we find out?"',
    '"You need not tell me, but I would listen."',
    '"Then let us begin with what we know."',
    '"Is that the whole of it, or only the part that is easy to say?"',
    '"All right. What do you need me to do?"',
    '"I came here to ask you exactly that."',
)


def is_asked(messages: Sequence[Message]) -> bool:
    return bool(messages) and messages[0].text.startswith(MARK)


def draft(messages: Sequence[Message], seed: int | None) -> str:
    whole = "\0".join([str(seed or 0), *(message.text for message in messages)])
    chance = Random(int.from_bytes(hashlib.sha256(whole.encode("utf-8", "replace")).digest()[:8], "big"))
    you = messages[0].text.removeprefix(MARK).split(" for the player", 1)[0]
    names = [name for name in _NAMED.findall(messages[-1].text) if name not in (you, "Narrator")]
    gesture = chance.choice(_GESTURES).format(them=names[-1] if names else "the door")
    return f"{gesture} {chance.choice(_LINES)}"
