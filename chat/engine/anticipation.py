"""Has ready what the next prompt of a chat is made of, so that a reply can begin when the player's words are stored.

While the player types, the draft is asked about already; the latest turns stay at hand. All of it is what reading and
searching would bring, and is used only as long as nothing it came from has changed. Never the only source of anything.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from chat.domain.events import LIBRARY, Event
from chat.domain.recall import Recalled
from chat.domain.segments import Segment
from chat.domain.turns import Turn
from chat.engine import hearing
from chat.observe import get_logger
from chat.store.state import Commit

if TYPE_CHECKING:
    from chat.engine.context import Context
    from chat.engine.prepare import Written

log = get_logger(__name__)
CHATS_KEPT = 8
_OF_AN_EXCHANGE = frozenset({"user_turn", "assistant_turn_started", "model_call_finished"})
"""What is committed between the player's last key and the prompt. None of it changes a memory."""
_NEVER_CHANGES_A_TURN = _OF_AN_EXCHANGE | {
    "assistant_turn",
    "memory_written",
    "memory_keyed",
    "memory_significance_set",
    "memory_pin_changed",
    "memories_consolidated",
    "edge_update",
    "edge_summary_set",
    "activity_change",
    "clock_advanced",
    "weather_changed",
    "container_created",
    "scene_opened",
    "scene_closed",
    "digest_finished",
}
"""After these the turns that were read before are still the same, and newer ones may stand behind them."""


class Marks(NamedTuple):
    """What has changed up to now; equal marks mean that nothing did. `here` counts for one chat and the library,
    `entries` what the player said there, which only goes behind what was read before it.
    """

    memories: int
    turns: int
    here: int
    entries: int


@dataclass
class _Kept:
    turns: Sequence[Turn] = ()
    turns_mark: int = -1
    question: Hashable = None
    answer: Recalled | None = None
    answer_mark: int = -1
    read: tuple[Context, Marks] | None = None
    said: tuple[int, Event] | None = None
    """How many entries of the player there were, and the last of them."""
    given: object = None
    prompt: Written | None = None
    prompt_marks: Marks | None = None


