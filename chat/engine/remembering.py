"""What a bot remembers of what was just said, in whatever chat of its continuity it happened. Only reading."""

from __future__ import annotations

import msgspec

from chat.domain.library import Library
from chat.domain.questions import questions
from chat.domain.recall import Recalled, latest, recall
from chat.store import views
from chat.store.reading import Reader


class Asking(msgspec.Struct, frozen=True):
    """`entries` as the bot witnessed them, newest first; `here` are the ids of those who talk, `now` is story time.

    Memories of the turns in `shown` stand in the prompt already and are not recalled, nor those whose event ids are
    in `told`.
    """

    entries: tuple[str, ...]
    here: frozenset[str]
    now: str = ""
    shown: tuple[str, ...] = ()
    told: tuple[int, ...] = ()


async def remembered(
    reader: Reader, library: Library, owner: str, continuity: str, asking: Asking, count: int
) -> Recalled:
    """The `count` memories that matter most, and what came close; the latest ones when nothing is asked."""
    names = [library.name_of(entity) for entity in (*library.bots, *library.people)]
    asked = questions(asking.entries, names, map(library.name_of, asking.here), asking.now)
    hidden = await views.hidden_memories(reader, owner, continuity, asking.shown) | {*asking.told}
    found = await views.evidence(reader, owner, continuity, asked, hidden)
    if found.kept:
        return recall(asked, found, names, hidden, count)
    return latest(await views.latest_memories(reader, owner, continuity, hidden, count), count)
