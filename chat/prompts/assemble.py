"""Makes the messages of a story prompt from what the bot knows, within a budget, and tells what it left out.

Pure: the same input gives the same prompt. Where history begins is handed in and out, and moves in large steps,
so that the beginning of the prompt stays the same for many turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

import msgspec
from msgspec.structs import replace

from chat.errors import DoesNotFit
from chat.prompts.given import Budget, Feeling, PromptInput, PromptMemory, PromptTurn
from chat.prompts.history import Message, add, messages_of
from chat.prompts.manifest import Manifest, MemoryUse, SectionUse
from chat.prompts.quoting import Count, name_of, neutral
from chat.prompts.sections import EARLIER_SCENES, TAKING_NOTES, Section, notes_sections, system_sections
from chat.prompts.templates import DIGEST, NARRATE_SYSTEM, NARRATE_VOLATILE, PromptText

__all__ = ["Assembled", "Budget", "Feeling", "PromptInput", "PromptMemory", "PromptTurn", "assemble"]

NOTES_BEGIN = "[Notes for this reply; nobody in the story hears them]"
NOTES_END = "[End of notes]"
PER_MESSAGE_TOKENS = 4
REPLY_TOKENS = 2
KEPT_TURNS = 6
"""Newest turns that stay while backstory, memories and voice samples go."""
FEWEST_MEMORIES = 2
CALM_EXCHANGES = 8
"""When old turns must go, so many go that about this many exchanges pass before it happens again: each time a back
end reads the whole prompt anew."""


class Assembled(msgspec.Struct, frozen=True):
    """`history_from` is the first turn in the prompt; hand it to the next call for the same bot and chat."""

    messages: list[Message]
    manifest: Manifest
    history_from: str | None


class _Plan(msgspec.Struct, frozen=True):
    """What goes in: turns from number `start`, the best `memories`, all sections but the dropped."""

    start: int
    memories: int
    dropped: frozenset[str] = frozenset()


def assemble(
    given: PromptInput,
    budget: Budget,
    count: Count,
    history_from: str | None = None,
) -> Assembled:
    """`count` gives the tokens of a text and should remember them.

    Raises DoesNotFit when what must be there and the player's words are larger than the hard budget.
    """
    return _Assembly(given, budget, count).done(history_from)


class _Assembly:
    def __init__(self, given: PromptInput, budget: Budget, count: Count) -> None:
        self._given, self._budget, self._count = given, budget, count
        self._turns = [turn for turn in given.turns if turn.text.strip()]
        self._system = system_sections(given, budget, count)
        self._notes: dict[int, list[Section]] = {}
        self._words = neutral(given.player_words) if given.player_words is not None else self._cue()
        frame = count(f"{NOTES_BEGIN}\n{NOTES_END}") + 2 * PER_MESSAGE_TOKENS + REPLY_TOKENS
        self._fixed = frame + count(self._words)
        sizes = [self._size(turn) for turn in reversed(self._turns)]
        self._from_end = [0, *accumulate(sizes)]
        self._hard, self._soft = self._limits()

    def done(self, history_from: str | None) -> Assembled:
        plan = _Plan(self._start(history_from), len(self._given.memories))
        if self._total(plan) > self._hard:
            plan = self._trimmed(plan)
        first = self._turns[plan.start].turn_id if plan.start < len(self._turns) else None
        return Assembled(self._messages(plan), self._manifest(plan, first), first)

    def _limits(self) -> tuple[int, int]:
        """Hard and soft. What was said last and stays is not paid for with the rest where the model can read both:
        what it has beyond half the budget is put on top."""
        budget, newest = self._budget, self._from_end[min(KEPT_TURNS, len(self._turns))]
        said = self._fixed + self._count(self._given.direction) + newest
        raised = max(min(said - budget.hard // 2, budget.most - budget.hard), 0)
        return budget.hard + raised, budget.soft + raised

    def _size(self, turn: PromptTurn) -> int:
        known = turn.tokens if turn.tokens is not None else self._count(turn.text)
        return known + PER_MESSAGE_TOKENS

    def _start(self, history_from: str | None) -> int:
        """Where history began last time. If that turn has slid out of reach, a quarter goes at once: else the
        beginning would move with every turn. Ids are ULIDs, so an older turn has the smaller id."""
        numbers = {turn.turn_id: number for number, turn in enumerate(self._turns)}
        if history_from is None or not self._turns:
            return 0
        slid_out = history_from < self._turns[0].turn_id
        return numbers.get(history_from, len(self._turns) // 4 if slid_out else 0)

    def _total(self, plan: _Plan) -> int:
        sections = (*self._system, *self._notes_of(plan.memories))
        shown = sum(section.tokens for section in sections if section.name not in plan.dropped)
        return self._fixed + shown + self._from_end[len(self._turns) - plan.start]

    def _notes_of(self, memories: int) -> list[Section]:
        if memories not in self._notes:
            self._notes[memories] = notes_sections(self._given, self._budget, self._count, memories)
        return self._notes[memories]

    def _trimmed(self, plan: _Plan) -> _Plan:
        """First to the soft budget in the order of what is missed least, then, if it must be, to the hard one."""
        few = min(FEWEST_MEMORIES, plan.memories)
        wanted: list[Callable[[_Plan], _Plan]] = [
            lambda plan: self._shorter(plan, self._calm(plan), KEPT_TURNS),
            lambda plan: _without(plan, TAKING_NOTES),
            lambda plan: _without(plan, "backstory"),
            lambda plan: replace(plan, memories=few),
            lambda plan: _without(plan, "voice"),
        ]
        optional = [section.name for section in (*self._notes_of(0), *self._system) if section.tier != "must"]
        needed: list[Callable[[_Plan], _Plan]] = [
            lambda plan: _without(plan, EARLIER_SCENES),
            lambda plan: self._shorter(plan, self._hard, 0),
            lambda plan: replace(plan, memories=0),
            *(lambda plan, name=name: _without(plan, name) for name in optional),
        ]
        for limit, steps in ((self._soft, wanted), (self._hard, needed)):
            for step in steps:
                plan = step(plan) if self._total(plan) > limit else plan
        if self._total(plan) > max(self._hard, self._budget.most):
            raise self._does_not_fit(plan)
        return plan

    def _shorter(self, plan: _Plan, limit: int, kept: int) -> _Plan:
        """The least number of old turns gone that meets the limit, with the newest `kept` untouched."""
        last = max(plan.start, len(self._turns) - kept)
        over = self._total(plan) - limit
        whole = self._from_end[len(self._turns) - plan.start]
        start = plan.start
        while start < last and whole - self._from_end[len(self._turns) - start] < over:
            start += 1
        return replace(plan, start=start)

    def _calm(self, plan: _Plan) -> int:
        """What to cut history down to: the soft budget, or less where exchanges are long; never by more than half."""
        newest = self._from_end[: 4 * KEPT_TURNS + 1]
        exchange = 2 * newest[-1] // max(len(newest) - 1, 1)
        half = self._from_end[len(self._turns) - plan.start] // 2
        return min(self._soft, self._hard - min(CALM_EXCHANGES * exchange, half))

    def _does_not_fit(self, plan: _Plan) -> DoesNotFit:
        words, most = self._count(self._words), max(self._hard, self._budget.most)
        must = self._total(plan) - words
        if self._given.player_words is None or must >= most:
            return DoesNotFit(
                f"The prompt needs {must:,} tokens before anybody has said a word, and {most:,} fit.",
                "Raise the prompt budget in config.toml, choose a model with a larger context, or shorten the persona.",
            )
        room = most - must
        return DoesNotFit(
            f"Your text is about {words:,} tokens; beside what every prompt must hold ({must:,}) there is room "
            f"for {room:,} of {most:,}."
        )

    def _cue(self) -> str:
        bot = name_of(self._given.bot_name)
        if not self._turns:
            return f"[{bot} begins.]"
        return f"[{bot} goes on.]" if self._turns[-1].speaker == self._given.bot_id else f"[{bot} answers.]"

    def _messages(self, plan: _Plan) -> list[Message]:
        messages = [{"role": "system", "content": _joined(self._system, plan)}]
        messages += messages_of(self._turns[plan.start :], self._given.bot_id, plan.start > 0)
        notes = _joined(self._notes_of(plan.memories), plan)
        add(messages, "user", f"{NOTES_BEGIN}\n{notes}\n{NOTES_END}\n\n{self._words}")
        return messages

    def _texts(self, plan: _Plan) -> Iterator[PromptText]:
        yield from (NARRATE_SYSTEM, NARRATE_VOLATILE)
        if self._given.takes_notes and TAKING_NOTES not in plan.dropped:
            yield DIGEST

    def _manifest(self, plan: _Plan, first: str | None) -> Manifest:
        given = self._given
        kept = self._notes_of(plan.memories)
        gone = [one for one in self._notes_of(len(given.memories)) if one.name not in {s.name for s in kept}]
        uses = [_use(section, section.name in plan.dropped) for section in (*self._system, *kept)]
        return Manifest(
            prompts={text.name: text.version for text in self._texts(plan)},
            total_tokens=self._total(plan),
            hard_tokens=self._hard,
            soft_tokens=self._soft,
            sections=(*uses, *(_use(section, True) for section in gone)),
            memories=tuple(_memory_uses(given, plan)),
            history_from=first,
            turns=len(self._turns) - plan.start,
            turns_tokens=self._from_end[len(self._turns) - plan.start],
            turns_left_out=tuple(turn.turn_id for turn in self._turns[: plan.start]),
            player_tokens=self._count(self._words),
            withheld=given.withheld,
        )


def _memory_uses(given: PromptInput, plan: _Plan) -> Iterator[MemoryUse]:
    for rank, memory in enumerate(given.memories):
        yield _memory_use(memory, rank < plan.memories)
    for memory in given.summaries:
        yield _memory_use(memory, EARLIER_SCENES not in plan.dropped)
    for memory in given.passed_over:
        yield MemoryUse(memory.memory_id, memory.score, memory.why, False, memory.left_out)


def _memory_use(memory: PromptMemory, is_told: bool) -> MemoryUse:
    left_out = "" if is_told else "no room in the prompt"
    return MemoryUse(memory.memory_id, memory.score, memory.why, is_told, left_out)


def _without(plan: _Plan, name: str) -> _Plan:
    return replace(plan, dropped=plan.dropped | {name})


def _joined(sections: Sequence[Section], plan: _Plan) -> str:
    return "\n\n".join(section.text for section in sections if section.name not in plan.dropped)


def _use(section: Section, trimmed: bool) -> SectionUse:
    return SectionUse(section.name, section.tier, section.where, section.tokens, trimmed, section.clipped)
