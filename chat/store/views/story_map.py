"""What the picture of a chat's branches shows: where they end, where scenes begin, and what is said at some moments.

What it costs depends on the branches, the scenes and what is asked for, not on the length of the story.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from chat.domain.chats import Branch
from chat.domain.landmarks import BranchTip, PlaceName, SceneStart
from chat.domain.lineage import Lineage, is_visible
from chat.domain.records import Row
from chat.domain.world import ChatState
from chat.store import told
from chat.store.reading import Reader

_SAID_CHARS = 400
_OF_CHAT = "where chat_id = ? order by rowid"
_SAID = f"""
select t.id, t.branch_id, t.step, t.role, t.speaker, substr(coalesce(v.text, t.text), 1, {_SAID_CHARS}),
    substr(t.text, 1, {_SAID_CHARS}), t.at, t.scene_id, t.is_running, t.model
from turns t left join turn_versions v on {told.NEWEST}
where t.chat_id = ? and t.branch_id = ? and t.step > ? and t.step <= ? order by t.step {{order}} limit ?
"""
_FIRST, _LAST = _SAID.format(order="asc"), _SAID.format(order="desc")
_REWORDED = f"""
select json_extract(payload_json, '$.turn_id'), branch_id, step,
    substr(json_extract(payload_json, '$.text'), 1, {_SAID_CHARS})
from event_log where kind in ('user_turn_edit', 'turn_edited', 'turn_continued')
and branch_id in (select value from json_each(?)) and step > ?
and json_extract(payload_json, '$.turn_id') in (select value from json_each(?)) order by id
"""
_COUNT = "select count(*) from turns where chat_id = ? and branch_id = ? and step > ? and step <= ?"
_PLACE_OF = "select p.name from scene_starts s join place_names p on p.id = s.container_id where s.id = ?"
_BEFORE_ALL = -1


class Said(NamedTuple):
    """The beginning of one turn as it reads on the selected line, and where it stands. `at` is story time.

    `first` is the beginning of its first words.
    """

    turn_id: str
    branch_id: str
    step: int
    role: str
    speaker: str
    text: str
    first: str
    at: str
    scene_id: str
    is_running: bool
    model: str


class Landmarks(NamedTuple):
    """`head` is the last step of the selected line; `tips` those of the other branches that have steps of their own."""

    head: int
    tips: dict[str, int]
    scenes: list[SceneStart]
    places: dict[str, str]

    def ends(self, branches: Iterable[Branch], selected: str) -> dict[str, int]:
        """The last step of each branch, its own or the last it shares."""
        return {
            one.id: self.head if one.id == selected else self.tips.get(one.id, one.fork_step)
            for one in branches
        }


async def landmarks(reader: Reader, chat_id: str) -> Landmarks:
    """The bones of the picture: ends, scenes and names of places, of every branch of a chat."""
    state = await reader.records(ChatState, "where chat_id = ?", (chat_id,))
    tips = await reader.records(BranchTip, _OF_CHAT, (chat_id,))
    scenes = await reader.records(SceneStart, _OF_CHAT, (chat_id,))
    names = await reader.records(PlaceName, _OF_CHAT, (chat_id,))
    now = await reader.all("select id, name from containers where chat_id = ?", (chat_id,))
    return Landmarks(
        state[0].head_step if state else 0,
        {tip.id: tip.step for tip in tips},
        scenes,
        {place.id: place.name for place in names} | dict(now),
    )


async def said_between(
    reader: Reader, chat_id: str, branch_id: str, after: int, upto: int, limit: int
) -> list[Said]:
    """The first turns on one branch above one step and up to another, oldest first."""
    return _said(await reader.all(_FIRST, (chat_id, branch_id, after, upto, limit)))


async def said_at(
    reader: Reader, chat_id: str, branches: Mapping[str, Branch], branch_id: str, step: int
) -> Said | None:
    """The last turn of a line up to a step; None before the first word."""
    at: str | None = branch_id
    while at is not None:
        found = _said(await reader.all(_LAST, (chat_id, at, _BEFORE_ALL, step, 1)))
        if found:
            return found[0]
        step, at = min(step, branches[at].fork_step), branches[at].parent_id
    return None


async def as_told(reader: Reader, said: Sequence[tuple[Said, Lineage]]) -> list[Said]:
    """The same turns in the words that stand on the line given with each, which need not be the selected one."""
    involved = {branch for _, line in said for branch, _ in line}
    since = min((one.step for one, _ in said), default=0)
    rows = await reader.all(_REWORDED, (_listed(involved), since, _listed({one.turn_id for one, _ in said})))
    given: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    for turn_id, *wording in rows:
        given[turn_id].append(tuple(wording))
    return [one._replace(text=_last(one.first, given[one.turn_id], line)) for one, line in said]


async def count_turns(reader: Reader, chat_id: str, branch_id: str, after: int, upto: int) -> int:
    """How many turns a branch has above one step and up to another."""
    found = await reader.one(_COUNT, (chat_id, branch_id, after, upto))
    return found[0] if found else 0


async def place_of_scene(reader: Reader, scene_id: str) -> str:
    """Where a scene of whatever branch was, as the place was called when it came to be."""
    found = await reader.one(_PLACE_OF, (scene_id,))
    return found[0] if found else ""


def _last(first: str, given: Iterable[tuple[str, int, str]], line: Lineage) -> str:
    """The newest wording that a line shows."""
    seen = [text for branch_id, step, text in given if is_visible(line, branch_id, step)]
    return seen[-1] if seen else first


def _listed(ids: Iterable[str]) -> str:
    return msgspec.json.encode(list(ids)).decode()


def _said(rows: Iterable[Row]) -> list[Said]:
    return [Said._make((*row[:-2], bool(row[-2]), row[-1])) for row in rows]
