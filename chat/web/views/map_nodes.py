"""What the story map shows of one chat: which lines, which moments on them, and what is said there.

Everything is of one moment, read at once. It decides what is shown, not where it is drawn.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from chat.domain.branching import TRUNK, Tree, Window, fan, tree, window
from chat.domain.chats import Branch, Chat
from chat.domain.checkpoints import Checkpoint
from chat.domain.landmarks import SceneStart
from chat.domain.library import Library
from chat.domain.lineage import Lineage, lineage_of
from chat.errors import NotFound
from chat.store import views
from chat.store.reading import Reader
from chat.store.views import Landmarks, Said

MOST_TURNS = 70
"""Turns of a window that are all shown, a bead each; in a longer one only what stands out is."""
MOST_ON_A_STRAND = 6


class Look(NamedTuple):
    """What part of the map is asked for: along which branch (none: the selected), up to a step, or what leaves one."""

    along: str = ""
    until: int | None = None
    fan: int | None = None
    skip: int = 0


@dataclass
class Node:
    """One moment on a line: right after a step. `branch_id` is the branch on which the step lies."""

    line: str
    step: int
    branch_id: str
    said: Said | None = None
    scene: SceneStart | None = None
    checkpoints: list[Checkpoint] = field(default_factory=list)
    leaving: int = 0
    is_end: bool = False
    is_here: bool = False


class StoryMap(msgspec.Struct, frozen=True):
    """A window of the tree with the moments in it, by line and step; `turns` counts those of each strand."""

    chat: Chat
    library: Library
    look: Look
    tree: Tree
    window: Window
    landmarks: Landmarks
    nodes: dict[tuple[str, int], Node]
    turns: dict[str, int]
    here: tuple[str, int]
    checkpoints: list[Checkpoint]
    places: dict[str, str]
    """The name of the place of each scene."""

    @property
    def branches(self) -> int:
        """How many lines there are: the trunk and everything that leaves it."""
        return len(self.tree.strands) + 1

    def line_at(self, branch_id: str, step: int) -> Lineage:
        """The line that a step of a branch is drawn on: the one looked along where that has it, else the branch's."""
        is_on_trunk = _OnLines(self.tree).of(branch_id, step) == TRUNK
        along = self.look.along or self.chat.branch_id
        return lineage_of(self.library.branches, along if is_on_trunk else branch_id)


async def read_map(reader: Reader, library: Library, chat_id: str, look: Look) -> StoryMap:
    """The part of the map that is looked at. Raises NotFound."""
    chat = library.chats.get(chat_id)
    if chat is None:
        raise NotFound("There is no such chat.")
    branches = {one.id: one for one in library.branches.values() if one.chat_id == chat_id}
    along = look.along or chat.branch_id
    if along not in branches:
        raise NotFound("There is no such branch in this chat.")
    found = await views.landmarks(reader, chat_id)
    whole = tree(branches, found.ends(branches.values(), chat.branch_id), along)
    checkpoints = [one for one in library.checkpoints.values() if one.chat_id == chat_id]
    on_line = _OnLines(whole)
    part = _part(whole, look, on_line, found, checkpoints)
    chosen = _Nodes(whole, part, on_line)
    chosen.of_facts(found, checkpoints)
    here = _here(branches, chat, found.head)
    chosen.here(*here)
    return StoryMap(
        chat=chat,
        library=library,
        look=look,
        tree=whole,
        window=part,
        landmarks=found,
        nodes=chosen.nodes,
        turns=await _tell(reader, chosen, chat_id, branches, along),
        here=here,
        checkpoints=checkpoints,
        places={one.id: found.places.get(one.container_id, "") for one in found.scenes},
    )


def _part(
    whole: Tree, look: Look, on_line: _OnLines, found: Landmarks, checkpoints: list[Checkpoint]
) -> Window:
    """The window that is looked at; what has a name on it is drawn before the rest."""
    lines = {on_line.of(one.branch_id, one.step) for one in checkpoints}
    named = _with_parents(whole, {line for line in lines if line})
    if look.fan is not None:
        return fan(whole, look.fan, look.skip, named)
    marks = {one.step for one in found.scenes if on_line.of(one.branch_id, one.step) == TRUNK}
    marks |= {one.step for one in checkpoints if on_line.of(one.branch_id, one.step) == TRUNK}
    return window(whole, marks, named, look.until)


