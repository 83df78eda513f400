"""Makes the prompt of a reply out of what the bot may know. Reading and choosing words happen here, asking does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from chat.domain.exchange import unanswered
from chat.domain.places import Place
from chat.domain.recall import Found, Recalled
from chat.domain.segments import Segment
from chat.domain.turns import Turn
from chat.domain.witness import directions, witnessed_text
from chat.engine.context import Context, read_context
from chat.engine.run import Run
from chat.errors import Refused
from chat.llm.calls import Message
from chat.llm.tokens import count_tokens
from chat.prompts.assemble import Assembled, assemble
from chat.prompts.given import Budget, Feeling, PromptInput, PromptMemory, PromptTurn
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine

count = lru_cache(maxsize=4096)(count_tokens)
"""Token counts of pieces that come back turn after turn."""


@dataclass(frozen=True)
class Prepared:
    """A prompt ready to send, and what the log keeps of how it came about."""

    model: str
    messages: Sequence[Message]
    seed: int
    manifest: dict[str, Any]

    def how(self, endpoint: str) -> dict[str, Any]:
        """The fields of AssistantTurnStarted beyond who and when."""
        prompt_hash = sha256(msgspec.json.encode(list(self.messages))).hexdigest()
        told = {"endpoint": endpoint, "model": self.model, "seed": self.seed}
        return {**told, "prompt_hash": prompt_hash, "manifest": self.manifest}


async def prepare(engine: Engine, run: Run) -> Prepared:
    """Retrieve and assemble. Raises DoesNotFit when the must tier alone is too large, Refused without a model."""
    model = engine.narrative_model()
    if not model:
        raise Refused("No model is chosen for the story.", "Choose one in Settings, then retry.")
    await engine.digests.wait(run.chat_id, engine.settings.timeouts.digest_wait_s)
    with run.step("retrieve", k=engine.settings.budget.recall_k):
        context = await _read(engine, run)
    with run.step("assemble", model=model):
        assembled = _assemble(engine, run, context)
    if assembled.manifest.turns_left_out and assembled.history_from != _history_from(engine, run):
        _keep_history_from(engine, run, assembled)
        with run.step("retrieve", k=engine.settings.budget.recall_k):  # of what has just left the prompt, too
            context = await _read(engine, run)
        assembled = _assemble(engine, run, context)
    _keep_history_from(engine, run, assembled)
    return Prepared(model, assembled.messages, engine.clock.seed(), assembled.manifest.as_dict())


def check_fits(engine: Engine, state: State, chat_id: str, segments: Sequence[Segment]) -> None:
    """Raise DoesNotFit when these words cannot stand beside what every prompt must hold. Nothing is written yet."""
    library = state.library
    chat = library.chats[chat_id]
    bot, you = library.bots[chat.bot_ids[0]], library.people[chat.you_id]
    world = state.world(chat_id)
    words = witnessed_text(segments, you.id, world.state.present, bot.id)
    context = Context(library, world, bot, you, (), Recalled())
    assemble(_input(context, (), words or None, directions(segments)), _budget(engine), count)


def _assemble(engine: Engine, run: Run, context: Context) -> Assembled:
    turns = [_prompt_turn(context, turn) for turn in context.turns]
    heard = [turn for turn in turns if turn.text]
    words = heard.pop().text if heard and heard[-1].is_you else None
    directed = [directions(turn.segments) for turn in unanswered(context.turns) if turn.role == "user"]
    given = _input(context, heard, words, "\n".join(filter(None, directed)))
    return assemble(given, _budget(engine), count, history_from=_history_from(engine, run))


async def _read(engine: Engine, run: Run) -> Context:
    most = engine.settings.budget.recall_k
    return await read_context(engine.store, run.chat_id, run.speaker, most, _history_from(engine, run))


def _history_from(engine: Engine, run: Run) -> str | None:
    return engine.history_from.get((run.chat_id, run.speaker))


def _keep_history_from(engine: Engine, run: Run, assembled: Assembled) -> None:
    if assembled.history_from:
        engine.history_from[run.chat_id, run.speaker] = assembled.history_from


def _prompt_memory(found: Found) -> PromptMemory:
    return PromptMemory(found.memory_id, found.text, found.score, found.why, found.left_out)


def _budget(engine: Engine) -> Budget:
    """The prompt's share of the budget: the reply needs room too."""
    budget, reply = engine.settings.budget, engine.settings.connection.reply_tokens
    hard = max(budget.narrative_hard_tokens - reply, budget.narrative_hard_tokens // 2)
    return Budget(hard, min(budget.narrative_soft_tokens, hard))


def _prompt_turn(context: Context, turn: Turn) -> PromptTurn:
    text = witnessed_text(turn.segments, turn.speaker, turn.present, context.bot.id)
    name = context.library.name_of(turn.speaker)
    return PromptTurn(turn.id, turn.speaker, name, turn.role == "user", text, count(text))


def _input(
    context: Context, turns: Sequence[PromptTurn], words: str | None, direction: str = ""
) -> PromptInput:
    """What the prompt is made of. Of the player's persona only name, pronouns and appearance ever get here."""
    bot, you, world = context.bot, context.you, context.world
    place = world.place()
    edge = world.edge(bot.id, you.id)
    return PromptInput(
        bot_id=bot.id,
        bot_name=bot.name,
        persona=bot.persona,
        appearance=bot.appearance,
        voice_samples=bot.voice_samples,
        traits=bot.traits,
        backstory=bot.backstory,
        initial_relationship_to_you=bot.initial_relationship_to_you,
        you_name=you.name,
        you_pronouns=you.pronouns,
        you_appearance=you.appearance,
        place=place.name if place else "",
        place_facts=_place_facts(place) if place else "",
        clock_text=story_time(world.state.clock_at),
        weather=world.state.weather,
        people_present=tuple(context.library.name_of(one) for one in world.state.present),
        activities=_activities(context),
        feeling=Feeling(edge.affinity, edge.trust, edge.summary, edge.facts),
        memories=tuple(map(_prompt_memory, context.recalled.chosen)),
        passed_over=tuple(map(_prompt_memory, context.recalled.left_out)),
        withheld=context.withheld(),
        turns=tuple(turns),
        player_words=words,
        direction=direction,
        author_note=world.state.note,
        author_note_first=world.state.note_stands == "first",
    )


def _activities(context: Context) -> tuple[tuple[str, str], ...]:
    """Who is present and what each is doing, in words."""
    doing = ((one, context.world.activities.get(one)) for one in context.world.state.present)
    name_of = context.library.name_of
    return tuple(
        (name_of(one), said) for one, activity in doing if activity and (said := activity.sentence())
    )


def _place_facts(place: Place) -> str:
    facts = ["moving" if place.is_moving else "", "public" if place.is_public else "private"]
    return ", ".join(fact for fact in (place.container_type, *facts) if fact)


def story_time(at: str) -> str:
    """Story time in words, absolute, so that the stable part of a prompt never changes by itself."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return ""
    return f"{moment:%A} {moment.day} {moment:%B} {moment.year:04}, {moment:%H:%M}"
