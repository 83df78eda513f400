"""The story map as its page, its table and a script get it: every moment in words, and where it leads."""

from __future__ import annotations

from typing import Any

import msgspec

from chat.domain.branching import TRUNK
from chat.web import story_time
from chat.web.portraits import speaker_hue
from chat.web.views import map_ways, map_words
from chat.web.views.demo_words import is_by_demo
from chat.web.views.map_drawing import LEAD, TOP, Drawing, Spot, draw, shortened
from chat.web.views.map_nodes import Node, StoryMap

_PLACE, _NAME, _SIDE = 19, 18, 16


class Mark(msgspec.Struct, frozen=True):
    """A node of the picture: a link, what it looks like and what it says to those who do not see it."""

    href: str
    moment: str
    classes: str
    label: str
    x: int
    y: int
    r: float
    on_trunk: bool
    is_here: bool
    here_right: bool
    is_picked: bool
    flag: str
    scene: str


class Band(msgspec.Struct, frozen=True):
    """A scene of the trunk: its place and time over the picture, and the ground it covers."""

    place: str
    time: str
    x: int
    width: int
    is_even: bool


class Row(msgspec.Struct, frozen=True):
    """A moment as a line of the table."""

    href: str
    what: str
    time: str
    place: str
    words: str
    line: str


class MapView(msgspec.Struct, frozen=True):
    """Everything a template needs."""

    summary: str
    shown: str
    drawing: Drawing
    top: int
    bands: list[Band]
    marks: list[Mark]
    pills: list[map_ways.Pill]
    rows: list[Row]
    links: list[tuple[str, str]]
    by_demo: bool
    is_other: bool
    goes_before: bool
    goes_on: bool
    lead_start: int
    lead_end: int


def map_view(story: StoryMap, picked: tuple[str, int] | None = None) -> MapView:
    """The picture and the table of the part that is shown; `picked` is the moment whose preview is open."""
    drawing = draw(story, {one.branch_id: map_words.caption(story, one) for one in story.window.strands})
    return MapView(
        summary=_summary(story),
        shown=_shown(story),
        drawing=drawing,
        top=TOP,
        bands=_bands(story, drawing),
        marks=[_mark(story, spot, picked) for spot in drawing.spots],
        pills=[
            *map_ways.pills_of_ends(story, drawing),
            *(map_ways.pill(story, fold) for fold in drawing.folds),
        ],
        rows=[_row(story, spot.node) for spot in drawing.spots],
        links=map_ways.links(story),
        by_demo=any(node.said and is_by_demo(node.said.model) for node in story.nodes.values()),
        is_other=story.look.along not in ("", story.chat.branch_id),
        goes_before=story.window.first > 1,
        goes_on=story.window.last < story.tree.end,
        lead_start=drawing.start - LEAD + 76,
        lead_end=drawing.end + LEAD - 88,
    )


def _moment(story: StoryMap, node: Node) -> str:
    return map_ways.address(story.chat.id, story.look, branch=node.branch_id, step=node.step) + "#moment"


def _summary(story: StoryMap) -> str:
    ends = {piece.branch_id: piece.upto for piece in story.tree.trunk}
    trunk = [one for one in story.landmarks.scenes if one.step <= ends.get(one.branch_id, -1)]
    counted = (
        (story.branches, "branch", "branches"),
        (len(trunk), "scene", "scenes"),
        (len(story.checkpoints), "checkpoint", "checkpoints"),
    )
    said = [f"{count:,} {one if count == 1 else many}" for count, one, many in counted if count]
    return ", ".join(said) + "."


def _shown(story: StoryMap) -> str:
    """What is not in the picture, if anything."""
    part, drawn, total = story.window, len(story.window.strands) + 1, story.branches
    if part.earlier is None and part.first <= 1 and drawn == total and part.last == story.tree.end:
        return ""
    what = "the whole story" if part.first <= 1 and part.last == story.tree.end else "a part of the story"
    of = f" and {drawn:,} of {total:,} branches" if drawn < total else ""
    return f"The picture shows {what}{of}. The rest is a press away."