async def _tell(
    reader: Reader, chosen: _Nodes, chat_id: str, branches: dict[str, Branch], along: str
) -> dict[str, int]:
    """Fill in what is said at each moment, and every turn where there are few; returns how many each strand has."""
    turns, part = {}, chosen.part
    for strand in part.strands:
        span = (strand.branch_id, strand.start, strand.end)
        turns[strand.branch_id] = await views.count_turns(reader, chat_id, *span)
    if part.last - part.first + sum(turns.values()) <= MOST_TURNS:
        for branch_id, after, upto in chosen.spans():
            for said in await views.said_between(reader, chat_id, branch_id, after, upto, MOST_TURNS):
                chosen.turn(said)
    for node in chosen.nodes.values():
        if node.said is None:
            node.said = await views.said_at(reader, chat_id, branches, node.branch_id, node.step)
    await _as_told(reader, chosen, branches, along)
    return turns


async def _as_told(reader: Reader, chosen: _Nodes, branches: dict[str, Branch], along: str) -> None:
    """Each moment in the words that stand on the line it is drawn on, whichever line is selected."""
    known: dict[str, Lineage] = {}
    said, nodes = [], [node for node in chosen.nodes.values() if node.said]
    for node in nodes:
        at = along if node.line == TRUNK else node.line
        line = known.setdefault(at, lineage_of(branches, at))
        if node.said:
            said.append((node.said, line))
    for node, one in zip(nodes, await views.as_told(reader, said), strict=True):
        node.said = one


def _here(branches: dict[str, Branch], chat: Chat, head: int) -> tuple[str, int]:
    """Where the story stands: the branch on which its last step lies, and that step."""
    at = branches[chat.branch_id]
    while at.parent_id and head <= at.fork_step:
        at = branches[at.parent_id]
    return at.id, head


def _with_parents(whole: Tree, named: set[str]) -> set[str]:
    """These strands and every one they hang on."""
    found = set()
    for branch_id in named:
        while branch_id != TRUNK and branch_id not in found:
            found.add(branch_id)
            branch_id = whole.strands[branch_id].parent
    return found


class _OnLines:
    """On which line of the tree a step of a branch lies."""

    def __init__(self, whole: Tree) -> None:
        self._trunk = {piece.branch_id: piece for piece in whole.trunk}
        self._strands = whole.strands

    def of(self, branch_id: str, step: int) -> str | None:
        """The trunk, a strand's branch, or None for a step that no line has."""
        piece = self._trunk.get(branch_id)
        if piece and step <= piece.upto:
            return TRUNK
        return branch_id if branch_id in self._strands else None


class _Nodes:
    """Collects the moments to show, each once."""

    def __init__(self, whole: Tree, part: Window, on_line: _OnLines) -> None:
        self.nodes: dict[tuple[str, int], Node] = {}
        self._whole, self.part, self._on_line = whole, part, on_line
        self._strands = {one.branch_id: one for one in part.strands}
        self._marks: dict[str, int] = defaultdict(int)
        self._at(TRUNK, max(part.first, 1))
        self._at(TRUNK, part.last).is_end = part.last == whole.end
        for strand in part.strands:
            self._at(strand.branch_id, strand.end).is_end = True
            self._leaves(strand.parent, strand.start, whole.sizes[strand.branch_id])
        for (line, step), hidden in part.folded.items():
            self._leaves(line, step, hidden)

    def of_facts(self, found: Landmarks, checkpoints: list[Checkpoint]) -> None:
        for one in checkpoints:
            if node := self._shown(one.branch_id, one.step, always=True):
                node.checkpoints.append(one)
        for scene in found.scenes:
            if node := self._shown(scene.branch_id, scene.step):
                node.scene = scene

    def here(self, branch_id: str, step: int) -> None:
        if node := self._shown(branch_id, step, always=True):
            node.is_here = True

    def turn(self, said: Said) -> None:
        if node := self._shown(said.branch_id, said.step, always=True):
            node.said = said

    def spans(self) -> list[tuple[str, int, int]]:
        """What is drawn of each branch: above one step and up to another."""
        first, last = max(self.part.first, 1) - 1, self.part.last
        trunk = [
            (one.branch_id, max(one.after, first), min(one.upto, last))
            for one in self._whole.trunk
            if one.after < last and one.upto > first
        ]
        return [*trunk, *((one.branch_id, one.start, one.end) for one in self.part.strands)]

    def _leaves(self, line: str, step: int, branches: int) -> None:
        if line != TRUNK or self.part.first <= step <= self.part.last:
            self._at(line, step).leaving += branches

    def _shown(self, branch_id: str, step: int, *, always: bool = False) -> Node | None:
        line = self._on_line.of(branch_id, step)
        if line == TRUNK:
            return self._at(TRUNK, step) if self.part.first <= step <= self.part.last else None
        if line is None or line not in self._strands:
            return None
        if not always and (line, step) not in self.nodes:
            self._marks[line] += 1
            if self._marks[line] > MOST_ON_A_STRAND:
                return None
        return self._at(line, step)

    def _at(self, line: str, step: int) -> Node:
        branch_id = self._whole.branch_of(step) if line == TRUNK else line
        return self.nodes.setdefault((line, step), Node(line, step, branch_id))