@dataclass
class Anticipation:
    """One for each engine; lives on its event loop. `think` reads all that a reply to a draft would need."""

    think: Callable[[str, str], Awaitable[None]]
    _chats: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    _memories: int = 0
    _turns: int = 0
    _library: int = 0
    _here: dict[str, int] = field(default_factory=dict)
    _entries: dict[str, int] = field(default_factory=dict)
    _drafts: dict[str, str] = field(default_factory=dict)
    _wanted: set[str] = field(default_factory=set)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def note(self, commit: Commit) -> None:
        """Hear of a commit."""
        kinds = {event.kind for event in commit.events}
        if not kinds <= _OF_AN_EXCHANGE:
            self._memories += 1
        if not kinds <= _NEVER_CHANGES_A_TURN:
            self._turns += 1
        self._library += any(event.stream == LIBRARY for event in commit.events)
        for chat_id in {event.stream[5:] for event in commit.events if event.stream.startswith("chat:")}:
            self._in_chat(chat_id, commit.events)
        if "words_erased" in kinds:
            self.forget()

    def forget(self) -> None:
        """Nothing that was read stays in memory."""
        self._memories, self._turns = self._memories + 1, self._turns + 1
        self._chats.clear()
        self._drafts.clear()
        hearing.forget()

    def marks(self, chat_id: str) -> Marks:
        """To be taken before reading what is to be kept."""
        here, entries = self._here.get(chat_id, 0), self._entries.get(chat_id, 0)
        return Marks(self._memories, self._turns, self._library + here, entries)

    def turns(self, chat_id: str) -> Sequence[Turn]:
        """The latest turns as they were read last, oldest first; newer ones may be missing at the end."""
        kept = self._chats.get(chat_id)
        return kept.turns if kept and kept.turns_mark == self._turns else ()

    def keep_turns(self, chat_id: str, turns: Sequence[Turn], marks: Marks) -> None:
        kept = self._of(chat_id)
        kept.turns, kept.turns_mark = turns, marks.turns

    def context(self, chat_id: str, bot_id: str) -> tuple[Context, Event | None] | None:
        """All that was read last for a reply of this bot, and the one entry of the player that came after it."""
        kept, now = self._chats.get(chat_id), self.marks(chat_id)
        if kept is None or kept.read is None:
            return None
        (context, then), said = kept.read, kept.said
        if context.bot.id != bot_id or then.here != now.here:
            return None
        if then.entries == now.entries:
            return context, None
        return (context, said[1]) if said and said[0] == now.entries == then.entries + 1 else None

    def keep_context(self, chat_id: str, context: Context, marks: Marks) -> None:
        """An entry that was stored after the marks were taken may be missing in it, however late it is kept."""
        self._of(chat_id).read = context, marks

    def prompt(self, chat_id: str, given: object) -> Written | None:
        """The prompt that was written of exactly this."""
        kept = self._chats.get(chat_id)
        return kept.prompt if kept and kept.prompt and kept.given == given else None

    def expected(self, chat_id: str) -> Sequence[Segment] | None:
        """The draft for which the last prompt was written; None where it was written for no draft."""
        kept = self._chats.get(chat_id)
        return kept.prompt.draft or None if kept and kept.prompt else None

    def keep_prompt(self, chat_id: str, given: object, prompt: Written) -> None:
        kept = self._of(chat_id)
        kept.given, kept.prompt, kept.prompt_marks = given, prompt, None

    def note_written(self, chat_id: str, marks: Marks) -> None:
        """All that the prompt of a chat came from was read when the marks were these."""
        self._of(chat_id).prompt_marks = marks

    def written(self, chat_id: str, bot_id: str, draft: Sequence[Segment]) -> Written | None:
        """The prompt for a reply of this bot to just this draft, if nothing at all has changed since it was written."""
        kept = self._chats.get(chat_id)
        if kept is None or kept.prompt is None or chat_id in self._tasks or kept.prompt_marks is None:
            return None
        is_for_it = kept.prompt.draft == draft and kept.read is not None and kept.read[0].bot.id == bot_id
        return kept.prompt if is_for_it and kept.prompt_marks == self.marks(chat_id) else None

    def answer(self, chat_id: str, question: Hashable) -> Recalled | None:
        """What was recalled for exactly this question, if no memory has changed since."""
        kept = self._chats.get(chat_id)
        is_good = kept and kept.answer_mark == self._memories and kept.question == question
        return kept.answer if kept and is_good else None

    def keep_answer(self, chat_id: str, question: Hashable, answer: Recalled, marks: Marks) -> None:
        kept = self._of(chat_id)
        kept.question, kept.answer, kept.answer_mark = question, answer, marks.memories

    def expect(self, chat_id: str, draft: str | None = None) -> None:
        """These words may be the next entry; without any, those that were heard last. The latest are what counts."""
        if draft is not None:
            self._drafts[chat_id] = draft
        self._wanted.add(chat_id)
        if chat_id not in self._tasks:
            task = asyncio.create_task(self._work(chat_id), name=f"anticipation {chat_id}")
            self._tasks[chat_id] = task

    async def wait(self, chat_id: str) -> None:
        """What is being thought about is likely what is about to be asked: done twice at once it would take longer."""
        if task := self._tasks.get(chat_id):
            await asyncio.wait({task})

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, chat_id: str) -> None:
        try:
            while chat_id in self._wanted:
                self._wanted.discard(chat_id)
                try:
                    await self.think(chat_id, self._drafts.get(chat_id, ""))
                except Exception as problem:  # noqa: BLE001 - the reply itself will say what is wrong
                    log.info("not_anticipated", chat_id=chat_id, error_type=type(problem).__name__)
        finally:
            del self._tasks[chat_id]  # at once, so that what is wanted from here on has a task of its own

    def _in_chat(self, chat_id: str, events: Sequence[Event]) -> None:
        """An entry of the player goes behind the context that was read; anything else makes it a thing of the past."""
        if any(event.kind == "user_turn" for event in events):
            self._drafts.pop(chat_id, None)
        if [event.kind for event in events] != ["user_turn"]:
            self._here[chat_id] = self._here.get(chat_id, 0) + 1
            return
        count = self._entries[chat_id] = self._entries.get(chat_id, 0) + 1
        if kept := self._chats.get(chat_id):
            kept.said = count, events[0]

    def _of(self, chat_id: str) -> _Kept:
        kept = self._chats.setdefault(chat_id, _Kept())
        self._chats.move_to_end(chat_id)
        while len(self._chats) > CHATS_KEPT:
            self._chats.popitem(last=False)
        return kept
