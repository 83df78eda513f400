"""Searches one bot's memories for recall: a bounded number of finds for each word, never another bot's.

A scope is a stretch of the index, newest first, and compared once more with every row, so no wording can leave it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from chat.domain.dates import Span
from chat.domain.evidence import Evidence, Hits, Kept, Sample, pairs, shortlists
from chat.domain.memories import Memory, scope_token
from chat.domain.questions import Question
from chat.store.reading import Reader
from chat.store.search_index import stretch_of

FINDS = 8192
"""Finds for all words together; shared out, so that many words cost little more than few."""
FEWEST_FINDS, MOST_FINDS = 64, 1024
FINDS_OF_PAIR = 32
SAMPLE = 1_000
DATED = 32
WITH_NEIGHBOURS = 20
"""How many of the shortlist bring the memories before and after them along."""

_FINDS = """
select (
    select json_group_array(:last - rowid) from (
        select rowid from memories_fts
        where memories_fts match json_extract(asked.value, '$[0]')
        and rowid between json_extract(asked.value, '$[1]') and :last and {visible} limit :limit
    )
) from json_each(:asked) asked order by asked.key
"""
# What a far jump has left behind stands there until it is deleted. Most of the time nothing does, and then nothing has
# to be asked about each row.
_IS_ANY_ABANDONED = "select exists (select 1 from abandoned)"
_ALL, _SEEN = "memories", "visible_memories"
_EVERY = "true"
_VISIBLE = """not exists (
    select 1 from abandoned a where :last - memories_fts.rowid >= a.from_event_id
    and :last - memories_fts.rowid < a.before_event_id
    and a.chat_id = (select chat_id from memories where event_id = :last - memories_fts.rowid)
)"""
_SAMPLE = f"""
select count(*), coalesce(min(event_id), 0), coalesce(max(event_id), 0), coalesce(
    (select event_id from {{memories}} where owner = :owner and continuity = :line order by event_id limit 1), 0
) from (
    select event_id from {{memories}} where owner = :owner and continuity = :line
    order by event_id desc limit {SAMPLE}
)
"""
_DATED = f"""
select event_id from {{memories}} where scope = ? and at >= ? and at < ? order by at desc limit {DATED}
"""
_HIDDEN = """
select event_id from visible_memories
where +scope = ? and turn_id in (select value from json_each(?))
"""
# The plus keeps a scope from being looked up by itself: it would read every row of it.
_COLUMNS = ", ".join(f"m.{name}" for name in Kept.__struct_fields__[:-2])
_NEIGHBOUR = """
(select n.event_id from {{memories}} n
 where n.chat_id = m.chat_id and n.owner = m.owner and n.level = 'turn' and n.event_id {side} m.event_id
 order by n.event_id {order} limit 1)
"""
_KEPT = f"""
select {_COLUMNS}, {_NEIGHBOUR.format(side="<", order="desc")}, {_NEIGHBOUR.format(side=">", order="asc")}
from {{memories}} m where m.event_id in (select value from json_each(?)) and +m.scope = ?
"""
_LATEST = """
where owner = ? and continuity = ? and text <> '' and event_id not in (select value from json_each(?))
order by event_id desc limit ?
"""

_ids = msgspec.json.Decoder(tuple[int, ...])


async def evidence(
    reader: Reader, owner: str, continuity: str, questions: Sequence[Question], hidden: Collection[int]
) -> Evidence:
    """All that recall needs to rank one bot's memories for these questions. `hidden` are left out of the shortlist."""
    scope = _Scope(reader, scope_token(owner, continuity), await _readable(reader))
    asked = {"owner": owner, "line": continuity}
    sample = Sample(*(await reader.all(_SAMPLE.format(memories=scope.memories), asked))[0])
    hits = await _hits(scope, list({word: None for one in questions for word in one.words}))
    dated = await _dated(scope, [span for one in questions for span in one.spans])
    found = Evidence(sample, hits, dated)
    if questions:
        await _add_pairs(scope, pairs(questions[0], found), hits)
    lists = shortlists(questions, found, hidden)
    listed = list(dict.fromkeys(one for each in lists for one in each))
    kept = await _kept(scope, listed)
    nearest = [kept[one] for one in listed[:WITH_NEIGHBOURS] if one in kept]
    around = {other for one in nearest for other in (one.before, one.after) if other is not None}
    kept |= await _kept(scope, around - kept.keys() - set(hidden))
    return msgspec.structs.replace(found, kept=kept, listed=lists)


