"""Reads what a bot may know for its next reply: the chat's world, the turns it witnessed, the memories that matter.

Only reading happens here, in one read transaction. What the bot did not witness is dropped before prompts see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from chat.domain.bots import Bot
from chat.domain.library import Library
from chat.domain.memories import Memory
from chat.domain.names import apart
from chat.domain.people import Person
from chat.domain.recall import Recalled
from chat.domain.records import Put
from chat.domain.resets import knows
from chat.domain.segments import Segment
from chat.domain.turns import Turn, changes
from chat.domain.witness import witnessed_text
from chat.domain.world import World, evolve
from chat.engine.anticipation import Anticipation, Marks
from chat.engine.hearing import hear
from chat.engine.remembering import Asking, remembered
from chat.store import views
from chat.store.reading import Reader
from chat.store.store import Store

HISTORY_TURNS = 160
"""Turns read for a prompt; more than any budget of ours holds, and a constant, so a long story costs the same."""
NEWEST_TURNS = 6
"""Turns read where the ones before them are at hand; an exchange adds two."""
SCENES_SUMMED_UP = 4
"""How many of the scenes before the turns shown are told by what the bot kept of each."""
WITHHELD_TOLD = 12
RECENT_ENTRIES = 4
"""How many entries ask: the latest, and the few before it with less weight."""


class Context(msgspec.Struct, frozen=True):
    """All a prompt is made of, before words are chosen. `turns` are oldest first, of the visible line.

    `summaries` stand for scenes before `history_from`, which was the oldest turn to be shown when this was read.
    """

    library: Library
    world: World
    bot: Bot
    you: Person
    turns: Sequence[Turn]
    recalled: Recalled
    summaries: Sequence[Memory] = ()
    history_from: str | None = None

    def withheld(self) -> tuple[tuple[str, str], ...]:
        """The newest turns of the window this bot did not witness, or not wholly: turn id and why."""
        told = []
        for turn in reversed(self.turns):
            heard = hear(turn, self.bot.id)
            if not heard.text:
                told.append((turn.id, f"{apart(self.bot.name)} did not witness it."))
            elif not heard.is_whole:
                told.append((turn.id, f"{apart(self.bot.name)} witnessed only a part of it."))
        return tuple(told[:WITHHELD_TOLD])


class Wanted(msgspec.Struct, frozen=True):
    """`history_from` is the oldest turn the prompt will show (None: all that is read); what is shown needs no
    recalling. `draft` is an entry that is not posted yet."""

    recall_k: int
    history_from: str | None = None
    draft: Sequence[Segment] = ()


class _Seat(NamedTuple):
    """Whose next words are prepared. What is read is kept in `ready`, as of `marks`."""

    library: Library
    chat_id: str
    bot_id: str
    ready: Anticipation | None
    marks: Marks | None


async def read_context(
    store: Store, chat_id: str, bot_id: str, wanted: Wanted, ready: Anticipation | None = None
) -> Context:
    """Everything for one reply of one bot. Raises NotFound for a chat that is not there."""
    seat = _seat(store, chat_id, bot_id, ready)
    at_hand = _at_hand(seat, wanted)
    if at_hand and (recalled := _recalled_before(seat, at_hand, wanted)):
        return replace(at_hand, recalled=recalled)

    async def read(reader: Reader) -> Context:
        context = at_hand or await _seen(reader, seat, wanted.history_from)
        recalled = _recalled_before(seat, context, wanted) or await _recalled(reader, seat, context, wanted)
        return replace(context, recalled=recalled)

    return await store.read(read)


async def read_ahead(
    store: Store, chat_id: str, bot_id: str, history_from: str | None, ready: Anticipation
) -> None:
    """Has at hand what a reply needs whatever will be said; what is recalled depends on the words."""
    seat = _seat(store, chat_id, bot_id, ready)

    async def read(reader: Reader) -> None:
        await _seen(reader, seat, history_from)

    if _at_hand(seat, Wanted(0, history_from)) is None:
        await store.read(read)


def _seat(store: Store, chat_id: str, bot_id: str, ready: Anticipation | None) -> _Seat:
    return _Seat(store.library, chat_id, bot_id, ready, ready.marks(chat_id) if ready else None)


async def _seen(reader: Reader, seat: _Seat, history_from: str | None) -> Context:
    """The world, the latest turns and the scenes before those shown; nothing is recalled yet."""
    library, chat_id, ready = seat.library, seat.chat_id, seat.ready
    bot, you = library.bots[seat.bot_id], library.people[library.chats[chat_id].you_id]
    world = await views.world(reader, chat_id)
    latest = await _latest(reader, library, chat_id, ready.turns(chat_id) if ready else ())
    spoken = [turn for turn in latest if knows(world.state.resets, seat.bot_id, turn)]
    before = await _before(reader, seat, _shown(spoken, history_from))
    player = _player(library, you, spoken)
    context = Context(library, world, bot, player, spoken, Recalled(), before, history_from)
    if ready and seat.marks:
        ready.keep_turns(chat_id, latest, seat.marks)
        ready.keep_context(chat_id, context, seat.marks)
    return context


async def _before(reader: Reader, seat: _Seat, shown: Sequence[Turn]) -> Sequence[Memory]:
    """What the bot kept of the last scenes that ended before the turns shown, oldest first.

    An entry and its reply may have got their ids in one moment, and these say nothing of which came first.
    """
    if not shown:
        return ()
    chat_id, bot_id, most = seat.chat_id, seat.bot_id, SCENES_SUMMED_UP
    found = await views.scene_memories(reader, chat_id, bot_id, shown[0].id, most + 1)
    here = {turn.id for turn in shown[:2]}
    return [one for one in found if one.turn_id not in here][-most:]


def _recalled_before(seat: _Seat, context: Context, wanted: Wanted) -> Recalled | None:
    """What was recalled for just this, if no memory has changed since."""
    question = (seat.bot_id, wanted.recall_k, _asking(context, wanted))
    return seat.ready.answer(seat.chat_id, question) if seat.ready else None


async def _recalled(reader: Reader, seat: _Seat, context: Context, wanted: Wanted) -> Recalled:
    asking, continuity = _asking(context, wanted), seat.library.chats[seat.chat_id].continuity
    recalled = await remembered(reader, seat.library, seat.bot_id, continuity, asking, wanted.recall_k)
    if seat.ready and seat.marks:
        question = (seat.bot_id, wanted.recall_k, asking)
        seat.ready.keep_answer(seat.chat_id, question, recalled, seat.marks)
    return recalled


def _at_hand(seat: _Seat, wanted: Wanted) -> Context | None:
    """What reading would bring, where it was read before and only the player's entry has come since."""
    found = seat.ready.context(seat.chat_id, seat.bot_id) if seat.ready else None
    if found is None:
        return None
    context, said = found
    if context.history_from != wanted.history_from:
        return None
    if said is None:
        return context
    if wanted.draft:
        return None
    library = seat.library
    entry = [change.record for change in changes(said) if isinstance(change, Put)]
    told = [row for row in entry if isinstance(row, Turn)]
    if told and context.turns and context.turns[-1].id == told[-1].id:
        return context  # it was stored after the marks were taken and before anything was read
    turns = [*context.turns, *told][-HISTORY_TURNS:]
    you = _player(library, context.you, turns)
    return replace(context, library=library, world=evolve(context.world, said)[0], you=you, turns=turns)