def _headed(place: str) -> str:
    """As the name of a place stands at the beginning of a line, where there is no style sheet to do it."""
    return place[:1].upper() + place[1:]


def _bands(story: StoryMap, drawing: Drawing) -> list[Band]:
    made = []
    for number, spot in enumerate(drawing.scenes):
        scene = spot.node.scene
        after = drawing.scenes[number + 1].x if number + 1 < len(drawing.scenes) else drawing.width
        place = _headed(shortened(story.places.get(scene.id, "") if scene else "", _PLACE))
        time = story_time.clock(scene.at) if scene else ""
        made.append(Band(place or "A scene", time, spot.x, after - spot.x, number % 2 == 0))
    return made


def _mark(story: StoryMap, spot: Spot, picked: tuple[str, int] | None) -> Mark:
    node = spot.node
    kind = _kind(node)
    flag = ""
    if node.checkpoints and not (node.is_end and node.line != TRUNK):
        flag = shortened(node.checkpoints[0].name, _NAME)
    scene = ""
    if node.scene and node.line != TRUNK:
        scene = _headed(shortened(story.places.get(node.scene.id, "") or "A scene", _SIDE))
    hue = speaker_hue(node.said.speaker) if node.said and kind == "bead" else ""
    who = "you" if node.said and node.said.role == "user" else ""
    return Mark(
        href=_moment(story, node),
        moment=f"{node.branch_id}.{node.step}",
        classes=" ".join(part for part in (kind, who, hue, "on-line" if node.line == TRUNK else "") if part),
        label=map_words.label(story, node),
        x=spot.x,
        y=spot.y,
        r={"bead": 4, "fork": 5, "end": 5.5, "scene": 6, "flag": 6, "here": 7}[kind],
        on_trunk=node.line == TRUNK,
        is_here=node.is_here,
        here_right=node.is_end and node.line == TRUNK,
        is_picked=picked == (node.branch_id, node.step),
        flag=flag,
        scene=scene,
    )


def _kind(node: Node) -> str:
    said = (("here", node.is_here), ("flag", node.checkpoints), ("scene", node.scene), ("end", node.is_end))
    kind = next((name for name, is_so in said if is_so), "")
    return kind or ("fork" if node.leaving else "bead")


def _row(story: StoryMap, node: Node) -> Row:
    strand = next((one for one in story.window.strands if one.branch_id == node.line), None)
    line = f"{map_words.turns(story.turns[node.line])}, {map_words.parted(strand)}" if strand else "The story"
    return Row(
        href=_moment(story, node),
        what=map_words.what(story, node),
        time=map_words.time(node),
        place=map_words.place(story, node),
        words=map_words.excerpt(node.said, story.library),
        line=line,
    )


def map_json(story: StoryMap) -> dict[str, Any]:
    """The whole map for a script, whatever part the page shows."""
    branches = story.library.branches
    ends = story.landmarks.ends(
        (one for one in branches.values() if one.chat_id == story.chat.id), story.chat.branch_id
    )
    return {
        "chat_id": story.chat.id,
        "here": {"branch_id": story.here[0], "step": story.here[1]},
        "line": [piece._asdict() for piece in story.tree.trunk],
        "branches": [
            {
                "id": branch_id,
                "parent_id": branches[branch_id].parent_id,
                "fork_step": branches[branch_id].fork_step,
                "end": end,
                "reason": branches[branch_id].reason,
                "is_selected": branch_id == story.chat.branch_id,
            }
            for branch_id, end in ends.items()
        ],
        "scenes": [
            {
                "id": one.id,
                "branch_id": one.branch_id,
                "step": one.step,
                "place": story.places.get(one.id, ""),
                "story_time": one.at,
            }
            for one in story.landmarks.scenes
        ],
        "checkpoints": [
            {"id": one.id, "name": one.name, "branch_id": one.branch_id, "step": one.step}
            for one in story.checkpoints
        ],
    }
