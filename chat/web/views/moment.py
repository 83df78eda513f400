"""One moment of the story map before anybody goes there: what is said there, when and where, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from chat.domain.checkpoints import Checkpoint
from chat.domain.lineage import lineage_of, owner_of
from chat.store import views
from chat.web import story_time
from chat.web.views import travel
from chat.web.views.demo_words import is_by_demo
from chat.web.views.map_nodes import StoryMap

if TYPE_CHECKING:
    from chat.engine.engine import Engine
    from chat.engine.impact import Impact

_WORDS = 320


class Moment(msgspec.Struct, frozen=True):
    """A moment with a name or without; `changes` is what going there would do, a sentence each."""

    branch_id: str
    step: int
    title: str
    time: str
    place: str
    name: str
    words: str
    by_demo: bool
    is_here: bool
    is_elsewhere: bool
    changes: list[str]
    checkpoints: list[Checkpoint]
    impact: Impact


async def read_moment(engine: Engine, story: StoryMap, branch_id: str, step: int) -> Moment:
    """The moment right after a step, as seen from a branch of this chat. Raises NotFound."""
    chat, library = story.chat, story.library
    impact = await engine.impact_at(chat.id, branch_id, step)
    branches = {one.id: one for one in library.branches.values() if one.chat_id == chat.id}
    ends = story.landmarks.ends(branches.values(), chat.branch_id)
    upto = min(step, ends[branch_id])
    at = (owner_of(branches, branch_id, upto), upto)
    async with engine.store.reading() as reader:
        said = await views.said_at(reader, chat.id, branches, *at)
        if said:
            (said,) = await views.as_told(reader, [(said, story.line_at(*at))])
    cuts = {one: min(cut, at[1]) for one, cut in lineage_of(branches, at[0])}
    scenes = [one for one in story.landmarks.scenes if one.step <= cuts.get(one.branch_id, -1)]
    scene = max(scenes, key=lambda one: one.step, default=None)
    when = max((one.at for one in (said, scene) if one), default="")
    named = [one for one in story.checkpoints if (one.branch_id, one.step) == at]
    is_here = at == story.here
    return Moment(
        branch_id=at[0],
        step=at[1],
        title=named[0].name if named else "You are here" if is_here else "Right after this turn",
        time=story_time.spoken(when),
        place=story.places.get(scene.id, "") if scene else "",
        name=library.name_of(said.speaker) if said else "",
        words=travel.snippet(said.text, _WORDS) if said else "",
        by_demo=is_by_demo(said.model) if said else False,
        is_here=is_here,
        is_elsewhere=bool(impact.returning),
        changes=_changes(impact),
        checkpoints=named,
        impact=impact,
    )


def _changes(impact: Impact) -> list[str]:
    back = impact.returning
    comes = [f"{back:,} turns come back." if back > 1 else "1 turn comes back."] if back else []
    return [*travel.losses(impact), *comes]


def moment_json(moment: Moment) -> dict[str, Any]:
    return {
        "branch_id": moment.branch_id,
        "step": moment.step,
        "title": moment.title,
        "speaker": moment.name,
        "words": moment.words,
        "story_time": moment.time,
        "place": moment.place,
        "is_here": moment.is_here,
        "checkpoints": [{"id": one.id, "name": one.name} for one in moment.checkpoints],
        "impact": travel.as_json(moment.impact),
        "sentences": moment.changes,
    }
