"""After a reply: one structured question about what it changed, and the events that follow from the answer.

The reply is stored and the chat is free before this begins. A classifier that fails, babbles or is slow costs nothing
but its own part: what is usable is applied, the rest lies in the quarantine, and a late answer takes its turn's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from chat.domain import digest as digests
from chat.domain import exchange
from chat.domain.digest import ActivityItem, Digest, FactItem, FeelingItem
from chat.domain.events import NewEvent, ledger, story
from chat.domain.lineage import branch_at, is_visible
from chat.domain.memories import Memory
from chat.domain.resets import knows
from chat.domain.segments import segments_after
from chat.domain.turns import Turn
from chat.domain.versions import CONTINUED, TurnVersion
from chat.domain.witness import readable
from chat.domain.world import World, foreseen
from chat.engine import scenes
from chat.engine.budgets import can_read, digest_tokens
from chat.engine.calls import call_finished
from chat.engine.hearing import count
from chat.engine.quarantine import quarantined
from chat.errors import ChatError, NotFound, Refused, StoreError
from chat.llm.calls import CallRecord, Classified, ClassifyRequest, Message
from chat.llm.structured import CallLog
from chat.observe import get_logger, logged_as
from chat.prompts.answers import DigestAnswer
from chat.prompts.digest import DigestInput, DigestLine, DigestPrompt, digest_messages
from chat.store import views
from chat.store.reading import Reader
from chat.store.state import State

if TYPE_CHECKING:
    from chat.engine.engine import Engine

log = get_logger(__name__)
UNFORESEEN = ChatError(
    "Something in the program went wrong while it was worked out; the program's own log says what."
)
ANSWER_TOKENS = 700
WINDOW_TURNS = 16
FAILED = "failed"


@dataclass
class Digests:
    """At most one digest at a time for each chat; a later one waits for the one before."""

    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _of_chat: dict[asyncio.Task[None], str] = field(default_factory=dict)
    """Every one that has not ended, also those another waits for."""
    unfinished: set[str] = field(default_factory=set)
    """Chats in which a digest came to nothing because the story had left its line, and may come back to it."""
    left: dict[str, set[scenes.Closed]] = field(default_factory=dict)
    """By chat, scenes that were closed on a line the story has left, and may not be remembered yet."""

    def start(self, engine: Engine, chat_id: str, turn_id: str, before: Sequence[Message] = ()) -> None:
        earlier = self.running.get(chat_id)
        task = asyncio.create_task(_run(engine, chat_id, turn_id, before, earlier), name=f"digest {turn_id}")
        self._note(chat_id, task)

    def follow(self, chat_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Do other work of this chat behind its digest; the next digest waits for it."""
        task = asyncio.create_task(_behind(self.running.get(chat_id), work), name=f"work of {chat_id}")
        self._note(chat_id, task)

    def is_running(self, chat_id: str) -> bool:
        return chat_id in self.running

    async def wait(self, chat_id: str, timeout_s: float) -> bool:
        """True when no digest of this chat is running any more; a late one goes on by itself."""
        task = self.running.get(chat_id)
        if task is None:
            return True
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        return bool(done)

    async def end(self, chat_ids: Collection[str]) -> None:
        """End those of some chats, for good."""
        tasks = [task for task, chat_id in self._of_chat.items() if chat_id in chat_ids]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        """End them all; what was not finished is found in the log at the next start."""
        tasks = list(self._of_chat)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _note(self, chat_id: str, task: asyncio.Task[None]) -> None:
        self.running[chat_id], self._of_chat[task] = task, chat_id
        task.add_done_callback(lambda done: self._forget(chat_id, done))

    def _forget(self, chat_id: str, task: asyncio.Task[None]) -> None:
        del self._of_chat[task]
        if self.running.get(chat_id) is task:
            del self.running[chat_id]


async def _behind(earlier: asyncio.Task[None] | None, work: Coroutine[Any, Any, None]) -> None:
    if earlier is not None:
        await asyncio.wait({earlier})
    await work


class _Scene(msgspec.Struct, frozen=True):
    """What a digest is about: the exchange, who is there, and the memories written with the reply."""

    world: World
    exchange: list[Turn]
    memories: list[Memory]
    ids: dict[str, str]
    branch_id: str
    step: int
    continued: bool = False
    """It is about what was added to a reply, at the step of that."""


async def _run(
    engine: Engine, chat_id: str, turn_id: str, before: Sequence[Message], earlier: asyncio.Task[None] | None
) -> None:
    with logged_as(chat_id=chat_id, turn_id=turn_id):
        if earlier is not None:
            await asyncio.wait({earlier})
        try:
            await engine.hub.give_way(chat_id)
            await digest(engine, chat_id, turn_id, before)
        except StoreError as problem:
            log.warning("digest_failed", code=problem.code)
        except Exception:
            log.exception("digest_failed")
        finally:
            engine.tell_if_idle(chat_id, "idle", "")
            engine.anticipation.expect(chat_id)


