"""Splits one turn into narration, dialogue, action, asides, whispers, thoughts and directions, without a model.

One pass, linear in the text; the segments always join to the input. Where the marks are ambiguous the reading
that fewer ears hear wins: an open `((` or a whisper to a name nobody bears never becomes something everyone
hears. What opens an aside is the player's choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

Kind = Literal["narration", "dialogue", "action", "ooc", "whisper", "thought", "direction"]
"""A direction ("/narrate it begins to rain") tells the model what the next reply is to bring about."""


class Segment(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """`to` holds entity ids (whispers only). The first `cue` characters of a whisper, thought or direction are
    its command ("/whisper Mira "), not words."""

    kind: Kind
    text: str
    to: tuple[str, ...] = ()
    cue: int = 0


def segments_after(segments: Sequence[Segment], chars: int) -> tuple[Segment, ...]:
    """The segments beyond the first `chars` characters; one that lies across keeps its kind and loses its command."""
    found: list[Segment] = []
    for segment in segments:
        if chars <= 0:
            found.append(segment)
        elif chars < len(segment.text):
            found.append(Segment(segment.kind, segment.text[chars:], segment.to))
        chars -= len(segment.text)
    return tuple(found)


LINE_ENDS = "\n\r\v\f\x85\u2028\u2029"
BLANKS = (  # all other white space, and what takes no room at all
    " \t\x1c\x1d\x1e\x1f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u200c\u200d\u200e\u200f\u202f\u205f\u2060\u3000\ufeff"
)
_BLANK = f"[{BLANKS}]*"
_MARKS = f'{LINE_ENDS}*"“”„«»「」『』'
_BREAK = re.compile(rf"(?:\r\n|[{LINE_ENDS}])(?P<empty>{_BLANK}[{LINE_ENDS}])?")
_COMMAND = re.compile(rf"{_BLANK}/(?P<word>whisper|think|narrate)(?!\w)", re.IGNORECASE)
_COMMANDS: dict[str, Kind] = {"whisper": "whisper", "think": "thought", "narrate": "direction"}
_ONE_LINE = frozenset(_COMMANDS.values())
_STARS = re.compile(r"\*+")
_CLOSERS = {'"': '"', "“": "”", "„": "“”", "«": "»", "「": "」", "『": "』"}
_QUOTED_NAME = re.compile(rf'["“„«]([^"“”«»{LINE_ENDS}]*)["“”»]')
_CUE_GAP = re.compile(r"[ \t\u00a0:,]*")
ASIDE = "(("
_MIRRORED = str.maketrans("()[]{}<>", ")(][}{><")


def parse_segments(text: str, names: Mapping[str, str] = {}, aside: str = ASIDE) -> tuple[Segment, ...]:
    """`names` maps display names to entity ids and is matched without regard to case, longest name first.

    `aside` is what opens an aside. Its mirror image closes it, as `]]` does `[[`; a mark that has none (`//`) closes
    itself, or ends with its line.
    """
    return _Scanner(text, names, _aside_marks(aside)).segments()


def closing(aside: str) -> str:
    """What closes an aside that this opens; the same again where there is no mirror image."""
    image = aside[::-1].translate(_MIRRORED)
    return aside if any(letter.isalnum() for letter in aside) else image


class _AsideMarks(NamedTuple):
    """`any` finds every mark of a text, `either` what opens or ends an aside; `size` characters count as one."""

    any: re.Pattern[str]
    opens: re.Pattern[str]
    either: re.Pattern[str]
    size: int
    is_paired: bool


@lru_cache(maxsize=16)
def _aside_marks(aside: str) -> _AsideMarks:
    unit = aside[0] if aside == aside[0] * len(aside) else aside
    least = len(aside) // len(unit)
    opens, closes = (f"(?:{re.escape(one)}){{{least},}}" for one in (unit, closing(unit)))
    is_paired = closing(aside) != aside
    return _AsideMarks(
        any=re.compile(f"[{_MARKS}{re.escape(aside[0])}]"),
        opens=re.compile(opens),
        either=re.compile(f"(?P<opens>{opens})|{closes if is_paired else f'[{LINE_ENDS}]'}"),
        size=len(aside),
        is_paired=is_paired,
    )


class _Scanner:
    """Walks over the marks once. `_mode` is the kind being read, `_closers` the quotes that would end it."""

    def __init__(self, text: str, names: Mapping[str, str], asides: _AsideMarks) -> None:
        self._text, self._asides = text, asides
        self._names = sorted(
            ((name.strip().casefold(), entity) for name, entity in names.items() if name.strip()),
            key=lambda pair: (-len(pair[0]), pair),
        )
        self._reach = len(self._names[0][0]) if self._names else 0
        self._done: list[Segment] = []
        self._start = 0
        self._lead = ""
        self._mode: Kind = "narration"
        self._closers = ""
        self._to: tuple[str, ...] = ()
        self._cue = 0

    def segments(self) -> tuple[Segment, ...]:
        position = self._command(0)
        while mark := self._asides.any.search(self._text, position):
            position = self._step(mark[0], mark.start())
        self._cut(len(self._text))
        if self._lead:
            self._done.append(Segment("narration", self._lead))
        return tuple(self._done)

    def _step(self, mark: str, place: int) -> int:
        """Deals with the mark at `place`; returns where to read on."""
        if opening := self._asides.opens.match(self._text, place):
            return self._aside(opening)
        if mark == "*":
            return self._star(place)
        if mark in LINE_ENDS:
            return self._line_end(place)
        return self._quote(mark, place)

    def _cut(self, end: int, mode: Kind = "narration", closers: str = "") -> None:
        """Ends the running segment at `end` and begins one of kind `mode`."""
        if end > self._start:
            self._keep(Segment(self._mode, self._text[self._start : end], self._to, self._cue))
        self._start, self._mode, self._closers, self._to, self._cue = end, mode, closers, (), 0

    def _keep(self, segment: Segment) -> None:
        """White space in front of a segment belongs to the one before; at the very start, to the first."""
        words = segment.text.lstrip()
        lead = segment.text[: len(segment.text) - len(words)]
        if self._done and lead:
            last = self._done[-1]
            self._done[-1] = Segment(last.kind, last.text + lead, last.to, last.cue)
        if not self._done:
            words, self._lead = (self._lead + segment.text, "") if words else ("", self._lead + lead)
        if words:
            cue = max(0, segment.cue + len(words) - len(segment.text)) if segment.cue else 0
            self._done.append(Segment(segment.kind, words, segment.to, cue))

    def _line_end(self, place: int) -> int:
        """A line end ends what a command began, an empty line whatever is open; a command may follow."""
        line = _BREAK.match(self._text, place)
        if line and (line["empty"] or self._mode in _ONE_LINE) and self._mode != "narration":
            self._cut(place)
        return self._command(
            line.start("empty") if line and line["empty"] else line.end() if line else place + 1
        )

    def _command(self, place: int) -> int:
        """Begins a whisper, thought or direction if the line that starts at `place` asks for one."""
        command = _COMMAND.match(self._text, place)
        if not command:
            return place
        mode = _COMMANDS[command["word"].lower()]
        self._cut(place, mode)
        end = self._addressee(command.end()) if mode == "whisper" else self._after_gap(command.end())
        self._cue = end - place
        return end

    def _addressee(self, position: int) -> int:
        """Reads the name behind "/whisper"; sets who hears it and returns where the words begin."""
        start = self._after_gap(position)
        quoted = _QUOTED_NAME.match(self._text, start)
        found = self._exact(quoted[1]) if quoted else None
        end = quoted.end() if quoted and found else start
        if not found:
            found, end = self._longest(start)
        self._to = (found,) if found else ()
        return self._after_gap(end)

    def _after_gap(self, position: int) -> int:
        gap = _CUE_GAP.match(self._text, position)
        return gap.end() if gap else position

    def _exact(self, name: str) -> str | None:
        wanted = name.strip().casefold()
        return next((entity for known, entity in self._names if known == wanted), None)

    def _longest(self, start: int) -> tuple[str | None, int]:
        """Folding can lengthen a letter, so `ends` maps each folded length to a place in the text."""
        folded, ends = "", {}
        for place in range(start, min(start + self._reach, len(self._text))):
            folded += self._text[place].casefold()
            ends[len(folded)] = place + 1
        for known, entity in self._names:
            end = ends.get(len(known), 0)
            if end and folded.startswith(known) and self._ends_name(end):
                return entity, end
        return None, start

    def _ends_name(self, place: int) -> bool:
        following = self._text[place : place + 1]
        return not following or following.isspace() or following in ":,"

    def _aside(self, opening: re.Match[str]) -> int:
        """An aside breaks out of everything; what it interrupted goes on behind it, to the same ears."""
        mode, closers, to = self._mode, self._closers, self._to
        self._cut(opening.start(), "ooc")
        end = self._aside_end(opening) if self._asides.is_paired else self._aside_on_its_line(opening.end())
        self._cut(end, mode, closers)
        self._to = to
        return end

    def _aside_end(self, opening: re.Match[str]) -> int:
        """Pairs are counted, single brackets (and smileys) are not; an aside left open runs to the end."""
        depth = len(opening[0]) // self._asides.size
        for run in self._asides.either.finditer(self._text, opening.end()):
            depth += len(run[0]) // self._asides.size * (1 if run["opens"] else -1)
            if depth <= 0:
                return run.end()
        return len(self._text)

    def _aside_on_its_line(self, start: int) -> int:
        end = self._asides.either.search(self._text, start)
        if end is None:
            return len(self._text)
        return end.end() if end["opens"] else end.start()

    def _quote(self, mark: str, place: int) -> int:
        if self._mode == "dialogue" and mark in self._closers:
            self._cut(place + 1)
        elif self._mode == "narration" and mark in _CLOSERS and self._opens(place, place + 1):
            self._cut(place, "dialogue", _CLOSERS[mark])
        return place + 1

    def _star(self, place: int) -> int:
        """Only a single star marks an action: two are bold type, one before a space is just a star."""
        stars = _STARS.match(self._text, place)
        end = stars.end() if stars else place + 1
        if end == place + 1 and self._mode == "action":
            self._cut(end)
        elif end == place + 1 and self._mode == "narration" and self._opens(place, end):
            self._cut(place, "action")
        return end

    def _opens(self, start: int, end: int) -> bool:
        """A mark glued to the end of a word or number (5", 2*3), or with nothing behind it, opens nothing."""
        before, after = self._text[start - 1 : start] if start else "", self._text[end : end + 1]
        return bool(after) and not after.isspace() and not before.isalnum()