async def hidden_memories(
    reader: Reader, owner: str, continuity: str, turn_ids: Iterable[str]
) -> frozenset[int]:
    """The event ids of a bot's memories of these turns."""
    wanted = msgspec.json.encode(list(turn_ids)).decode()
    return frozenset(row[0] for row in await reader.all(_HIDDEN, (scope_token(owner, continuity), wanted)))


async def latest_memories(
    reader: Reader, owner: str, continuity: str, hidden: Collection[int], limit: int
) -> list[Memory]:
    """A bot's newest memories but these."""
    unwanted = msgspec.json.encode(list(hidden)).decode()
    return await reader.records(Memory, _LATEST, (owner, continuity, unwanted, limit))


class _Scope(NamedTuple):
    """What is searched, in one read transaction. `memories` is where its rows are read."""

    reader: Reader
    token: str
    memories: str


async def _readable(reader: Reader) -> str:
    (is_any_abandoned,) = await reader.one(_IS_ANY_ABANDONED) or (0,)
    return _SEEN if is_any_abandoned else _ALL


async def _hits(scope: _Scope, words: list[str]) -> dict[str, Hits]:
    limit = min(max(FINDS // max(len(words), 1), FEWEST_FINDS), MOST_FINDS)
    first = stretch_of(scope.token).first
    found = await _finds(scope, [(_match(word), first) for word in words], limit)
    return {word: Hits(ids, len(ids) < limit) for word, ids in zip(words, found, strict=True)}


async def _add_pairs(scope: _Scope, wanted: Sequence[tuple[str, str]], hits: dict[str, Hits]) -> None:
    """What holds both words and is older than all that is known of one of them."""
    last = stretch_of(scope.token).last
    asked = [(_match(*pair), last + 1 - max(hits[word].ids[-1] for word in pair)) for pair in wanted]
    older: dict[str, dict[int, None]] = {}
    for pair, ids in zip(wanted, await _finds(scope, asked, FINDS_OF_PAIR), strict=True):
        for word in pair:
            beyond = (one for one in ids if one < hits[word].ids[-1])
            older.setdefault(word, {}).update(dict.fromkeys(beyond))
    for word, found in older.items():
        hits[word] = msgspec.structs.replace(hits[word], older=tuple(found))


async def _finds(scope: _Scope, asked: Sequence[tuple[str, int]], limit: int) -> list[tuple[int, ...]]:
    """For each query and place to begin at, the event ids of what matches, newest first."""
    if not asked:
        return []
    query = _FINDS.format(visible=_EVERY if scope.memories == _ALL else _VISIBLE)
    values = {
        "asked": msgspec.json.encode(asked).decode(),
        "last": stretch_of(scope.token).last,
        "limit": limit,
    }
    return [_ids.decode(row[0]) for row in await scope.reader.all(query, values)]


def _match(*words: str) -> str:
    """Words are quoted, so none is an operator and none names a column."""
    return " AND ".join('"' + word.replace('"', '""') + '"' for word in words)


async def _dated(scope: _Scope, spans: Iterable[Span]) -> tuple[int, ...]:
    """Memories of the days that were named; a month of any year is too wide to list."""
    found: dict[int, None] = {}
    for first, after in dict.fromkeys(spans):
        if after:
            rows = await scope.reader.all(_DATED.format(memories=scope.memories), (scope.token, first, after))
            found.update((row[0], None) for row in rows)
    return tuple(found)


async def _kept(scope: _Scope, event_ids: Iterable[int]) -> dict[int, Kept]:
    wanted = msgspec.json.encode(list(event_ids)).decode()
    rows = await scope.reader.all(_KEPT.format(memories=scope.memories), (wanted, scope.token))
    return {row[0]: Kept(*row) for row in rows}
