"""Makes the prompt of a reply out of what the bot may know. Reading and choosing words happen here, asking does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from chat.domain.chats import Chat
from chat.domain.exchange import unanswered
from chat.domain.places import Place
from chat.domain.recall import Found, Recalled
from chat.domain.segments import Segment
from chat.domain.turns import Turn, is_spoken
from chat.domain.witness import directions, witnessed_text
from chat.engine.budgets import budget_of
from chat.engine.context import Context, Wanted, read_ahead, read_context
from chat.engine.hearing import count, hear, segments_of
from chat.errors import DoesNotFit, Refused
from chat.llm.calls import Message
from chat.prompts.assemble import assemble
from chat.prompts.given import Budget, Feeling, PromptInput, PromptMemory, PromptTurn
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine
    from chat.engine.run import Run


class Terms(NamedTuple):
    """What a prompt depends on beside what is told in it."""

    budget: Budget
    history_from: str | None
    recall_k: int
    takes_notes: bool


class Written(msgspec.Struct, frozen=True):
    """A prompt, what the log keeps of how it came about, where its history begins and the draft it is for.

    `since` is where the history of the last prompt that was sent began, when this one was written.
    """

    terms: Terms
    messages: Sequence[Message]
    prompt_hash: str
    manifest: dict[str, Any]
    history_from: str | None
    draft: Sequence[Segment]
    since: str | None

    @property
    def lets_go_of_more(self) -> bool:
        """Turns have just left it, so that there is more to read than was read for it. It still shows some."""
        is_elsewhere = self.history_from not in (None, self.terms.history_from)
        return is_elsewhere and bool(self.manifest["turns_left_out"])


Step = Mapping[str, str | int]
_SUMS_UP = "sums up a scene that is not shown any more"
_HEARD_BY_ALL = ("narration", "dialogue", "action")


class Prepared(msgspec.Struct, frozen=True):
    """A prompt ready to send."""

    model: str
    seed: int
    written: Written

    @property
    def messages(self) -> Sequence[Message]:
        return self.written.messages

    @property
    def total_tokens(self) -> int:
        return int(self.written.manifest.get("total_tokens", 0))

    def how(self, endpoint: str) -> dict[str, Any]:
        """The fields of AssistantTurnStarted beyond who and when."""
        told = {"endpoint": endpoint, "model": self.model, "seed": self.seed}
        return {**told, "prompt_hash": self.written.prompt_hash, "manifest": self.written.manifest}


async def prepare(engine: Engine, run: Run) -> Prepared:
    """Retrieve and assemble. Raises DoesNotFit when the must tier alone is too large, Refused without a model."""
    model = run.model = run.model or engine.narrative_model()
    if not model:
        raise Refused("No model is chosen for the story.", "Choose one in Settings, then retry.")
    await engine.digests.wait(run.chat_id, engine.settings.timeouts.digest_wait_s)
    await engine.anticipation.wait(run.chat_id)
    (retrieve, asked), (assembling, told) = steps(engine, model)
    since = _history_from(engine, run.chat_id, run.speaker)
    with run.step(retrieve, **asked):
        context = await _read(engine, run.chat_id, run.speaker, since)
    with run.step(assembling, **told):
        written = _write(engine, run.chat_id, context, since, run=run)
    if written.lets_go_of_more:
        since = written.history_from
        with run.step(retrieve, **asked):  # of what has just left the prompt, too
            context = await _read(engine, run.chat_id, run.speaker, since)
        written = _write(engine, run.chat_id, context, since, run=run)
    keep_history_from(engine, run.chat_id, run.speaker, written)
    return Prepared(model, engine.clock.seed(), written)


def steps(engine: Engine, model: str) -> tuple[tuple[str, Step], tuple[str, Step]]:
    """What the two steps of making a prompt are called, and what they are done with."""
    return ("retrieve", {"k": engine.settings.budget.recall_k}), ("assemble", {"model": model})


def at_hand(engine: Engine, chat: Chat, segments: Sequence[Segment]) -> Prepared | None:
    """The prompt that was written for exactly these words; None where anything has changed or has to be waited for.

    Words that not everybody heard make a difference to what the prompt tells of itself, so they are no such words.
    """
    bot_id, model = chat.bot_ids[0], engine.narrative_model()
    written = engine.anticipation.written(chat.id, bot_id, segments)
    if not model or written is None or engine.digests.is_running(chat.id):
        return None
    is_heard = all(one.kind in _HEARD_BY_ALL for one in segments)
    is_next = written.since == _history_from(engine, chat.id, bot_id)
    if not (is_heard and is_next) or written.terms != _terms(engine, written.terms.history_from):
        return None
    return Prepared(model, engine.clock.seed(), written)


def check_fits(engine: Engine, state: State, chat_id: str, segments: Sequence[Segment]) -> None:
    """Raise DoesNotFit when these words cannot stand beside what every prompt must hold. Nothing is written yet."""
    library = state.library
    if _is_known_to_fit(engine, library.chats[chat_id], segments):
        return
    chat = library.chats[chat_id]
    bot, you = library.bots[chat.bot_ids[0]], library.people[chat.you_id]
    world = state.world(chat_id)
    words = witnessed_text(segments, you.id, world.state.present, bot.id)
    context = Context(library, world, bot, you, (), Recalled())
    assemble(_input(engine, context, (), words or None, directions(segments)), budget_of(engine), count)


def _is_known_to_fit(engine: Engine, chat: Chat, segments: Sequence[Segment]) -> bool:
    """A prompt with just these words was written already, and nothing has changed since."""
    found = engine.anticipation.context(chat.id, chat.bot_ids[0])
    return found is not None and found[1] is None and engine.anticipation.expected(chat.id) == segments


async def anticipate(engine: Engine, chat_id: str, draft: str) -> None:
    """Read and choose what a reply to this draft would need; what comes of it stays in `engine.anticipation`.

    Nobody sends a prompt without words, so none is made before there are some.
    """
    library, marks = engine.store.library, engine.anticipation.marks(chat_id)
    chat = library.chats.get(chat_id)
    if chat is None:
        return
    segments, bot_id = segments_of(engine, chat, draft), chat.bot_ids[0]
    since = _history_from(engine, chat_id, bot_id)
    if not is_spoken(segments):
        await read_ahead(engine.store, chat_id, bot_id, since, engine.anticipation)
        return
    context = await _read(engine, chat_id, bot_id, since, segments)
    with suppress(DoesNotFit):  # whoever sends it will be told
        written = _write(engine, chat_id, context, since, segments)
        if written.lets_go_of_more:
            context = await _read(engine, chat_id, bot_id, written.history_from, segments)
            _write(engine, chat_id, context, written.history_from, segments)
        engine.anticipation.note_written(chat_id, marks)


def _write(
    engine: Engine,
    chat_id: str,
    context: Context,
    history_from: str | None,
    draft: Sequence[Segment] = (),
    run: Run | None = None,
) -> Written:
    """The prompt. A reply that is written on (by `run`) is no part of what stands before it, but needs its room."""
    before = [turn for turn in context.turns if run is None or turn.id != run.reply_id]
    turns = [_prompt_turn(context, turn) for turn in before]
    heard = [turn for turn in turns if turn.text]
    drafted = witnessed_text(draft, context.you.id, context.world.state.present, context.bot.id)
    words = drafted or (heard.pop().text if heard and heard[-1].is_you else None)
    directed = [directions(turn.segments) for turn in unanswered(before) if turn.role == "user"]
    given = _input(engine, context, heard, words, "\n".join(filter(None, [*directed, directions(draft)])))
    taken, model = (count(run.written_on) if run.written_on else 0, run.model) if run else (0, "")
    terms = _terms(engine, history_from, taken, model)
    written = engine.anticipation.prompt(chat_id, (given, terms))
    if written is None:
        assembled = assemble(given, terms.budget, count, history_from=terms.history_from)
        prompt_hash = sha256(msgspec.json.encode(assembled.messages)).hexdigest()
        manifest = assembled.manifest.as_dict()
        written = Written(
            terms,
            assembled.messages,
            prompt_hash,
            manifest,
            assembled.history_from,
            draft,
            _history_from(engine, chat_id, context.bot.id),
        )
        engine.anticipation.keep_prompt(chat_id, (given, terms), written)
    return written


def _terms(engine: Engine, history_from: str | None, taken: int = 0, model: str = "") -> Terms:
    recall_k, takes_notes = engine.settings.budget.recall_k, reads_what_it_writes(engine)
    return Terms(budget_of(engine, taken, model), history_from, recall_k, takes_notes)


async def _read(
    engine: Engine, chat_id: str, bot_id: str, history_from: str | None, draft: Sequence[Segment] = ()
) -> Context:
    wanted = Wanted(engine.settings.budget.recall_k, history_from, draft)
    return await read_context(engine.store, chat_id, bot_id, wanted, engine.anticipation)


def _history_from(engine: Engine, chat_id: str, bot_id: str) -> str | None:
    return engine.history_from.get((chat_id, bot_id))


def keep_history_from(engine: Engine, chat_id: str, bot_id: str, written: Written) -> None:
    """This prompt is sent: where its history begins, the next ones begin too, until they have to let go of more."""
    if written.history_from:
        engine.history_from[chat_id, bot_id] = written.history_from


def _prompt_memory(found: Found) -> PromptMemory:
    return PromptMemory(found.memory_id, found.text, found.score, found.why, found.left_out)


def _prompt_turn(context: Context, turn: Turn) -> PromptTurn:
    heard = hear(turn, context.bot.id)
    name = context.library.name_of(turn.speaker)
    return PromptTurn(turn.id, turn.speaker, name, turn.role == "user", heard.text, heard.tokens)


def reads_what_it_writes(engine: Engine) -> bool:
    """One model does both, so that the question about a reply can go on from the prompt of the reply."""
    return engine.classifier_model() == engine.narrative_model()


def _input(
    engine: Engine, context: Context, turns: Sequence[PromptTurn], words: str | None, direction: str
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
        summaries=tuple(PromptMemory(one.id, one.text, 0.0, _SUMS_UP) for one in context.summaries),
        withheld=context.withheld(),
        turns=tuple(turns),
        player_words=words,
        direction=direction,
        author_note=world.state.note,
        author_note_first=world.state.note_stands == "first",
        takes_notes=reads_what_it_writes(engine),
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