async def digest(engine: Engine, chat_id: str, turn_id: str, before: Sequence[Message] = ()) -> None:
    """Work out what the exchange that ends with this reply changed, and apply it at the reply's own step."""
    seen = await _look(engine, chat_id, turn_id)
    if seen is None:
        return
    engine.tell_if_idle(chat_id, "summarizing", "Taking note of what changed.")
    calls, kept = CallLog(), list[str]()
    try:
        classified, problem = await _ask(engine, seen, before, calls)
        kept += quarantined(engine, calls.failures, "digest", chat_id, turn_id)
        await _apply(engine, chat_id, seen, classified, problem, _Spent(calls.records, kept))
    except StoreError:
        raise
    except Exception:  # told in the story, where it can be asked for again
        log.exception("digest_unforeseen")
        await _apply(engine, chat_id, seen, None, UNFORESEEN, _Spent(calls.records, kept))


async def finish(engine: Engine, chat_id: str) -> None:
    """Start those of the latest replies of the visible line that were left undone: by a kill, or by going elsewhere."""
    async with engine.store.reading() as reader:
        latest = await views.transcript(reader, engine.store.library, chat_id, limit=WINDOW_TURNS)
    for turn in latest.turns:
        is_whole = turn.role == "assistant" and turn.origin == "reply" and not turn.is_running
        if is_whole and turn.text and not turn.digest_outcome:
            engine.digests.start(engine, chat_id, turn.id)


async def ask_again(engine: Engine, chat_id: str, turn_id: str) -> None:
    """Start the digest of a reply whose first one failed. Raises NotFound, or Refused when there is nothing to redo."""
    async with engine.store.reading() as reader:
        known = await views.turn(reader, turn_id)
    if known is None or known.chat_id != chat_id:
        raise NotFound("There is no such turn in this chat.")
    if known.role != "assistant" or known.is_running:
        raise Refused("Only of a reply that has ended can be worked out what it changed.")
    if known.digest_outcome not in ("", FAILED):
        raise Refused("What this reply changed has been worked out already.")
    engine.digests.start(engine, chat_id, turn_id)


class _Read(NamedTuple):
    turns: list[Turn]
    world: World
    memories: list[Memory]
    first: Turn | None
    versions: list[TurnVersion]


async def _look(engine: Engine, chat_id: str, turn_id: str) -> _Scene | None:
    """The exchange on the visible line, None when the turn is not (or no longer) on it or has no words."""
    library = engine.store.library

    async def read(reader: Reader) -> _Read:
        return _Read(
            (await views.transcript(reader, library, chat_id, limit=WINDOW_TURNS)).turns,
            await views.world(reader, chat_id),
            await views.memories_of_turn(reader, turn_id),
            await views.first_words(reader, turn_id),
            (await views.versions(reader, [turn_id])).get(turn_id, []),
        )

    turns, world, memories, first, versions = await engine.store.read(read)
    at = next((index for index, turn in enumerate(turns) if turn.id == turn_id), None)
    if at is None:
        engine.digests.unfinished.add(chat_id)
    if (
        at is None
        or first is None
        or not turns[at].text.strip()
        or turns[at].digest_outcome not in ("", FAILED)
    ):
        return None
    known = [turn for turn in turns[:at] if knows(world.state.resets, turns[at].speaker, turn)]
    ids = {library.name_of(one).casefold(): one for one in turns[at].present}
    told = [*exchange.unanswered(known), turns[at]]
    if not versions or versions[-1].made != CONTINUED:
        return _Scene(world, told, memories, ids, turns[at].branch_id, turns[at].step)
    step = versions[-1].step
    if first.digest_outcome not in (
        "",
        FAILED,
    ):  # all before it is worked out; only what was added is looked at
        before = versions[-2].text if len(versions) > 1 else first.text
        told = [replace(told[-1], segments=segments_after(told[-1].segments, len(before)))]
    return _Scene(world, told, memories, ids, branch_at(library.lineage(chat_id), step), step, continued=True)


class _Spent(msgspec.Struct, frozen=True):
    """The calls a digest cost, failed ones too, and the cases it put into the quarantine."""

    records: Sequence[CallRecord]
    cases: Sequence[str]


def _question(engine: Engine, given: DigestInput, before: Sequence[Message]) -> DigestPrompt:
    """Goes on from the prompt of the reply where the model can read both at once."""
    hard = digest_tokens(engine, ANSWER_TOKENS)
    prompt = digest_messages(given, hard, count, before)
    if not before or can_read(engine, [one["content"] for one in prompt.messages], ANSWER_TOKENS):
        return prompt
    return digest_messages(given, hard, count)


