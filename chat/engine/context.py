"""Reads what a bot may know for its next reply: the chat's world, the turns it witnessed, the memories that matter.

Only reading happens here, in one read transaction. What the bot did not witness is dropped before prompts see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chat.domain import recall
from chat.domain.bots import Bot
from chat.domain.library import Library
from chat.domain.memories import Memory, scope_token
from chat.domain.people import Person
from chat.domain.recall import Found
from chat.domain.turns import Turn
from chat.domain.witness import witnessed_text
from chat.domain.world import World
from chat.store import views
from chat.store.store import Store

HISTORY_TURNS = 160
"""Turns read for a prompt; more than any budget of ours holds, and a constant, so a long story costs the same."""
RECENT_QUERIES = 3
CANDIDATES = 40


@dataclass(frozen=True)
class Context:
    """All a prompt is made of, before words are chosen. `turns` are oldest first, of the visible line."""

    library: Library
    world: World
    bot: Bot
    you: Person
    turns: Sequence[Turn]
    memories: Sequence[Found]


async def read_context(store: Store, chat_id: str, bot_id: str, recall_k: int) -> Context:
    """Everything for one reply of one bot. Raises NotFound for a chat that is not there."""
    library = store.library
    chat, bot = library.chats[chat_id], library.bots[bot_id]
    async with store.reading() as reader:
        world = await views.world(reader, chat_id)
        window = await views.transcript(reader, library, chat_id, limit=HISTORY_TURNS)
        spoken = [turn for turn in window.turns if not turn.is_running and turn.text.strip()]
        scope = scope_token(bot_id, chat.continuity)
        names = [library.name_of(entity) for entity in (*library.bots, *library.people)]
        shown = {turn.id for turn in spoken}
        rankings = []
        for weight, words in _queries(spoken, bot_id, names):
            ranked = await views.search_memories(reader, scope, recall.any_of(words), CANDIDATES)
            known = [_found(one.memory) for one in ranked if one.memory.turn_id not in shown]
            rankings.append((weight, words, known))
    best = recall.fuse(rankings, recall_k)
    return Context(library, world, bot, library.people[chat.you_id], spoken, best)


def _found(memory: Memory) -> Found:
    return Found(memory.id, memory.turn_id, memory.text, memory.significance)


def _queries(turns: Sequence[Turn], bot_id: str, names: Sequence[str]) -> list[tuple[float, list[str]]]:
    """The words of each recent entry apart, the newest first and heaviest; only what the bot witnessed asks."""
    queries: list[tuple[float, list[str]]] = []
    for turn in list(reversed(turns))[:RECENT_QUERIES]:
        weight = recall.EARLIER_WEIGHT if queries else recall.LATEST_WEIGHT
        words = recall.terms(witnessed_text(turn.segments, turn.speaker, turn.present, bot_id), names)
        if words:
            queries.append((weight, words))
    return queries
