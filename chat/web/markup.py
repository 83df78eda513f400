"""Turns the words of a turn into safe HTML; the only place in the program that makes `Markup`.

Text is escaped first, then a small grammar of our own adds paragraphs, bold, italic and block quotes, and an
allow-list sanitiser has the last word. Links, images, headings, code and HTML stay the plain text they were.
The result belongs between tags, never inside an attribute.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import nh3
from markupsafe import Markup

from chat.domain.segments import BLANKS, LINE_ENDS, Segment, parse_segments
from chat.domain.witness import readable

_SANITISER = nh3.Cleaner(
    tags={"p", "em", "i", "strong", "b", "br", "blockquote", "span"},
    clean_content_tags=set(),
    attributes={},
    allowed_classes={"span": {"dialogue", "ooc", "whisper", "thought", "direction", "cue"}},
    link_rel=None,
)
_NOT_IN_HTML = re.compile("[\x00\ud800-\udfff]")
_LINE = re.compile(f"[^{LINE_ENDS}]+")
_STARS = re.compile(r"\*+|_+")
_TAGS = {1: ("<em>", "</em>"), 2: ("<strong>", "</strong>"), 3: ("<strong><em>", "</em></strong>")}


_NOTHING = Segment("narration", "")


class _Line(NamedTuple):
    """A line with something on it; its words begin behind blanks and behind the ">" of a quoted one."""

    start: int
    words: int
    end: int
    is_quoted: bool


def render_turn(text: str, segments: Sequence[Segment] = ()) -> Markup:
    """`segments` must join to `text`; without them (or when they do not) the text is split here."""
    if sum(len(segment.text) for segment in segments) != len(text):
        segments = parse_segments(text)
    pieces = _Pieces(text, segments)
    return Markup("".join(_block(lines, pieces) for lines in _paragraphs(text)))


class _Pieces:
    """Segments by their place in the text. Reads must go forward, so that each is passed over once."""

    def __init__(self, text: str, segments: Sequence[Segment]) -> None:
        self._text = text
        self._segments = segments
        self._ends: list[int] = []
        total = 0
        for segment in segments:
            total += len(segment.text)
            self._ends.append(total)
        self._at = 0

    def between(self, start: int, end: int) -> Iterator[tuple[int, Segment, str]]:
        """The runs of text[start:end], each with its segment, the segment's number and its words without command."""
        while start < end:
            while self._ends[self._at] <= start:
                self._at += 1
            segment, stop = self._segments[self._at], self._ends[self._at]
            if segment.cue:
                start = max(start, stop - len(segment.text) + segment.cue)
            yield self._at, segment, self._text[start : min(end, stop)]
            start = stop


def _paragraphs(text: str) -> list[list[_Line]]:
    """Lines with words on them, in groups parted by empty lines."""
    found: list[list[_Line]] = []
    last_end = -1
    for match in _LINE.finditer(text):
        if match[0].strip(BLANKS):
            gap = text[last_end : match.start()] if found else "\n\n"
            if len(gap) > 1 and gap != "\r\n":
                found.append([])
            found[-1].append(_line(match[0], match.start()))
            last_end = match.end()
    return found


def _line(text: str, place: int) -> _Line:
    start = place + len(text) - len(text.lstrip())
    is_quoted = text.lstrip().startswith(">")
    behind_mark = text.lstrip()[is_quoted:].lstrip()
    return _Line(start, place + len(text) - len(behind_mark), place + len(text.rstrip()), is_quoted)


def _block(lines: Sequence[_Line], pieces: _Pieces) -> str:
    made = []
    for is_quoted, group in groupby(lines, key=itemgetter(3)):
        inner = "".join(_runs(group, pieces))
        made.append(f"<blockquote><p>{inner}</p></blockquote>" if is_quoted else f"<p>{inner}</p>")
    return _SANITISER.clean(_NOT_IN_HTML.sub("\ufffd", "".join(made).replace("\n", "<br>")))


def _runs(lines: Iterable[_Line], pieces: _Pieces) -> Iterator[str]:
    """What each segment says on these lines, styled; a line break belongs to the words before it."""
    said, last, parts = _NOTHING, -1, list[str]()
    for line in lines:
        if last >= 0:
            parts.append("\n")
        for number, segment, words in pieces.between(line.words, line.end):
            if number != last:
                yield _styled(said, "".join(parts))
                said, last, parts = segment, number, []
            parts.append(words)
    yield _styled(said, "".join(parts))


def _styled(said: Segment, run: str) -> str:
    text = html.escape(run, quote=False)
    if said.kind == "narration":
        return _inline(text)
    words = text.strip()
    before, _, after = text.partition(words) if words else ("", "", text)
    if said.kind == "action":
        inner = f"<em>{_inline(_without_stars(words))}</em>"
    else:
        inner = f'<span class="{said.kind}">{_cue(said) if said.cue else ""}{_inline(words)}</span>'
    return f"{before}{inner}{after}"


def _cue(said: Segment) -> str:
    """The command of a whisper or thought, in words."""
    words = readable(Segment(said.kind, said.text[: said.cue], said.to, said.cue))
    return f'<span class="cue">{html.escape(words.strip(), quote=False)}</span> '


def _without_stars(words: str) -> str:
    """An action without the star at either end; two stars there are bold type and stay."""
    if words.startswith("*") and not words.startswith("**"):
        words = words[1:]
    if words.endswith("*") and not words.endswith("**"):
        words = words[:-1]
    return words


def _inline(text: str) -> str:
    """Bold and italic, each inside the other at most once; a mark without a partner is the character it is."""
    if "*" not in text and "_" not in text:
        return text
    out: list[str] = []
    waiting: list[str] = []
    places: dict[str, int] = {}
    position = 0
    for stars in _STARS.finditer(text):
        mark = stars[0]
        out.append(text[position : stars.start()])
        out.append(mark)
        position = stars.end()
        opens, closes = _flanks(text, stars)
        if closes and mark in waiting:
            out[places[mark]], out[-1] = _TAGS[len(mark)]
            del waiting[waiting.index(mark) :]
        elif opens and mark not in waiting:
            waiting.append(mark)
            places[mark] = len(out) - 1
    out.append(text[position:])
    return "".join(out)


def _flanks(text: str, stars: re.Match[str]) -> tuple[bool, bool]:
    """Whether the mark can open and can close: it must touch a word, and underscores stand only at its edges."""
    before, after = text[stars.start() - 1 : stars.start()], text[stars.end() : stars.end() + 1]
    if len(stars[0]) > 3:
        return False, False
    is_line = stars[0][0] == "_"
    opens = bool(after) and not after.isspace() and not (is_line and before.isalnum())
    closes = bool(before) and not before.isspace() and not (is_line and after.isalnum())
    return opens, closes
