"""Reads what a bot may know for its next reply: the chat's world, the turns it witnessed, the memories that matter.

Only reading happens here, in one read transaction. What the bot did not witness is dropped before prompts see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chat.domain.bots import Bot
from chat.domain.library import Library
from chat.domain.people import Person
from chat.domain.recall import Recalled
from chat.domain.resets import knows
from chat.domain.turns import Turn
from chat.domain.witness import witnessed_text, witnesses
from chat.domain.world import World
from chat.engine.remembering import Asking, remembered
from chat.store import views
from chat.store.reading import Reader
from chat.store.store import Store

HISTORY_TURNS = 160
"""Turns read for a prompt; more than any budget of ours holds, and a constant, so a long story costs the same."""
WITHHELD_TOLD = 12
RECENT_ENTRIES = 4
"""How many entries ask: the latest, and the few before it with less weight."""


@dataclass(frozen=True)
class Context:
    """All a prompt is made of, before words are chosen. `turns` are oldest first, of the visible line."""

    library: Library
    world: World
    bot: Bot
    you: Person
    turns: Sequence[Turn]
    recalled: Recalled

    def withheld(self) -> tuple[tuple[str, str], ...]:
        """The newest turns of the window this bot did not witness, or not wholly: turn id and why."""
        told = []
        for turn in reversed(self.turns):
            heard = _heard(turn, self.bot.id)
            if not heard:
                told.append((turn.id, f"{self.bot.name} did not witness it."))
            elif any(self.bot.id not in witnesses(one, turn.speaker, turn.present) for one in turn.segments):
                told.append((turn.id, f"{self.bot.name} witnessed only a part of it."))
        return tuple(told[:WITHHELD_TOLD])


async def read_context(
    store: Store, chat_id: str, bot_id: str, recall_k: int, history_from: str | None = None
) -> Context:
    """Everything for one reply of one bot. Raises NotFound for a chat that is not there.

    `history_from` is the oldest turn the prompt will show; what is shown needs no recalling. None: all that was read.
    """
    library = store.library
    chat, bot, you = (
        library.chats[chat_id],
        library.bots[bot_id],
        library.people[library.chats[chat_id].you_id],
    )

    async def read(reader: Reader) -> Context:
        world = await views.world(reader, chat_id)
        window = await views.transcript(reader, library, chat_id, limit=HISTORY_TURNS)
        resets = world.state.resets
        told = [turn for turn in window.turns if knows(resets, bot_id, turn)]
        spoken = [turn for turn in told if not turn.is_running and turn.text.strip()]
        shown = _shown([turn.id for turn in spoken], history_from)
        context = Context(library, world, bot, you, spoken, Recalled())
        recalled = await _recall(reader, context, chat.continuity, shown, recall_k)
        return replace(context, recalled=recalled)

    return await store.read(read)


async def _recall(
    reader: Reader, context: Context, continuity: str, shown: Sequence[str], count: int
) -> Recalled:
    """The latest entries ask, as the bot witnessed them."""
    bot, state = context.bot, context.world.state
    entries = [words for turn in reversed(context.turns[-RECENT_ENTRIES:]) if (words := _heard(turn, bot.id))]
    asking = Asking(entries, {bot.id, context.you.id, *state.present}, state.clock_at, shown)
    return await remembered(reader, context.library, bot.id, continuity, asking, count)


def _shown(turn_ids: list[str], history_from: str | None) -> list[str]:
    return turn_ids[turn_ids.index(history_from) :] if history_from in turn_ids else turn_ids


def _heard(turn: Turn, bot_id: str) -> str:
    return witnessed_text(turn.segments, turn.speaker, turn.present, bot_id).strip()
