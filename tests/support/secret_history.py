"""Plays random histories of two bots on the engine, and tells the same to the model of who knows what.

Chats of the shared continuity, one of both bots, and some on their own; what is planted in them is searched elsewhere.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from chat.app import running_engine
from chat.clock import Clock
from chat.domain import chats
from chat.domain.edits import current
from chat.domain.events import (
    ActivityChange,
    ChatCreated,
    ClockAdvanced,
    ContainerCreated,
    EntityEntered,
    EntityLeft,
    NewEvent,
    SceneOpened,
    StoryPayload,
    library,
    story,
)
from chat.domain.scenes import NextPlace
from chat.domain.world import World
from chat.engine.authoring import BotFields, YouFields
from chat.engine.engine import Engine
from chat.engine.turn import start_reply
from chat.settings import load_settings
from chat.store import views
from chat.store.state import State
from tests.support.confidant import TOPICS, Confidant, segment
from tests.support.knowing import Chat, Entry, Knowledge
from tests.support.peer import Peer

BOTS = ("Mira", "Mira Vale")
YOU = "Alex"
KINDS = (
    "speech",
    "action",
    "narration",
    "aside",
    "thought",
    "whisper",
    "whisper to nobody",
    "open aside",
)
NEVER_FAILS_S = 30


@dataclass(frozen=True)
class Act:
    """One thing that happens, in the chat numbered `where` (as far as there are that many)."""

    what: str
    where: int
    parts: tuple[str, ...] = ()
    reply: tuple[str, ...] = ()
    whom: int = 0
    flag: bool = False
    late: bool = False


@dataclass
class Left:
    """A line that was cut off, to be gone back to: its branch, its last step and its entries."""

    branch_id: str
    step: int
    entries: list[Entry]


@dataclass
class History:
    """Plays acts on the engine and tells the same to the model of who knows what."""

    engine: Engine
    confidant: Confidant
    known: Knowledge
    ids: dict[str, str] = field(default_factory=dict)
    left: dict[str, Left] = field(default_factory=dict)
    random: random.Random = field(default_factory=lambda: random.Random(0))

    async def begin(self) -> None:
        secret = self.known.mint
        persona = YouFields(name=YOU, persona=f"Hides {secret('the persona of the player')}.")
        self.ids[YOU] = await self.engine.author_you(None, persona)
        for name in BOTS:
            of_card = {
                one: secret(f"the {one} of {name}") for one in ("persona", "backstory", "voice", "tie")
            }
            fields = BotFields(
                name=name,
                persona=of_card["persona"],
                backstory=of_card["backstory"],
                voice_samples=(of_card["voice"],),
                initial_relationship_to_you=of_card["tie"],
                kickoff_prose=secret("a kickoff kept on a card"),
            )
            self.ids[name] = await self.engine.author_bot(None, fields)
            self.known.cards[name] = set(of_card.values())
        await self.together()
        await self.kickoff(Act("kickoff", 0, whom=0))
        await self.kickoff(Act("kickoff", 0, whom=1))
        await self.kickoff(Act("own", 0, whom=0, flag=True))

    def chat(self, act: Act) -> Chat:
        return self.known.chats[act.where % len(self.known.chats)]

    async def do(self, act: Act) -> None:
        self.random.seed(repr(act))
        self.confidant.style, self.confidant.closes = in_order(act.reply), act.flag
        await getattr(self, act.what.replace(" ", "_"))(act)
        assert self.confidant.problems == []
        assert self.known.leaks == [], act

    # Chats

    def place(self, cast: tuple[str, ...], is_shared: bool) -> Chat:
        mark = f"mk{self.known.mint('a mark')[2:-1]}m"
        chat = Chat(mark, cast[0], cast, is_shared)
        self.known.chats.append(chat)
        return chat

    async def together(self) -> None:
        """A chat of both; the second comes in later. No page makes one yet."""
        chat = self.place(BOTS, True)
        chat.add("opening", {BOTS[0]})
        new_id, you, host = self.engine.clock.new_id, self.ids[YOU], self.ids[BOTS[0]]
        chat.chat_id, branch, place, at = new_id(), new_id(), new_id(), "2026-11-20T19:00:00Z"
        told: list[StoryPayload] = [
            ClockAdvanced(at=at, prior="", reason="kickoff"),
            ContainerCreated(container_id=place, name=f"quay {chat.mark}"),
            *(EntityEntered(entity=one, at=at) for one in (you, host)),
            *(ActivityChange(entity=one, container_id=place) for one in (you, host)),
            SceneOpened(scene_id=new_id(), container_id=place, participants=(you, host), at=at),
        ]
        made = ChatCreated(
            chat_id=chat.chat_id,
            branch_id=branch,
            title="Both",
            bot_ids=tuple(self.ids[one] for one in BOTS),
            you_id=you,
        )
        events = [library(made), *story(chat.chat_id, branch, 1, *told)]
        await self.engine.store.execute(lambda state: events)

    async def kickoff(self, act: Act) -> None:
        """From prose to a story, confirmed as it is or with one number changed by hand."""
        if len(self.known.chats) > 5:
            return
        bot, is_shared = BOTS[act.whom], act.what != "own"
        prose = self.known.mint("kickoff prose")
        self.known.prose = {prose}
        draft = await self.engine.parse_kickoff(self.ids[bot], f"At the quay {prose}.", you_id=self.ids[YOU])
        carried = self.known.in_common(bot) if is_shared else set[str]()
        chat = self.place((bot,), is_shared)
        chat.carried = carried
        entry = chat.add("opening", {bot})
        entry.heard = {token: frozenset((bot,)) for token in self.confidant.begun.values()}
        entry.noted = set(self.confidant.begun.values())
        changed = replace(
            draft,
            place_name=f"quay {chat.mark}",
            continuity="main" if is_shared else "own",
            affinity=draft.affinity + 1 if act.flag else draft.affinity,
            bot_speaks_first=act.late,
        )
        chat.chat_id = await self.engine.confirm_kickoff(changed)
        await self.settled(chat)

    own = kickoff

    # Turns

    async def say(self, act: Act) -> None:
        chat = self.chat(act)
        entry = chat.add("you")
        other = chat.cast[act.whom % len(chat.cast)]
        lines = [segment(self.known, entry, kind, "", other, self.random) for kind in in_order(act.parts)]
        if act.late and self.confidant.gate.is_set():
            self.confidant.gate.clear()
        await self.engine.take_turn(chat.chat_id, "\n".join(lines))
        await self.settled(chat)

    async def speak(self, act: Act) -> None:
        """A bot of the chat writes unasked; it need not even be there."""
        chat = self.chat(act)
        run = self.engine.new_run(chat.chat_id)
        self.engine.runs.reserve(run)
        start_reply(self.engine, run, self.ids[chat.cast[act.whom % len(chat.cast)]])
        await self.settled(chat)

    async def retry(self, act: Act) -> None:
        chat = self.chat(act)
        turns = [number for number, one in enumerate(chat.line) if one.kind in ("you", "reply", "opening")]
        if not turns or chat.line[turns[-1]].kind != "reply":
            return
        async with self.engine.store.reading() as reader:
            latest = (await views.transcript(reader, self.engine.store.library, chat.chat_id)).turns[-1]
            step = (await views.world(reader, chat.chat_id)).state.head_step
        branch = self.engine.store.library.chats[chat.chat_id].branch_id
        self.left[chat.mark] = Left(branch, step, list(chat.line))
        del chat.line[turns[-1] :]
        await self.engine.retry(chat.chat_id, latest.id)
        await self.settled(chat)

    async def back(self, act: Act) -> None:
        """To the line that was left by the last retry, as it was left."""
        chat = self.chat(act)
        left = self.left.pop(chat.mark, None)
        if left is None:
            return
        chat.line[:] = left.entries

        def selected(state: State) -> list[NewEvent]:
            return chats.select(state.library.chats[chat.chat_id], left.branch_id, left.step, "undo")

        await self.engine.store.execute(selected)

    async def settled(self, chat: Chat) -> None:
        """Until the reply is there and its digest done, unless that is held back: then until it was asked."""
        run = self.engine.runs.get(chat.chat_id)
        if run is not None and run.task:
            await asyncio.wait_for(run.task, NEVER_FAILS_S)
        if self.confidant.gate.is_set():
            assert await self.engine.digests.wait(chat.chat_id, NEVER_FAILS_S)
        else:
            await self.asked()

    async def asked(self) -> None:
        """At most one digest a chat is asked at a time; those behind it have sent nothing."""
        while self.confidant.held < len(self.engine.digests.running):
            await asyncio.sleep(0.001)

    async def let_go(self, act: Act | None = None) -> None:
        """What was held back arrives, late."""
        self.confidant.gate.set()
        for chat in self.known.chats:
            assert await self.engine.digests.wait(chat.chat_id, NEVER_FAILS_S)
        self.confidant.held = 0

    # Scenes, places, presence

    async def close(self, act: Act) -> None:
        chat = self.chat(act)
        await self.let_go()
        entry = chat.add("close")
        place = self.known.mint("a place chosen by hand")
        entry.shown[place] = frozenset(BOTS)
        chat.closing = entry
        if act.flag:
            await self.engine.close_scene(chat.chat_id, NextPlace())
            return
        moved = BOTS[act.whom]
        going = chat.present & {moved} if moved in chat.present else chat.present
        entry.present = going
        next_place = NextPlace(f"loft {chat.mark} {place}", "loft", (self.ids[moved],))
        await self.engine.close_scene(chat.chat_id, next_place)

    async def move(self, act: Act) -> None:
        """Someone comes into the chat of both, or goes."""
        chat, who = self.known.chats[0], BOTS[act.whom]
        is_there = who in chat.present
        chat.add("move", chat.present - {who} if is_there else chat.present | {who})
        kind = EntityLeft if is_there else EntityEntered

        def moved(state: State) -> list[NewEvent]:
            world = state.world(chat.chat_id)
            branch, step = state.library.chats[chat.chat_id].branch_id, world.state.head_step + 1
            return story(chat.chat_id, branch, step, *arrival(world, kind, self.ids[who]))

        await self.engine.store.execute(moved)

    async def edit(self, act: Act) -> None:
        """By hand in the drawer: what a bot does, feels, knows or remembers."""
        chat, bot = self.chat(act), BOTS[act.whom]
        bot = bot if bot in chat.cast else chat.host
        entry, token = chat.add("edit"), self.known.mint("an edit by hand")
        async with self.engine.store.reading() as reader:
            world = await views.world(reader, chat.chat_id)
            memories = [
                one
                for one in await views.memories_of(reader, self.ids[bot], self.continuity(chat))
                if one.chat_id == chat.chat_id
            ]
        if act.flag and self.ids[bot] in world.activities:
            entry.shown[token] = frozenset(BOTS)
            await self.change(chat, world, "activity", self.ids[bot], {"action": f"hiding {token}"})
        elif act.late and memories:
            entry.heard[token] = frozenset((bot,))
            revision = memories[0].revision
            values = {"text": f"{memories[0].text} {token} {self.random.choice(TOPICS)}"}
            await self.engine.edit(chat.chat_id, "memory", memories[0].id, values, revision)
        elif (self.ids[bot], self.ids[YOU]) in world.edges:
            entry.heard[token] = frozenset((bot,))
            pair = f"{self.ids[bot]}>{self.ids[YOU]}"
            await self.change(chat, world, "edge", pair, {"summary": f"Wary {token}.", "facts": [token]})

    def continuity(self, chat: Chat) -> str:
        return self.engine.store.library.chats[chat.chat_id].continuity

    async def change(
        self, chat: Chat, world: World, what: str, target: str, values: dict[str, object]
    ) -> None:
        await self.engine.edit(chat.chat_id, what, target, values, current(world, what, target)[1])


def arrival(world: World, kind: type[EntityEntered | EntityLeft], entity: str) -> list[StoryPayload]:
    moved = kind(entity=entity, at=world.state.clock_at)
    place = world.place()
    if kind is EntityLeft or place is None:
        return [moved]
    return [moved, ActivityChange(entity=entity, container_id=place.id)]


def in_order(kinds: Sequence[str]) -> list[str]:
    """An aside that is left open takes in all that follows it, so it comes last, and once."""
    rest = [kind for kind in kinds if kind != "open aside"]
    return [*rest, "open aside"] if "open aside" in kinds else rest


class Desk:
    """One engine for all histories, each with bots, a persona and chats of its own."""

    def __init__(self, folder: Path, peer: Peer, confidant: Confidant) -> None:
        self.confidant, self.delivered = confidant, Knowledge(()).delivered
        self.runner = asyncio.Runner()
        self._program = self._running(folder, peer)
        self.engine = self.runner.run(self._program.__aenter__())

    @asynccontextmanager
    async def _running(self, folder: Path, peer: Peer) -> AsyncIterator[Engine]:
        connection = {"base_url": peer.base_url, "narrative_model": "peer-model", "api_key": "sk-canary-0"}
        timeouts = {"first_token_s": 60, "between_tokens_s": 60, "classifier_s": 60, "digest_wait_s": 0.005}
        loaded = load_settings(data_dir=folder / "data", connection=connection, timeouts=timeouts)
        async with running_engine(loaded, Clock()) as engine:
            yield engine

    def play(self, story: Sequence[Act], is_one_model: bool, seed: int) -> None:
        self.runner.run(self._play(story, is_one_model, seed))

    async def _play(self, story: Sequence[Act], is_one_model: bool, seed: int) -> None:
        known = Knowledge(BOTS, is_one_model=is_one_model)
        confidant = self.confidant
        confidant.knowledge, confidant.random, confidant.gate = known, random.Random(seed), threading.Event()
        confidant.held, confidant.problems, confidant.style = 0, [], ()
        confidant.gate.set()
        model = "" if is_one_model else "another-model"
        connection = self.engine.settings.connection.model_copy(update={"classifier_model": model})
        self.engine.settings = self.engine.settings.model_copy(update={"connection": connection})
        history = History(self.engine, confidant, known)
        try:
            await history.begin()
            for act in story:
                await history.do(act)
        finally:
            await history.let_go()
        assert confidant.problems == []
        assert known.leaks == []
        self.delivered.update(known.delivered)

    def close(self) -> None:
        self.runner.run(self._program.__aexit__(None, None, None))
        self.runner.close()
