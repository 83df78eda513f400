"""The parts of a story prompt besides its history: each a rendered text with a tier, a size and a place.

The system parts hold what seldom changes, so that a back end can reuse its work; the notes hold what is true now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from chat.prompts.digest import other_task
from chat.prompts.excerpts import excerpt, words_of
from chat.prompts.given import Budget, Feeling, PromptInput
from chat.prompts.quoting import Count, name_of, quoted
from chat.prompts.templates import NARRATE_SYSTEM, NARRATE_VOLATILE

Tier = Literal["must", "should", "nice"]
Where = Literal["system", "notes"]

TAKING_NOTES = "taking_notes"
EARLIER_SCENES = "earlier_scenes"
FACTS_TOLD = 10
_WARMTH = ("hatred", "dislike", "coolness", "indifference", "liking", "fondness", "love")
_TRUST = (
    "no trust at all",
    "deep doubt",
    "doubt",
    "neither trust nor doubt",
    "some trust",
    "trust",
    "full trust",
)


class Section(msgspec.Struct, frozen=True):
    """`clipped` says that a text in it was longer than a prompt may quote."""

    name: str
    tier: Tier
    where: Where
    text: str
    tokens: int
    clipped: bool = False


class _Maker:
    """Quotes values and renders blocks; what has no words becomes no section."""

    def __init__(self, given: PromptInput, budget: Budget, count: Count) -> None:
        self._given, self._budget, self._count = given, budget, count
        self.bot, self.you = name_of(given.bot_name), name_of(given.you_name)
        self.made: list[Section] = []
        self._clipped = False

    def say(self, text: str, percent: int) -> str:
        """`text` quoted, at most this share of the hard budget, remembering whether it was cut."""
        return self._quote(text, max(self._budget.hard * percent // 100, 24))

    def memories(self, texts: Sequence[str]) -> list[str]:
        """Each in its own words, cut to what belongs here where they are long; the best may use what others leave."""
        given, room, told = self._given, self._budget.memories, []
        near = words_of(given.player_words or "", *(turn.text for turn in given.turns[-1:]))
        for number, text in enumerate(texts):
            limit = min(self._budget.memory, room // (len(texts) - number))
            shown = self._quote(excerpt(text, near, limit, self._count), limit)
            room -= self._count(shown)
            told.append(shown.replace("\n", "\n  "))
        return told

    def facts(self, texts: Sequence[str]) -> list[str]:
        """The newest, as many as there is room for, oldest first."""
        room = self._budget.facts
        told: list[str] = []
        for text in reversed(texts[-FACTS_TOLD:]):
            shown = self.say(text, 1)
            room -= self._count(shown)
            if room < 0 and told:
                break
            told.append(shown)
        return told[::-1]

    def _quote(self, text: str, limit: int) -> str:
        shown = quoted(text, limit, self._count, self.you, self.bot)
        self._clipped |= shown.endswith("…") and not text.rstrip().endswith("…")
        return shown

    def add(self, name: str, tier: Tier, where: Where, is_there: object = True, **values: Any) -> None:
        if is_there:
            source = NARRATE_SYSTEM if where == "system" else NARRATE_VOLATILE
            self.put(name, tier, where, source.block(name, bot=self.bot, you=self.you, **values))
        self._clipped = False

    def put(self, name: str, tier: Tier, where: Where, text: str) -> None:
        """A section whose words are made already; without words there is none."""
        if text:
            self.made.append(Section(name, tier, where, text, self._count(text), self._clipped))


def system_sections(given: PromptInput, budget: Budget, count: Count) -> list[Section]:
    """In the order they stand in: who the bot is, the task of taking notes, then the slow state."""
    make = _Maker(given, budget, count)
    make.add("identity", "must", "system")
    make.add("persona", "must", "system", given.persona.strip(), persona=make.say(given.persona, 20))
    looks = make.say(given.appearance, 3)
    make.add("appearance", "should", "system", looks, appearance=looks)
    traits = make.say(", ".join(given.traits), 2)
    make.add("traits", "should", "system", traits, traits=traits)
    samples = [make.say(sample, 3) for sample in given.voice_samples[:6] if sample.strip()]
    make.add("voice", "nice", "system", samples, voice_samples=samples)
    backstory = make.say(given.backstory, 12)
    make.add("backstory", "nice", "system", backstory, backstory=backstory)
    relationship = make.say(given.initial_relationship_to_you, 3)
    make.add("relationship", "should", "system", relationship, relationship=relationship)
    make.put(TAKING_NOTES, "should", "system", other_task(make.bot) if given.takes_notes else "")
    looks, pronouns = make.say(given.you_appearance, 3), name_of(given.you_pronouns)
    make.add("you", "must", "system", pronouns=pronouns, looks=looks)
    place, facts = name_of(given.place), make.say(given.place_facts, 3)
    present = ", ".join(name_of(name) for name in given.people_present)
    make.add("place", "must", "system", place=place, facts=facts, present=present)
    summaries = [make.say(summary.text, 3).replace("\n", "\n  ") for summary in given.summaries]
    make.add(EARLIER_SCENES, "should", "system", summaries, summaries=summaries)
    return make.made


def notes_sections(given: PromptInput, budget: Budget, count: Count, memories: int) -> list[Section]:
    """What is true now, with the best `memories` of the recalled ones."""
    make = _Maker(given, budget, count)
    note = make.say(given.author_note, 10)
    make.add("author_note", "should", "notes", note and given.author_note_first, note=note)
    place, clock = name_of(given.place), name_of(given.clock_text)
    make.add("now", "must", "notes", clock=clock, place=place, weather=make.say(given.weather, 1))
    activities = [(name_of(name), make.say(doing, 1)) for name, doing in given.activities if doing.strip()]
    make.add("activities", "should", "notes", activities, activities=activities)
    make.add("feelings", "should", "notes", **_feelings(given.feeling, make))
    recalled = make.memories([memory.text for memory in given.memories[:memories]])
    make.add("memories", "should", "notes", recalled, memories=recalled)
    note = make.say(given.author_note, 10)
    make.add("author_note", "should", "notes", note and not given.author_note_first, note=note)
    direction = make.say(given.direction, 100)
    make.add("direction", "must", "notes", direction, direction=direction)
    return make.made


def _feelings(feeling: Feeling, make: _Maker) -> dict[str, Any]:
    return {
        "warmth": _in_words(feeling.affinity, _WARMTH),
        "trust": _in_words(feeling.trust, _TRUST),
        "summary": make.say(feeling.summary, 3),
        "facts": make.facts(feeling.facts),
    }


def _in_words(value: int, words: Sequence[str]) -> str:
    """A value of 0 to 100 as one of the words; 50 is the middle one."""
    step = 100 / len(words)
    return words[min(int(max(value, 0) / step), len(words) - 1)]
