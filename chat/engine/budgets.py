"""How long a prompt may be: what the settings say, less where the model reads less, more for a long text where it can.

What a list of models says is kept for the models in use, so that the first turn after a start goes by it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from chat.errors import StoreError
from chat.llm.calls import Endpoint, ModelInfo
from chat.llm.tokens import count_tokens
from chat.prompts.given import Budget
from chat.settings import PromptBudget
from chat.store import views

if TYPE_CHECKING:
    from chat.engine.engine import Engine

KEY = "server:contexts"
"""Stands beside the drafts: not part of any story, and not asked for again at a start."""
_DEFAULT = PromptBudget()


class _Kept(msgspec.Struct, frozen=True):
    endpoint: str
    contexts: dict[str, int]


def budget_of(engine: Engine, taken: int = 0, model: str = "") -> Budget:
    """The prompt's share of the budget: the reply needs room too, and what is `taken` by the part there is of it.

    A model that reads less, by its server's list or by having said so, gets less. One that reads more may be given
    more where the settings stand at their default, but only for a text that is long by itself.
    """
    budget, reply = engine.settings.budget, engine.settings.connection.reply_tokens
    endpoint, notes = engine.endpoint().name, engine.server_notes
    model = model or engine.narrative_model()
    hard = max(budget.narrative_hard_tokens - reply, budget.narrative_hard_tokens // 2)
    room = notes.room_tokens(endpoint, model, reply) or hard
    hard = notes.reach_tokens(endpoint, model, min(hard, room))
    is_default = budget.narrative_hard_tokens == _DEFAULT.narrative_hard_tokens
    most = notes.reach_tokens(endpoint, model, room) if is_default else hard
    memories = max(budget.memories_tokens, budget.memory_tokens)
    soft = min(budget.narrative_soft_tokens, hard - taken)
    return Budget(hard - taken, soft, budget.memory_tokens, memories, most=most - taken)


def digest_tokens(engine: Engine, answer_tokens: int) -> int:
    """How long a question about one exchange may be. What of it stands in the reply's own prompt is not counted."""
    hard = engine.settings.budget.classifier_hard_tokens
    room = _room(engine, answer_tokens) or hard
    return room if hard == _DEFAULT.classifier_hard_tokens else min(hard, room)


def scene_tokens(engine: Engine, answer_tokens: int) -> int:
    """How long a question about a whole scene may be. A scene of any length is told at the same cost."""
    hard = engine.settings.budget.classifier_hard_tokens
    return min(hard, _room(engine, answer_tokens) or hard)


def can_read(engine: Engine, texts: Sequence[str], answer_tokens: int) -> bool:
    """Whether the model that reads takes these at once, as far as its server's list says."""
    room = _room(engine, answer_tokens)
    if room is None or sum(map(_bytes, texts)) <= room:  # no token is less; to count takes milliseconds
        return True
    return sum(map(count_tokens, texts)) <= room


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _room(engine: Engine, answer_tokens: int) -> int | None:
    return engine.server_notes.room_tokens(engine.endpoint().name, engine.classifier_model(), answer_tokens)


async def listed(engine: Engine, endpoint: Endpoint, models: Iterable[ModelInfo]) -> None:
    """A server told which models it has."""
    engine.server_notes.listed(endpoint.name, {one.id: one.context_length or 0 for one in models})
    await keep(engine)


async def keep(engine: Engine) -> None:
    """Keep for the next start what is known of the models in use. A database that takes nothing now is no fault."""
    endpoint, notes = engine.endpoint().name, engine.server_notes
    models = dict.fromkeys((engine.narrative_model(), engine.classifier_model()))
    known = {model: tokens for model in models if (tokens := notes.context(endpoint, model))}
    kept = _Kept(endpoint, known)
    with suppress(StoreError):
        if kept != await _kept(engine):
            await engine.store.save_draft(KEY, msgspec.json.encode(kept).decode())


async def recall(engine: Engine) -> None:
    """What was known when the program ended. A database that cannot be read has its own way of saying so."""
    with suppress(StoreError):
        if kept := await _kept(engine):
            engine.server_notes.listed(kept.endpoint, kept.contexts)


async def _kept(engine: Engine) -> _Kept | None:
    async with engine.store.reading() as reader:
        told = await views.draft(reader, KEY)
    try:
        return msgspec.json.decode(told, type=_Kept) if told else None
    except msgspec.DecodeError:  # a restored database may hold anything
        return None
