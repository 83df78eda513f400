"""Drafts the player's next turn. The words go into the box, to be read and changed; nothing of them enters the story.

What is in the box already is never written over, and a model is told only what the player's persona witnessed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from chat.domain import chats
from chat.domain.chats import Chat
from chat.domain.events import ledger
from chat.domain.people import is_you
from chat.domain.witness import witnessed_text
from chat.engine import narrate
from chat.engine.budgets import budget_of
from chat.engine.calls import call_finished
from chat.engine.hearing import count, hear, segments_of
from chat.errors import EmptyReply, ProviderError, Refused, TurnRunning
from chat.llm.calls import Message
from chat.llm.narration import Narration
from chat.prompts.impersonate import impersonate_messages
from chat.store import views

if TYPE_CHECKING:
    from chat.engine.engine import Engine

TURNS_READ = 30
STORY_TOKENS = 3_000
TYPED_CHARS = 4_000
"""Of a longer beginning the model is told the end: that is where it goes on."""
WORDS_FOR_THE_STATUS = "A draft of your turn is being written."
_BY_THE_DEMO = "The demo's script is writing a draft of your turn."


class Draft(NamedTuple):
    """`words` are the model's, empty where it was stopped; `prose` is what is kept for the box now."""

    words: str
    prose: str
    is_stopped: bool = False


@dataclass
class Drafting:
    """A draft while it is being written."""

    detail: str
    narration: Narration | None = None
    _is_stopping: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def is_stopping(self) -> bool:
        """Somebody asked for the end of this draft."""
        return self._is_stopping

    async def stop(self) -> None:
        self._is_stopping = True
        if self.narration is not None:
            await self.narration.aclose()


class Draftings:
    """At most one draft for each chat. Lives on the event loop only."""

    def __init__(self) -> None:
        self._by_chat: dict[str, Drafting] = {}

    def get(self, chat_id: str) -> Drafting | None:
        return self._by_chat.get(chat_id)

    def begin(self, chat_id: str, detail: str) -> Drafting:
        if chat_id in self._by_chat:
            raise Refused("A draft of your turn is being written already.", "Wait for it, or stop it.")
        self._by_chat[chat_id] = Drafting(detail)
        return self._by_chat[chat_id]

    def end(self, chat_id: str) -> None:
        self._by_chat.pop(chat_id).finished.set()

    async def stop(self, chat_id: str) -> bool:
        """End the draft of a chat; False when none is being written."""
        drafting = self._by_chat.get(chat_id)
        if drafting is None:
            return False
        await drafting.stop()
        await drafting.finished.wait()
        return True

    async def stop_all(self) -> None:
        for chat_id in list(self._by_chat):
            await self.stop(chat_id)


async def draft(engine: Engine, chat_id: str, typed: str | None = None) -> Draft:
    """Words for the player to take or leave, behind what is in the box: `typed`, else what is kept for it.

    Raises NotFound, TurnRunning while a reply is written, Refused without a model or while another draft is being
    written, StoreError and ProviderError; the words in the box stay in any case.
    """
    chat = chats.known(engine.store.library.chats.get(chat_id))
    if run := engine.runs.get(chat_id):
        raise TurnRunning("A reply is being written, so it is not your turn yet.", turn_id=run.reply_id)
    if engine.runs.closed_by:
        raise engine.runs.closed_by
    if not engine.narrative_model():
        raise Refused("No model is chosen for the story.", "Choose one in Settings, then try again.")
    drafting = engine.draftings.begin(chat_id, _BY_THE_DEMO if engine.is_demo else WORDS_FOR_THE_STATUS)
    try:
        _tell(engine, chat_id, "thinking", drafting.detail)
        begun = await _begun(engine, chat_id, typed)
        words = await _ask(engine, chat_id, drafting, await _messages(engine, chat, begun))
        if drafting.is_stopping():
            return Draft("", begun, is_stopped=True)
        return Draft(words, await _keep(engine, chat_id, words))
    finally:
        engine.draftings.end(chat_id)
        _tell(engine, chat_id, "idle", "")


def _tell(engine: Engine, chat_id: str, status: Literal["idle", "thinking"], detail: str) -> None:
    """Where a reply has begun meanwhile, that is what the chat is doing."""
    if engine.runs.get(chat_id) is None:
        engine.hub.send(chat_id, "status", {"status": status, "detail": detail, "turn": None})


async def _begun(engine: Engine, chat_id: str, typed: str | None) -> str:
    """What is in the box; it is kept before a model is asked, so that no word is lost whatever comes of that."""
    kept = await _kept(engine, chat_id)
    if typed is None or typed == kept:
        return kept
    if typed.strip():
        await engine.save_composer_draft(chat_id, typed)
    return typed


async def _keep(engine: Engine, chat_id: str, words: str) -> str:
    """Put the draft behind whatever is kept for the box by now."""
    both = "\n\n".join(part for part in ((await _kept(engine, chat_id)).rstrip(), words) if part)
    await engine.save_composer_draft(chat_id, both)
    return both


async def _kept(engine: Engine, chat_id: str) -> str:
    async with engine.store.reading() as reader:
        return await views.draft(reader, f"composer:{chat_id}") or ""


async def _messages(engine: Engine, chat: Chat, begun: str) -> list[Message]:
    library = engine.store.library
    async with engine.store.reading() as reader:
        world = await views.world(reader, chat.id)
        window = await views.transcript(reader, library, chat.id, limit=TURNS_READ)
    you = library.people[chat.you_id]
    heard = [(library.name_of(turn.speaker), hear(turn, you.id).text) for turn in window.turns]
    own = segments_of(engine, chat, begun[-TYPED_CHARS:])
    return impersonate_messages(
        you=you.name,
        persona="\n".join(filter(None, (you.pronouns, you.persona, you.appearance))),
        others=[library.name_of(one) for one in world.state.present if not is_you(one)],
        turns=[(name, text) for name, text in heard if text],
        note=world.state.note,
        typed=witnessed_text(own, you.id, world.state.present, you.id),
        tokens=min(STORY_TOKENS, budget_of(engine).soft // 2),
        count=count,
    )


async def _ask(engine: Engine, chat_id: str, drafting: Drafting, messages: list[Message]) -> str:
    """One call, in the ledger as such whatever came of it."""
    if drafting.is_stopping():
        return ""
    model = engine.narrative_model()
    request = narrate.request_of(engine, model, engine.clock.seed(), messages, "impersonate")
    narration = drafting.narration = engine.gateway.narrate(engine.endpoint(), request)
    problem: ProviderError | None = None
    try:
        async for _ in narration:
            pass
        problem = None if drafting.is_stopping() else narration.withheld()
    except ProviderError as error:
        problem = error
    finally:
        await narration.aclose()
        spent = call_finished(narration.record(), engine.clock.new_id(), chat_id)
        await engine.store.execute(lambda state: [ledger(spent)])
    narrate.note(engine, model, problem, sum(count(one["content"]) for one in messages))
    if problem:
        raise problem
    words = narration.text.strip()
    if not words and not drafting.is_stopping():
        raise EmptyReply("The model wrote no draft.")
    return words
