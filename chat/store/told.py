"""Turns as their line tells them: the first words of a row, or those of its newest version.

Versions are rows of the selected line only, so a turn of another branch is read with its first words.
"""

from __future__ import annotations

from chat.domain.turns import Turn
from chat.domain.versions import CONTINUED, TurnVersion
from chat.store.rows import select

_OF_VERSION = (
    "text",
    "segments",
    "truncated",
    "stop_reason",
    "error_code",
    "error_message",
    "error_next_step",
)
NEWEST = "v.turn_id = t.id and v.step = (select max(n.step) from turn_versions n where n.turn_id = t.id)"
"""Joins the newest version `v` to a turn `t`."""


def _column(name: str) -> str:
    if name in _OF_VERSION:
        return f"coalesce(v.{name}, t.{name}) as {name}"
    if name == "digest_outcome":
        return f"case v.made when '{CONTINUED}' then v.{name} else t.{name} end as {name}"
    return f"t.{name} as {name}"


SELECT = (
    f"select {', '.join(map(_column, Turn.__struct_fields__))} "
    f"from turns t left join turn_versions v on {NEWEST}"
)
"""Whole turns; what follows names the columns of a row with `t.`."""
BY_ID = f"{SELECT} where t.id = ?"
VERSIONS = f"{select(TurnVersion.table)} where turn_id in (select value from json_each(?)) order by step"
"""Of these turns, given as a JSON list."""
VERSION = "select coalesce(max(event_id), 0) from turn_versions where turn_id = ?"
VERSIONS_AFTER = f"{select(TurnVersion.table)} where chat_id = ? and step > ? order by step"
