"""Keeps a model's leading thoughts apart from its reply while both still stream, however the tags are cut.

Only what stands at the beginning is taken for thought; the same words later in a story are story. Text is
also made storable here: no NUL, no half of a surrogate pair.
"""

from __future__ import annotations

import re

from chat.llm.calls import Piece

_CLOSERS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[think]": r"\[/think\]",
    "◁think▷": "◁/think▷",
    "<|channel|>analysis<|message|>": r"(<\|end\|>)?(<\|start\|>assistant)?<\|channel\|>final<\|message\|>",
    "<|channel>thought": r"<channel\|>",
}
_LONGEST = max(map(len, _CLOSERS))
_LONGEST_CLOSER = 60
# A closer without its opener: the template had put the opener into the prompt.
_BARE_CLOSER = re.compile(r"</think>|</thinking>|</reasoning>|\[/think\]|◁/think▷", re.IGNORECASE)
_MAY_CLOSE = re.compile(r"[>\]▷]")  # the last character of each
_CARRY = 16


class Separator:
    """Content in, pieces out. `text` and `reasoning` are what is known so far.

    When a closing tag comes without its opening one, what had been given out as text turns out to be
    thought: then `retracted` is true and `text` is shorter than the pieces were. `starts_inside` is for models
    known to do that.
    """

    def __init__(self, starts_inside: bool = False) -> None:
        self.retracted = False
        self.closed_without_opening = False
        self._closer: re.Pattern[str] | None = _BARE_CLOSER if starts_inside else None
        self._guessing = starts_inside
        self._undecided = not starts_inside
        self._held = ""
        self._thought_before = False
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._carry = ""

    @property
    def text(self) -> str:
        return _joined(self._text)

    @property
    def reasoning(self) -> str:
        return _joined(self._reasoning)

    def add_reasoning(self, text: str) -> Piece:
        """What came in a field of its own."""
        self._reasoning.append(text)
        return Piece("reasoning", text)

    def feed(self, text: str) -> list[Piece]:
        if not self._undecided and self._closer is None:
            return self._body(text)
        self._held += text
        return self._settle()

    def finish(self) -> list[Piece]:
        """Nothing more comes: what was held back is given out."""
        held, self._held = self._held, ""
        if self._guessing:  # the thought it was taken for never closed, so it was the reply
            text = "".join(self._reasoning) + held
            self._reasoning.clear()
            self._guessing, self._closer = False, None
            self.retracted = bool(text)
            return self._as_text(text)
        if self._closer is not None:
            return [self.add_reasoning(held)] if held else []
        return self._as_text(held.lstrip() if self._thought_before else held)

    def _settle(self) -> list[Piece]:
        pieces: list[Piece] = []
        while self._held:
            before = len(self._held), self._undecided
            pieces += self._open() if self._undecided else self._close()
            if not self._undecided and self._closer is None:
                held, self._held = self._held, ""
                return pieces + self._body(held)
            if before == (len(self._held), self._undecided):
                break
        return pieces

    def _open(self) -> list[Piece]:
        """Decides whether the beginning is an opening tag, could still become one, or is the reply."""
        start = self._held.lstrip()
        lowered = start[:_LONGEST].lower()
        for opener, closer in _CLOSERS.items():
            if lowered.startswith(opener):
                self._held = start[len(opener) :]
                self._undecided, self._closer = False, re.compile(closer, re.IGNORECASE)
                return []
        still_open = any(opener.startswith(lowered) for opener in _CLOSERS)
        if still_open:  # also while there is only white space
            return []
        if self._thought_before:
            self._held = start
        self._undecided = False
        return []

    def _close(self) -> list[Piece]:
        assert self._closer is not None
        found = self._closer.search(self._held)
        if found is None:
            keep = min(len(self._held), _LONGEST_CLOSER)
            given, self._held = self._held[:-keep], self._held[-keep:]
            return [self.add_reasoning(given)] if given else []
        thought = self._held[: found.start()]
        self._held = self._held[found.end() :]
        self._closer, self._undecided, self._thought_before = None, True, True
        self.closed_without_opening |= self._guessing
        self._guessing = False
        return [self.add_reasoning(thought)] if thought else []

    def _body(self, text: str) -> list[Piece]:
        if self._thought_before or not _MAY_CLOSE.search(text):
            self._carry = (self._carry + text)[-_CARRY:]
            return self._as_text(text)
        found = _BARE_CLOSER.search(self._carry + text)
        if found is None:
            self._carry = (self._carry + text)[-_CARRY:]
            return self._as_text(text)
        return self._retract(text, found.end() - len(self._carry))

    def _retract(self, text: str, end: int) -> list[Piece]:
        """All text so far, up to the closing tag, was thought."""
        thought = _BARE_CLOSER.sub("", "".join(self._text) + text[:end], count=1)
        self.retracted = bool(self._text)
        self.closed_without_opening = self._thought_before = self._undecided = True
        self._text.clear()
        self._held = text[end:]
        return [self.add_reasoning(thought), *self._settle()]

    def _as_text(self, text: str) -> list[Piece]:
        if not text:
            return []
        self._text.append(text)
        return [Piece("text", text)]


class Storable:
    """Makes streamed text storable: NUL dropped, split surrogate pairs joined, stray halves replaced."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        if self._half:
            text, self._half = self._half + text, ""
        try:
            text.encode()
        except UnicodeEncodeError:
            if "\ud800" <= text[-1] <= "\udbff":
                text, self._half = text[:-1], text[-1]
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text.replace("\0", "") if "\0" in text else text


def _joined(parts: list[str]) -> str:
    if len(parts) > 1:
        parts[:] = ["".join(parts)]
    return parts[0] if parts else ""


def split_thoughts(text: str) -> tuple[str, str]:
    """(thoughts, reply) of a whole text."""
    separator = Separator()
    separator.feed(text)
    separator.finish()
    return separator.reasoning, separator.text
