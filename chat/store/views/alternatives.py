"""Replies that were written in each other's place, on whatever branch, and how to get to each; and what was done last.

What it costs depends on the window and the number of branches, not on the length of the story.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from chat.domain.chats import Branch
from chat.domain.history import History
from chat.domain.library import Library
from chat.domain.lineage import branch_at, lineage_of
from chat.domain.turns import Turn
from chat.store import actions
from chat.store.reading import Reader

_REPLIES = """
select id, branch_id, step, reply_to from turns
where chat_id = ? and branch_id in (select value from json_each(?)) and step between ? and ?
and role = 'assistant' and origin = 'reply' and (text <> '' or is_running = 1 or id in (select value from json_each(?)))
order by event_id
"""
_CHOSEN = """
select json_extract(payload_json, '$.branch_id') from event_log
where stream = 'library' and kind = 'branch_selected' and json_extract(payload_json, '$.chat_id') = ?
order by id desc limit ?
"""
_CHOSEN_READ = 200
Asked = tuple[str, str | None]
"""What two replies must share to stand in each other's place: the branch of the step before, and what they answer."""


class Alternative(NamedTuple):
    """A reply, and the branch to select to see the story go on from it as it was left."""

    turn_id: str
    branch_id: str


class _Reply(NamedTuple):
    id: str
    branch_id: str
    step: int
    reply_to: str | None


async def latest_history(reader: Reader, chat_id: str, branch_id: str) -> History:
    """Where the story stands, the place before and what lies ahead, to undo and redo; `branch_id` is selected.

    Mostly a few steps tell that, and every page asks for it.
    """
    steps = await reader.all(*actions.steps_query(chat_id, actions.FEW_STEPS))
    found = actions.latest(steps, branch_id)
    if found and not await reader.all(*actions.selections_query(chat_id, steps)):
        return found
    steps = await reader.all(*actions.steps_query(chat_id))
    return actions.history(steps, await reader.all(*actions.selections_query(chat_id, steps)))


async def alternatives(
    reader: Reader, library: Library, chat_id: str, turns: Sequence[Turn]
) -> dict[str, list[Alternative]]:
    """For each reply among these turns that is not the only one at its place: all of them, oldest first.

    A reply that failed without a word counts only where it is the one that is shown.
    """
    shown = [turn for turn in turns if turn.role == "assistant" and turn.origin == "reply"]
    branches = {one.id: one for one in library.branches.values() if one.chat_id == chat_id}
    if not shown or len(branches) < 2:
        return {}
    groups = await _groups(reader, branches, chat_id, shown)
    several = {turn.id: group for turn in shown if len(group := groups.get(turn.id, [])) > 1}
    if not several:
        return {}
    chosen = [row[0] for row in await reader.all(_CHOSEN, (chat_id, _CHOSEN_READ))]
    children = _children(branches.values())
    return {
        turn_id: [Alternative(one.id, _left_at(one, children, chosen)) for one in group]
        for turn_id, group in several.items()
    }


async def _groups(
    reader: Reader, branches: Mapping[str, Branch], chat_id: str, shown: Sequence[Turn]
) -> dict[str, list[_Reply]]:
    """Each reply of these branches with all that were written in its place, itself included."""
    steps = [turn.step for turn in shown]
    known, wanted = _as_list(branches), _as_list(turn.id for turn in shown)
    rows = await reader.all(_REPLIES, (chat_id, known, min(steps), max(steps), wanted))
    groups: dict[tuple[int, Asked], list[_Reply]] = defaultdict(list)
    for reply in (_Reply(*row) for row in rows):
        before = branch_at(lineage_of(branches, reply.branch_id), reply.step - 1)
        groups[reply.step, (before, reply.reply_to)].append(reply)
    return {reply.id: group for group in groups.values() for reply in group}


def _left_at(reply: _Reply, children: Mapping[str, list[Branch]], chosen: Sequence[str]) -> str:
    """The branch on which a reply was seen last; its own, where that was long ago."""
    holding, waiting = {reply.branch_id}, [reply.branch_id]
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child.fork_step >= reply.step:
                holding.add(child.id)
                waiting.append(child.id)
    return next((branch_id for branch_id in chosen if branch_id in holding), reply.branch_id)


def _children(branches: Iterable[Branch]) -> dict[str, list[Branch]]:
    found: dict[str, list[Branch]] = defaultdict(list)
    for branch in branches:
        if branch.parent_id:
            found[branch.parent_id].append(branch)
    return found


def _as_list(ids: Iterable[str]) -> str:
    return msgspec.json.encode(list(ids)).decode()