def _player(library: Library, you: Person, spoken: Sequence[Turn]) -> Person:
    """Who spoke last as the player: somebody else may be chosen already for the next turn."""
    last = next((turn.speaker for turn in reversed(spoken) if turn.role == "user"), you.id)
    return library.people.get(last, you)


async def _latest(reader: Reader, library: Library, chat_id: str, known: Sequence[Turn]) -> Sequence[Turn]:
    """The newest turns with words. Where older ones are `known`, only what may have come behind them is read."""
    if known:
        newest = _spoken(await views.transcript(reader, library, chat_id, limit=NEWEST_TURNS))
        places = [place for place, turn in enumerate(known) if newest and turn.id == newest[0].id]
        if places:
            return [*known[: places[0]], *newest][-HISTORY_TURNS:]
    return _spoken(await views.transcript(reader, library, chat_id, limit=HISTORY_TURNS))


def _spoken(window: views.Transcript) -> list[Turn]:
    return [turn for turn in window.turns if not turn.is_running and turn.text.strip()]


def _asking(context: Context, wanted: Wanted) -> Asking:
    """The latest entries ask, as the bot witnessed them.

    The player's last entry has left no memory yet, so it is not among those shown, whether it is posted or not.
    """
    bot, state, turns = context.bot, context.world.state, context.turns
    drafted = witnessed_text(wanted.draft, context.you.id, state.present, bot.id)
    recent = turns[-(RECENT_ENTRIES - 1) :] if wanted.draft else turns[-RECENT_ENTRIES:]
    entries = [drafted, *(hear(turn, bot.id).text for turn in reversed(recent))]
    here = frozenset({bot.id, context.you.id, *state.present})
    is_asked_last = bool(turns) and turns[-1].speaker == context.you.id and not wanted.draft
    remembered_turns = turns[:-1] if is_asked_last else turns
    shown = tuple(turn.id for turn in _shown(remembered_turns, wanted.history_from))
    told = tuple(one.event_id for one in context.summaries)
    return Asking(tuple(words for words in entries if words), here, state.clock_at, shown, told)


def _shown(turns: Sequence[Turn], history_from: str | None) -> Sequence[Turn]:
    first = next((place for place, turn in enumerate(turns) if turn.id == history_from), 0)
    return turns[first:]
