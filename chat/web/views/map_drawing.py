"""Where everything of the story map is drawn: one lane a line, story from left to right, no two lines crossing.

Plain geometry in pixels of an SVG; steps far apart are drawn closer together, so a long story stays a picture.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from math import log2

import msgspec

from chat.domain.branching import TRUNK, Strand
from chat.web.views.map_nodes import Node, StoryMap

LEFT, TOP, LANE, BELOW = 30, 96, 52, 34
LEAD = 128
"""Room at an end of the trunk where the story goes on out of sight."""
_AFTER_HERE = 150
_STEP, _FAR, _NEAR_STEPS = 26, 15, 3
_SCENE, _NAME, _SIDE = 158, 146, 128
"""Room for the words at a scene of the trunk, at a checkpoint and at a scene of a strand."""
_BUCKET, _BEND, _BESIDE = 8, 10, 14
_WANTED, _MOST_STRETCH = 740, 2.6
_CHAR, _SMALL = 7.6, 6.6
_FOLD_WIDTH = 86

Caption = tuple[str, str]


class Spot(msgspec.Struct, frozen=True):
    """A node in its place."""

    node: Node
    x: int
    y: int


class Run(msgspec.Struct, frozen=True):
    """A strand as a path that ends at a place, and the two lines of words there."""

    strand: Strand
    path: str
    x: int
    y: int
    caption: Caption


class Fold(msgspec.Struct, frozen=True):
    """A place where more branches leave than are drawn."""

    line: str
    step: int
    count: int
    path: str
    x: int
    y: int


class Drawing(msgspec.Struct, frozen=True):
    """The trunk runs from `start` to `end` at `TOP`; `scenes` are the spots of its scenes."""

    width: int
    height: int
    start: int
    end: int
    spots: list[Spot]
    runs: list[Run]
    folds: list[Fold]
    scenes: list[Spot]


def draw(story: StoryMap, captions: Mapping[str, Caption]) -> Drawing:
    """The drawing of a map; `captions` are the words at the end of each strand."""
    columns, lanes, width = _laid(story, captions, 1.0)
    if 0 < width < _WANTED and (span := max(columns.values()) - LEFT):
        columns, lanes, width = _laid(story, captions, min(_MOST_STRETCH, 1 + (_WANTED - width) / span))
    spots = [
        Spot(node, columns[step], lanes.y(line))
        for (line, step), node in story.nodes.items()
        if line in lanes.lane
    ]
    spots.sort(key=lambda spot: (spot.y, spot.x))
    return Drawing(
        width=width,
        height=TOP + LANE * lanes.deepest + BELOW,
        start=columns[_first(story)],
        end=columns[story.window.last],
        spots=spots,
        runs=lanes.runs,
        folds=lanes.folds,
        scenes=[spot for spot in spots if spot.node.line == TRUNK and spot.node.scene],
    )


def _laid(
    story: StoryMap, captions: Mapping[str, Caption], stretch: float
) -> tuple[dict[int, int], _Lanes, int]:
    """Columns and lanes with steps so far apart, and the width that comes of it."""
    columns = _columns(story, stretch)
    lanes = _Lanes(story, columns, captions)
    lanes.fill(TRUNK)
    beyond = _AFTER_HERE if story.window.last == story.tree.end else LEAD
    return columns, lanes, max(lanes.right + _BESIDE, columns[story.window.last] + beyond)


def shortened(text: str, most: int) -> str:
    """The beginning of a text, no wider than so many letters; wide letters count twice."""
    width = 0
    for at, char in enumerate(text):
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width > most:
            return text[: max(at - 1, 1)].rstrip(" ,.;:") + "…"
    return text


def _first(story: StoryMap) -> int:
    return max(story.window.first, 1) if story.window.last else 0


Row = tuple[str, str]
"""Words that must not run into each other: what they are about, and the line they belong to."""


def _rooms(story: StoryMap) -> dict[int, dict[Row, int]]:
    """Every step that has something on it, and the room that the words there take on their rows."""
    rooms: dict[int, dict[Row, int]] = {_first(story): {}, story.window.last: {}}
    rooms |= {strand.start: {} for strand in story.window.strands if story.window.first <= strand.start}
    for (line, step), node in story.nodes.items():
        room = rooms.setdefault(step, {})
        if node.scene:
            room["scene", line] = _SCENE if line == TRUNK else _SIDE
        if node.checkpoints:
            room["name", line] = _NAME
        if node.is_end or node.is_here:
            room |= {("scene", line): 0, ("name", line): 0} | room
    return rooms


def _columns(story: StoryMap, stretch: float) -> dict[int, int]:
    """The x of every step that has something on it, the same on every line."""
    rooms, columns = _rooms(story), {}
    x = float(LEFT + (LEAD if story.window.first > 1 else 0))
    free: dict[Row, float] = {}
    before: int | None = None
    for step, room in sorted(rooms.items()):
        x += 0 if before is None else _gap(step - before) * stretch
        x = max([x, *(free.get(row, 0.0) for row in room)])
        free |= {row: x + width for row, width in room.items()}
        columns[step], before = round(x), step
    return columns


def _gap(steps: int) -> float:
    if steps <= _NEAR_STEPS:
        return _STEP * steps
    return _STEP * _NEAR_STEPS + _FAR * log2(steps - _NEAR_STEPS + 1)


class _Lanes:
    """Gives every strand the highest lane that is free below its parent from where it leaves to the end of its words.

    What leaves last comes first, so the way down to a lane never crosses another line.
    """

    def __init__(self, story: StoryMap, columns: Mapping[int, int], captions: Mapping[str, Caption]) -> None:
        self.lane: dict[str, int] = {TRUNK: 0}
        self.runs: list[Run] = []
        self.folds: list[Fold] = []
        self.right = self.deepest = 0
        self._columns, self._captions = columns, captions
        self._folded = story.window.folded
        self._leaving: dict[str, list[Strand]] = {}
        for strand in story.window.strands:
            self._leaving.setdefault(strand.parent, []).append(strand)
        self._taken: list[int] = []

    def y(self, line: str) -> int:
        return TOP + LANE * self.lane[line]

    def fill(self, line: str) -> None:
        """Place everything that leaves a line, and what leaves that."""
        waiting = [self._at(line)]
        while waiting:
            for one in waiting[-1]:
                if isinstance(one, Strand):
                    self._run(one)
                    waiting.append(self._at(one.branch_id))
                    break
                self._fold(line=one[0], step=one[1])
            else:
                waiting.pop()

    def _at(self, line: str) -> Iterator[Strand | tuple[str, int]]:
        """The strands that leave a line and the places where some are folded, the last first."""
        strands = self._leaving.get(line, [])
        steps = {one.start for one in strands} | {step for on, step in self._folded if on == line}
        for step in sorted((one for one in steps if one in self._columns), reverse=True):
            yield from (one for one in strands if one.start == step)
            if (line, step) in self._folded:
                yield line, step

    def _run(self, strand: Strand) -> None:
        first, second = caption = self._captions[strand.branch_id]
        x, end = self._columns[strand.start], self._columns[strand.end]
        words = _BESIDE + round(max(_width(first) * _CHAR, _width(second) * _SMALL))
        lane = self._free(x, end + words)
        self.lane[strand.branch_id] = lane
        path = f"{self._down(strand.parent, x, lane)}H{end}"
        self.runs.append(Run(strand, path, end, TOP + LANE * lane, caption))

    def _fold(self, line: str, step: int) -> None:
        x = self._columns[step]
        lane = self._free(x, x + _BEND + _FOLD_WIDTH)
        path = f"{self._down(line, x, lane)}h8"
        self.folds.append(Fold(line, step, self._folded[line, step], path, x + _BEND + 8, TOP + LANE * lane))

    def _down(self, line: str, x: int, lane: int) -> str:
        """From a point of a line straight down and round the corner into a lane."""
        return f"M{x} {self.y(line)}V{TOP + LANE * lane - _BEND}q0 {_BEND} {_BEND} {_BEND}"

    def _free(self, start: int, end: int) -> int:
        first, last = max(start // _BUCKET - 1, 0), end // _BUCKET + 2
        self._taken += [0] * (last - len(self._taken))
        lane = 1 + max(self._taken[first:last])
        self._taken[first:last] = [lane] * (last - first)
        self.right, self.deepest = max(self.right, end), max(self.deepest, lane)
        return lane


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
