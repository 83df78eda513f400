"""Who is spoken to in a text, and what a bot heard of a turn.

The latter is worked out once for each turn and bot, because prompts ask for the same turns again and again: a pure
function with a memory, which is looked up by id and used only when the whole turn is still the same.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from chat.domain import likeness, voices
from chat.domain.chats import Chat
from chat.domain.segments import Segment, parse_segments
from chat.domain.turns import Turn
from chat.domain.witness import witnessed_text, witnesses
from chat.llm.tokens import count_tokens
from chat.prompts.excerpts import excerpt

if TYPE_CHECKING:
    from chat.engine.engine import Engine

_KEPT, _COUNTS_KEPT = 512, 2048

count = lru_cache(maxsize=_COUNTS_KEPT)(count_tokens)
"""Token counts of pieces that come back turn after turn."""


def segments_of(engine: Engine, chat: Chat, text: str) -> tuple[Segment, ...]:
    """The text as the player's marks split it; a whisper finds all in the chat, by first name where that is clear."""
    library = engine.store.library
    names = {library.name_of(entity): entity for entity in (*chat.bot_ids, chat.you_id)}
    firsts = [name.split()[0] for name in names if name.split()]
    clear = {name.split()[0]: one for name, one in names.items() if firsts.count(name.split()[0]) == 1}
    return parse_segments(text, clear | names, engine.settings.ooc_marker)


class Hearing(NamedTuple):
    """`text` as the bot heard it, `tokens` of that text; `is_whole` when nothing of the turn was kept from it."""

    text: str
    tokens: int
    is_whole: bool


_known: OrderedDict[tuple[str, str], tuple[Turn, Hearing]] = OrderedDict()


def hear(turn: Turn, bot_id: str) -> Hearing:
    """What this bot witnessed of a turn."""
    key = (turn.id, bot_id)
    known = _known.get(key)
    if known is None or (known[0] is not turn and known[0] != turn):
        text = witnessed_text(turn.segments, turn.speaker, turn.present, bot_id)
        whole = all(bot_id in witnesses(one, turn.speaker, turn.present) for one in turn.segments)
        known = _known[key] = (turn, Hearing(text, count(text), whole))
        if len(_known) > _KEPT:
            _known.popitem(last=False)
    return known[1]


def forget() -> None:
    """Nothing of any turn or memory stays here: words were erased, or another database took the place of this one."""
    _known.clear()
    count.cache_clear()
    likeness.forget()
    voices.forget()
    excerpt.cache_clear()
