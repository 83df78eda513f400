"""Takes a story prompt apart: what the bot is told about the world, what was really said, and who speaks next.

Notes and bracketed cues that a program puts into the player's messages are no words of the player.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NOTES = re.compile(r"\[Notes for this reply[^\]\n]*\]\n?(?P<notes>.*?)\[End of notes\]", re.S)
_NARRATED = re.compile(r"^Narrator: .*?(?=^[^\n:]{1,60}: |\Z)", re.S | re.M)
_DIRECTION = re.compile(r"^<direction>\n(?P<what>.*?)\n</direction>$", re.S | re.M)
_NAMED = re.compile(r"^\s*[^\n:]{1,60}: ")
_CUE = re.compile(r"^\s*\[(?!\s*ooc\b)[^\]\n]*\]\s*$", re.M | re.I)


@dataclass(frozen=True)
class Message:
    """One message of the request, its content as plain text."""

    role: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """`told` is the system prompt with the newest notes first; `said` holds only user and assistant messages.

    `words` is what the player just said, None when the bot is to speak unasked.
    """

    told: str
    said: tuple[Message, ...]
    words: str | None

    @property
    def direction(self) -> str:
        """What the player tells this very reply to bring about."""
        found = _DIRECTION.search(self.told)
        return found["what"].strip() if found else ""

    @property
    def turns(self) -> list[str]:
        return [message.text for message in self.said if message.role == "user"]

    @property
    def replies(self) -> list[str]:
        return [message.text for message in self.said if message.role == "assistant"]


def take_apart(messages: Sequence[Message]) -> Prompt:
    told = [message.text for message in messages if message.role in ("system", "developer")]
    said: list[Message] = []
    asked = False
    for message in messages:
        if message.role == "assistant":
            said += [message] if message.text.strip() else []
            asked = False
        elif message.role == "user":
            parts, notes = _player_words(message.text)
            told[:0] = notes
            said += [Message("user", part) for part in parts]
            asked = bool(parts) and parts[-1] == _last_words(message.text)
    return Prompt("\n".join(told), tuple(said), said[-1].text if asked else None)


def _player_words(text: str) -> tuple[list[str], list[str]]:
    """What the player said before and after the notes, and the notes; cues are left out, odd turns are kept."""
    found = list(_NOTES.finditer(text))
    starts, ends = [0, *(note.end() for note in found)], [*(note.start() for note in found), len(text)]
    parts = [_own(_CUE.sub("", text[start:end])) for start, end in zip(starts, ends, strict=True)]
    kept = [part for part in parts if part]
    return (kept if kept or _CUE.search(text) else [""]), [note["notes"] for note in found]


def _last_words(text: str) -> str:
    end = [found.end() for found in _NOTES.finditer(text)]
    return _own(_CUE.sub("", text[end[-1] if end else 0 :]))


def _own(text: str) -> str:
    """Without what the narrator told in the same message; where somebody else speaks too, the player is named."""
    told = _NARRATED.sub("", text)
    return (_NAMED.sub("", told, count=1) if told != text else text).strip()