async def _ask(
    engine: Engine, seen: _Scene, before: Sequence[Message], calls: CallLog
) -> tuple[Classified[DigestAnswer] | None, ChatError | None]:
    timeouts = engine.settings.timeouts
    prompt = _question(engine, _input(engine, seen), before)
    request = ClassifyRequest(
        purpose="digest",
        model=engine.classifier_model(),
        messages=prompt.messages,
        answer=DigestAnswer,
        default=DigestAnswer(),
        max_tokens=ANSWER_TOKENS,
        first_token_s=timeouts.first_token_s,
        between_tokens_s=timeouts.classifier_s,
    )
    try:
        return await engine.gateway.classify(engine.endpoint(), request, calls), None
    except ChatError as problem:
        return None, problem


def _input(engine: Engine, seen: _Scene) -> DigestInput:
    name_of = engine.store.library.name_of
    lines = [
        DigestLine(
            line.number,
            name_of(line.turn.speaker),
            readable(line.segment).strip(),
            is_above=seen.exchange[-1].speaker in line.ears,
        )
        for line in digests.lines_of(seen.exchange)
    ]
    place = seen.world.place()
    doing = seen.world.activities
    state = [(name_of(one), said) for one in sorted(doing) if (said := doing[one].sentence())]
    names = tuple(name_of(one) for one in seen.exchange[-1].present)
    return DigestInput(names, place.name if place else "", tuple(state), tuple(lines))


async def _apply(
    engine: Engine,
    chat_id: str,
    seen: _Scene,
    classified: Classified[DigestAnswer] | None,
    problem: ChatError | None,
    spent: _Spent,
) -> None:
    reply, left = seen.exchange[-1], list[str]()
    costs = [call_finished(one, engine.clock.new_id(), chat_id, reply.id) for one in spent.records]
    calls = list(map(ledger, costs))

    def applied(state: State) -> list[NewEvent]:
        if not is_visible(state.library.lineage(chat_id), seen.branch_id, seen.step):
            left.append(chat_id)
            return calls
        if not _is_waiting(state, seen.exchange):
            return calls
        world = state.world(chat_id)
        latest = state.recent_turns(chat_id, 1)
        is_reset = any(step > reply.step for step in world.state.resets.values())
        is_tip = bool(latest) and latest[0].id == reply.id and not is_reset
        answer = classified.answer if classified and not classified.defaulted else None
        done = digests.Applied([], ())
        if answer:
            said = _digest(answer, seen.ids)
            done = digests.apply(world, seen.exchange, seen.memories, said, is_tip=is_tip)
        dropped = [*done.dropped, *([problem.message] if problem else [])]
        outcome = _outcome(classified, is_tip)
        told = digests.finished(reply.id, outcome, dropped, spent.cases, continued=seen.continued)
        happened = story(chat_id, seen.branch_id, seen.step, *done.events, told)
        if is_tip and answer:
            after = foreseen(world, happened)
            closing = scenes.by_signal(after, seen.exchange, answer.scene, seen.ids, engine.clock.new_id)
            happened += story(chat_id, seen.branch_id, seen.step, *closing)
        return [*happened, *calls]

    commit = await engine.store.execute(applied, caused_by=reply.id)
    engine.digests.unfinished.update(left)
    await scenes.remember_closed(engine, chat_id, commit)


def _is_waiting(state: State, exchange: Sequence[Turn]) -> bool:
    """The exchange still reads as it was sent, and nobody else worked out meanwhile what it changed."""
    known = [state.turn(one.id) for one in exchange]
    if any(one is None or one.text != sent.text for one, sent in zip(known, exchange, strict=True)):
        return False
    return known[-1] is not None and known[-1].digest_outcome in ("", FAILED)


def _outcome(classified: Classified[DigestAnswer] | None, is_tip: bool) -> str:
    if classified is None or classified.defaulted:
        return FAILED
    if classified.salvaged:
        return "partial"
    return "ok" if is_tip else "late"


def _digest(answer: DigestAnswer, ids: dict[str, str]) -> Digest:
    """The answer with names turned into entity ids; a name nobody present bears becomes an empty id."""

    def known(name: str) -> str:
        return ids.get(name.strip().casefold(), "")

    return Digest(
        feelings=tuple(
            FeelingItem(known(f.source), known(f.target), f.affinity, f.trust, f.reason, tuple(f.cites))
            for f in answer.feelings
        ),
        facts=tuple(
            FactItem(
                known(f.owner), known(f.about) if f.about.strip() else known(f.owner), f.text, tuple(f.cites)
            )
            for f in answer.facts
        ),
        activities=tuple(
            ActivityItem(known(a.who), a.posture, a.action, tuple(a.holding), a.attention, tuple(a.cites))
            for a in answer.activities
        ),
        minutes=answer.minutes,
        minutes_cites=tuple(answer.minutes_cites),
        weather=answer.weather,
        weather_cites=tuple(answer.weather_cites),
        significance=answer.significance,
    )
