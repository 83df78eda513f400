"""The moments of the story map in words: what each is, when and where it is, and what is said there."""

from __future__ import annotations

from chat.domain.branching import TRUNK, Strand
from chat.domain.history import AGAIN, RETRY
from chat.domain.library import Library
from chat.domain.names import apart
from chat.store.views import Said
from chat.web import story_time
from chat.web.views.map_drawing import Caption, shortened
from chat.web.views.map_nodes import Node, StoryMap

_PARTED = {RETRY: "another reply", AGAIN: "said in other words"}
_EXCERPT, _IN_PICTURE = 110, 30


def excerpt(said: Said | None, library: Library, most: int = _EXCERPT) -> str:
    """Who says what, shortened."""
    if said is None:
        return ""
    words = shortened(" ".join(said.text.replace("*", "").split()), most)
    name = library.spoken_name(said.speaker)
    return f"{name}: {words}" if words else f"{name} is about to speak"


def parted(strand: Strand) -> str:
    """Why a strand left, in words."""
    return _PARTED.get(strand.reason, "went another way")


def caption(story: StoryMap, strand: Strand) -> Caption:
    node = story.nodes[strand.branch_id, strand.end]
    words = shortened(" ".join((node.said.text if node.said else "").replace("*", "").split()), _IN_PICTURE)
    named = shortened(node.checkpoints[0].name, _IN_PICTURE) if node.checkpoints else ""
    return named or words or "no words yet", f"{turns(story.turns[strand.branch_id])} · {parted(strand)}"


def turns(count: int) -> str:
    return {0: "changes by hand", 1: "1 turn"}.get(count, f"{count:,} turns")


def what(story: StoryMap, node: Node) -> str:
    """What a moment is, in words."""
    parts = ["You are here"] if node.is_here else []
    parts += [f"Checkpoint “{apart(one.name)}”" for one in node.checkpoints]
    if node.scene:
        parts.append("A scene begins")
    if node.leaving:
        parts.append("1 branch leaves" if node.leaving == 1 else f"{node.leaving:,} branches leave")
    if node.is_end and not node.is_here:
        parts.append("End of the story as told here" if node.line == TRUNK else "End of a branch")
    return ". ".join(parts) or "A turn"


def place(story: StoryMap, node: Node) -> str:
    scene_id = node.scene.id if node.scene else node.said.scene_id if node.said else ""
    return story.places.get(scene_id, "")


def time(node: Node) -> str:
    return story_time.clock((node.scene.at if node.scene else "") or (node.said.at if node.said else ""))


def label(story: StoryMap, node: Node) -> str:
    where = ", ".join(part for part in (time(node), apart(place(story, node))) if part)
    return ". ".join(
        part for part in (what(story, node), where, excerpt(node.said, story.library, 70)) if part
    )
