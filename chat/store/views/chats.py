"""The list of chats, each with where its visible line stands."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chat.domain.chats import Chat
from chat.domain.records import Row
from chat.store import told
from chat.store.reading import Reader

_SNIPPET_CHARS = 240

_CHATS = """
select c.id from chats c left join chat_state s on s.chat_id = c.id
where c.archived = :archived
order by coalesce(nullif(s.last_ts, ''), c.created_at) desc, c.id desc
limit :limit offset :offset
"""
_LAST_ON_BRANCH = """
    select t.id from turns t
    where t.chat_id = b.chat_id and t.branch_id = b.id and t.step <= {cut} and t.role = 'assistant'
    order by t.step desc limit 1
"""
# Walks each lineage from its tip and ends at the first branch that has a reply.
_LINES = f"""
with recursive shown (id) as materialized ({_CHATS}),
line (chat_id, parent_id, cut, reply_id) as (
    select c.id, b.parent_id, b.fork_step, ({_LAST_ON_BRANCH.format(cut="9223372036854775807")})
    from shown join chats c on c.id = shown.id join branches b on b.id = c.branch_id
    union all
    select line.chat_id, b.parent_id, min(line.cut, b.fork_step), ({_LAST_ON_BRANCH.format(cut="line.cut")})
    from line join branches b on b.id = line.parent_id
    where line.reply_id is null
)
select c.id, c.title, c.bot_ids, c.you_id, c.continuity, c.branch_id, c.archived, c.created_at,
    coalesce(s.clock_at, ''), coalesce(p.name, ''),
    coalesce(t.speaker, ''), coalesce(substr(coalesce(v.text, t.text), 1, {_SNIPPET_CHARS}), ''),
    coalesce(nullif(s.last_ts, ''), c.created_at), s.running_turn_id is not null,
    coalesce(t.model, '')
from shown
join chats c on c.id = shown.id
left join chat_state s on s.chat_id = c.id
left join scenes sc on sc.id = s.scene_id
left join containers p on p.id = sc.container_id
left join turns t on t.id = (select reply_id from line where line.chat_id = c.id and reply_id is not null)
left join turn_versions v on {told.NEWEST}
order by 13 desc, c.id desc
"""
_SIZES = """
select value, (select count(*) from turns where chat_id = value),
    (select count(*) from visible_memories where chat_id = value)
from json_each(?)
"""
_PUT_AWAY = """
select json_extract(payload_json, '$.chat_id'), max(ts) from event_log
where stream = 'library' and kind = 'chat_archived' group by 1
"""
_CHAT_COLUMNS = 8
_NAMES = "select id, name from bots where id in (select value from json_each(?))"


class ChatLine(msgspec.Struct, frozen=True):
    """One chat of the list. `clock_at` is story time, `last_ts` real time; `snippet` opens the last reply, which
    `model` wrote.
    """

    chat: Chat
    bot_names: tuple[str, ...]
    clock_at: str
    place: str
    last_speaker: str
    snippet: str
    last_ts: str
    is_running: bool
    model: str


async def chat_list(
    reader: Reader, *, archived: bool = False, limit: int = 50, offset: int = 0
) -> list[ChatLine]:
    """The chats last played first."""
    values = {"archived": int(archived), "limit": limit, "offset": offset}
    rows = await reader.all(_LINES, values)
    chats = [Chat.from_row(row[:_CHAT_COLUMNS]) for row in rows]
    wanted = sorted({bot_id for chat in chats for bot_id in chat.bot_ids})
    names: dict[str, str] = dict(await reader.all(_NAMES, (msgspec.json.encode(wanted).decode(),)))
    return [_line(chat, names, row[_CHAT_COLUMNS:]) for chat, row in zip(chats, rows, strict=True)]


def _line(chat: Chat, names: dict[str, str], row: Row) -> ChatLine:
    clock_at, place, speaker, snippet, last_ts, is_running, model = row
    return ChatLine(
        chat=chat,
        bot_names=tuple(names.get(bot_id, "") for bot_id in chat.bot_ids),
        clock_at=clock_at,
        place=place,
        last_speaker=speaker,
        snippet=snippet,
        last_ts=last_ts,
        is_running=bool(is_running),
        model=model,
    )


async def sizes_of_chats(reader: Reader, chat_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How many turns each of these chats has on all its branches, and how many memories on the one that shows."""
    rows = await reader.all(_SIZES, (msgspec.json.encode(list(chat_ids)).decode(),))
    return {row[0]: (row[1], row[2]) for row in rows}


async def put_away_at(reader: Reader) -> dict[str, str]:
    """When each chat was put away last, also those that were brought back since."""
    return {row[0]: row[1] for row in await reader.all(_PUT_AWAY) if row[0]}
