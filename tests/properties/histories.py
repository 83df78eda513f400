"""Random histories: two bots, three chats (two of one continuity), turns, forks, selections, late results, edits.

Each rule is one command of the store, as the engine would give it. What must hold afterwards is said in test_replay.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from chat.clock import Clock
from chat.domain import chats, checkpoints, edits, pins, portraits, resets
from chat.domain.events import (
    ActivityChange,
    BotAuthored,
    ClockAdvanced,
    ContainerCreated,
    DigestFinished,
    EdgeSeeded,
    EdgeSummarySet,
    EntityEntered,
    EntityLeft,
    MemoriesConsolidated,
    MemoryKeyed,
    MemoryRewritten,
    MemorySignificanceSet,
    NewEvent,
    SceneClosed,
    SceneOpened,
    StoryPayload,
    WeatherChanged,
    YouAuthored,
    chat_stream,
    library,
    story,
)
from chat.domain.lineage import branch_at
from chat.domain.memories import Memory
from chat.domain.tables import TABLES
from chat.errors import Refused
from chat.settings import load_settings
from chat.store import loading, log
from chat.store.fingerprint import fingerprint
from chat.store.live import Live
from chat.store.rebuild import rebuild
from chat.store.rows import select
from chat.store.start import open_live
from chat.store.state import State
from tests.support import stories

CHATS = ("a", "b", "c")
OWN = "a continuity of its own"
ENTITIES = (stories.MIRA, stories.TOMAS, stories.YOU)
WORDS = ["lamp", "harbour", "storm", "herring", "secret", "rope", "tide", "letter", "灯", "café"]

chat_ids = st.sampled_from(CHATS)
entities = st.sampled_from(ENTITIES)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
deltas = st.integers(-40, 40)
shares = st.sampled_from([0.0, 1.0]) | st.floats(0, 1)

Rows = dict[str, list[tuple[object, ...]]]


def rows_of(conn: sqlite3.Connection) -> Rows:
    """Every mirrored row, in the order of its key."""
    return {
        table: conn.execute(f"{select(table)} order by {', '.join(record.key)}").fetchall()
        for table, record in TABLES.items()
    }


class Telling(RuleBasedStateMachine):
    """A store in a folder of its own, and all that may happen to it."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="replay-"))
        self.settings = load_settings(data_dir=self.folder)
        self.settings.ensure_folders()
        self.count = 0
        self.memories: list[tuple[str, str, int, str]] = []
        self.running: list[tuple[str, str, int, str]] = []
        self.open()
        continuities = {"a": "main", "b": "main", "c": OWN}
        opening = [
            event for one in CHATS for event in stories.chat(one, *ENTITIES[:2], continuity=continuities[one])
        ]
        self.do([*stories.cast(), *opening])

    def open(self) -> None:
        self.live: Live = open_live(
            self.settings, Clock(seed=self.count), read_only=False, warn=lambda text: None
        )
        self.live.conn.execute("pragma synchronous = off")

    def do(self, events: Sequence[NewEvent]) -> None:
        self.live.command(lambda state: events, "cause", None)

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}-{self.count}"

    def tip(self, chat: str) -> tuple[str, int]:
        """The selected branch and the next step on it."""
        return self.live.library.chats[chat].branch_id, loading.world(
            self.live.conn, chat
        ).state.head_step + 1

    def some_place(self, chat: str, share: float) -> tuple[str, int] | None:
        """Branch and step of some story event of the chat, on whatever branch; not of one whose words were erased."""
        of_chat = f"select branch_id, step from event_log where stream = ? and {log.TOLD} order by id"
        found = self.live.conn.execute(of_chat, (chat_stream(chat),)).fetchall()
        return found[int(share * (len(found) - 1))] if found else None

    def happen(self, chat: str, *data: StoryPayload) -> None:
        branch, step = self.tip(chat)
        self.do(story(chat, branch, step, *data))

    # Turns and what they leave behind

    @rule(chat=chat_ids, text=texts, delta=deltas, owner=st.sampled_from(ENTITIES[:2]))
    def exchange(self, chat: str, text: str, delta: int, owner: str) -> None:
        branch, step = self.tip(chat)
        reply, memory = self.name("reply"), self.name("memory")
        continuity = self.live.library.chats[chat].continuity
        self.memories.append((chat, branch, step + 1, memory))
        self.do(
            [
                *stories.said(chat, branch, step, self.name("turn"), text, key=reply),
                *stories.began(chat, branch, step + 1, reply, owner),
                *stories.called(self.name("call"), reply, chat),
                *stories.ended(chat, branch, step + 1, reply, text, owner),
                *stories.remembered(chat, branch, step + 1, memory, text, owner, continuity),
                *stories.felt(chat, branch, step + 1, delta, owner, reply),
            ]
        )

    @rule(chat=chat_ids, text=texts)
    def interrupted(self, chat: str, text: str) -> None:
        """A reply that begins and may end later, wherever the line is by then."""
        branch, step = self.tip(chat)
        reply = self.name("reply")
        self.running.append((chat, branch, step + 1, reply))
        self.do(
            [
                *stories.said(chat, branch, step, self.name("turn"), text),
                *stories.began(chat, branch, step + 1, reply),
            ]
        )

    @precondition(lambda self: self.running)
    @rule(share=shares, text=texts)
    def end_of_an_interrupted_reply(self, share: float, text: str) -> None:
        chat, branch, step, reply = self.running.pop(int(share * (len(self.running) - 1)))
        self.do(stories.ended(chat, branch, step, reply, text))

    @rule(chat=chat_ids, share=shares, delta=deltas, text=texts)
    def late_digest(self, chat: str, share: float, delta: int, text: str) -> None:
        """Feelings and a memory for an earlier turn of any branch."""
        if place := self.some_place(chat, share):
            memory = self.name("memory")
            self.memories.append((chat, *place, memory))
            self.do([*stories.felt(chat, *place, delta), *stories.remembered(chat, *place, memory, text)])

    @precondition(lambda self: self.memories)
    @rule(share=shares, significance=st.integers(0, 3))
    def late_significance(self, share: float, significance: int) -> None:
        chat, branch, step, memory = self.memories[int(share * (len(self.memories) - 1))]
        judged = MemorySignificanceSet(memory_id=memory, significance=significance, prior=1)
        self.do(story(chat, branch, step, judged))

    # The world

    @rule(chat=chat_ids, entity=entities, enters=st.booleans())
    def presence(self, chat: str, entity: str, enters: bool) -> None:
        self.happen(chat, EntityEntered(entity=entity, at="") if enters else EntityLeft(entity=entity, at=""))

    @rule(chat=chat_ids, entity=entities, action=texts)
    def activity(self, chat: str, entity: str, action: str) -> None:
        self.happen(chat, ActivityChange(entity=entity, container_id="", action=action, holding=(action,)))

    @rule(chat=chat_ids, minutes=st.integers(0, 59))
    def clock(self, chat: str, minutes: int) -> None:
        self.happen(chat, ClockAdvanced(at=f"1887-03-04T18:{minutes:02}:00Z", prior="", reason="time passes"))

    @rule(chat=chat_ids, name=texts)
    def scene(self, chat: str, name: str) -> None:
        """The open scene closes, another place comes to be, and a scene opens there."""
        place, opened = self.name("place"), self.name(f"{chat}-scene")
        now = loading.world(self.live.conn, chat)
        closing = (
            [SceneClosed(scene_id=now.scene.id, at="", reason="moved", significance=2)] if now.scene else []
        )
        self.happen(
            chat,
            *closing,
            ContainerCreated(container_id=place, name=name),
            SceneOpened(scene_id=opened, container_id=place, participants=now.state.present, at=""),
        )

    @rule(chat=chat_ids, scene_share=shares)
    def close_of_some_scene(self, chat: str, scene_share: float) -> None:
        """Also of one that is closed already, or not on this line."""
        number = int(scene_share * self.count)
        self.happen(chat, SceneClosed(scene_id=f"{chat}-scene-{number}", at="later", reason="late"))

    @rule(chat=chat_ids, affinity=st.integers(0, 100))
    def seed(self, chat: str, affinity: int) -> None:
        seeded = EdgeSeeded(source=stories.MIRA, target=stories.YOU, affinity=affinity, from_chat_id="a")
        self.happen(chat, seeded)

    # What a digest and the player's own hand leave behind

    def visible_memory(self, chat: str, share: float) -> Memory | None:
        of_chat = f"{select(Memory.table)} where chat_id = ? order by event_id"
        found = self.live.conn.execute(of_chat, (chat,)).fetchall()
        return Memory.from_row(found[int(share * (len(found) - 1))]) if found else None

    @rule(chat=chat_ids, share=shares, pinned=st.booleans(), by_hand=st.booleans())
    def pin(self, chat: str, share: float, pinned: bool, by_hand: bool) -> None:
        if memory := self.visible_memory(chat, share):
            now = loading.world(self.live.conn, chat)
            change = pins.pin(now, memory.owner, memory.id, pinned=pinned)
            self.happen(chat, *(change if by_hand else pins.pins_after(now, memory.owner, memory.id)))

    @rule(chat=chat_ids, share=shares, text=texts)
    def memory_in_other_words(self, chat: str, share: float, text: str) -> None:
        if memory := self.visible_memory(chat, share):
            self.happen(
                chat,
                MemoryKeyed(memory_id=memory.id, keys=tuple(text.split())),
                MemoryRewritten(memory_id=memory.id, text=text, prior=memory.text),
                MemoriesConsolidated(
                    scene_id="", owner=memory.owner, into_memory_id="m", memory_ids=(memory.id, "none")
                ),
            )

    @rule(chat=chat_ids, share=shares, outcome=st.sampled_from(["ok", "partial", "failed"]))
    def digest(self, chat: str, share: float, outcome: str) -> None:
        if place := self.some_place(chat, share):
            turn = "select id from turns where chat_id = ? and branch_id = ? and step = ?"
            for (turn_id,) in self.live.conn.execute(turn, (chat, *place)).fetchall():
                self.do(story(chat, *place, DigestFinished(turn_id=turn_id, outcome=outcome)))

    @rule(chat=chat_ids, summary=texts)
    def mood(self, chat: str, summary: str) -> None:
        edge = EdgeSummarySet(source=stories.MIRA, target=stories.YOU, summary=summary, prior="")
        self.happen(chat, edge, WeatherChanged(weather=summary, prior=""))

    @rule(chat=chat_ids, share=shares, text=texts, number=st.integers(0, 100))
    def edit_by_hand(self, chat: str, share: float, text: str, number: int) -> None:
        """Everything of this chat that the drawer can change, each as it stands on the visible line."""
        now, memory = loading.world(self.live.conn, chat), self.visible_memory(chat, share)
        wanted: list[tuple[str, str, dict[str, object]]] = [
            ("weather", "", {"weather": text}),
            ("note", "", {"words": text, "stands": "first" if number > 50 else "last"}),
            ("clock", "", {"at": f"1887-03-05T18:00:{number % 60:02}+00:00"}),
            *(("activity", entity, {"action": text, "holding": text.split()}) for entity in now.activities),
            *(("edge", ">".join(pair), {"affinity": number, "summary": text}) for pair in now.edges),
            *(("place", place, {"name": text, "is_public": number > 50}) for place in now.places),
        ]
        if memory:
            wanted.append(("memory", memory.id, {"text": text, "significance": number % 4}))
        what, target, values = wanted[int(share * (len(wanted) - 1))]
        _, revision = edits.current(now, what, target, memory)
        made = edits.edit(now, what, target, values, revision, memory=memory)
        if made:
            self.happen(chat, *made)

    @rule(chat=chat_ids, bot=st.sampled_from(ENTITIES[:2]))
    def begin_anew(self, chat: str, bot: str) -> None:
        seed = EdgeSeeded(source=bot, target=stories.YOU, affinity=60)
        self.happen(chat, *resets.reset(loading.world(self.live.conn, chat), bot, [seed]))

    @rule(chat=chat_ids, text=texts)
    def open_again(self, chat: str, text: str) -> None:
        """The first words after a reset, where a scene was closed by it."""
        opened = SceneOpened(scene_id="", container_id="", participants=(stories.YOU, stories.MIRA), at="")
        doing = ActivityChange(entity=stories.MIRA, container_id="", action=text)
        world = loading.world(self.live.conn, chat)
        clock = ClockAdvanced(at="1887-03-04T18:00:00Z", prior="", reason="")
        begun = resets.begin_again(
            world, stories.YOU, [clock, doing, opened], lambda: self.name(f"{chat}-scene")
        )
        if begun:
            self.happen(chat, *begun)

    # Branches

    @rule(chat=chat_ids, share=shares, text=texts)
    def fork(self, chat: str, share: float, text: str) -> None:
        """Below the tip or at it; going on in the same command or not."""
        _, next_step = self.tip(chat)
        step = int(share * (next_step - 1))
        parent = branch_at(self.live.library.lineage(chat), step)
        new = self.name("branch")
        going_on = stories.felt(chat, new, step + 1, 5) if len(text) % 2 else []
        self.do(
            [*stories.forked(chat, new, parent, step), *self.taken_along(chat, new, step, text), *going_on]
        )

    def taken_along(self, chat: str, branch: str, step: int, text: str) -> list[NewEvent]:
        """What a fork brings with it of the line it leaves; see `retelling`."""
        return []

    @rule(chat=chat_ids, share=shares)
    def choose_another_branch(self, chat: str, share: float) -> None:
        known = [one.id for one in self.live.library.branches.values() if one.chat_id == chat]
        chosen = known[int(share * (len(known) - 1))]
        self.do(chats.select(self.live.library.chats[chat], chosen, 0, "undo"))

    @rule(chat=chat_ids, share=shares, name=texts)
    def name_some_moment(self, chat: str, share: float, name: str) -> None:
        """Of any branch; what is called that already in the chat is called something else, or nothing any more."""
        known = self.live.library
        alike = [one for one in known.checkpoints.values() if (one.chat_id, one.name) == (chat, name)]
        if alike and share > 0.5:
            self.do(checkpoints.remove(alike[0], chat))
        elif alike:
            self.do(checkpoints.rename(alike[0], chat, f"{name} again"))
        elif place := self.some_place(chat, share):
            new = self.name("checkpoint")
            self.do(checkpoints.name(known.chats[chat], known.branches, *place, name, new))

    # The library

    @rule(chat=chat_ids, title=texts)
    def rename(self, chat: str, title: str) -> None:
        self.do(chats.rename(self.live.library.chats[chat], title))

    @rule(chat=chat_ids)
    def archive_or_restore(self, chat: str) -> None:
        known = self.live.library.chats[chat]
        self.do(chats.restore(known) if known.archived else chats.archive(known))

    @rule(bot=st.sampled_from(ENTITIES[:2]), persona=texts)
    def author_anew(self, bot: str, persona: str) -> None:
        self.do([library(BotAuthored(bot_id=bot, name=bot, persona=persona, traits=tuple(persona.split())))])

    @rule(default=st.booleans())
    def another_persona(self, default: bool) -> None:
        you = YouAuthored(
            you_id=f"you:{self.name('you')}", name="N", pronouns="", persona="", is_default=default
        )
        self.do([library(you)])

    @rule(entity=entities, number=st.integers(0, 3))
    def portrait(self, entity: str, number: int) -> None:
        self.do(portraits.change(self.live.library, entity, str(number) if number else ""))

    @rule(chat=chat_ids, share=shares)
    def play_as_another(self, chat: str, share: float) -> None:
        people = list(self.live.library.people.values())
        self.do(chats.play_as(self.live.library.chats[chat], people[int(share * (len(people) - 1))]))

    # The store

    @rule(chat=chat_ids)
    def refused(self, chat: str) -> None:
        """A command that fails half-way leaves no trace, in memory or on disk."""
        before = rows_of(self.live.conn), self.live.head, self.live.library
        branch, step = self.tip(chat)
        stray = stories.felt(chat, "no such branch", 1, 1)

        def fail(state: State) -> list[NewEvent]:
            state.world(chat)
            raise Refused("No.")

        for decide in (fail, lambda state: [*stories.felt(chat, branch, step, 9), *stray]):
            try:
                self.live.command(decide, None, None)
            except Exception:  # noqa: BLE001 - whatever it is, nothing may have changed
                pass
            else:
                raise AssertionError("It should have failed.")
        assert (rows_of(self.live.conn), self.live.head, self.live.library) == before

    @rule()
    def forget_what_is_in_memory(self) -> None:
        self.live.worlds.clear()

    @rule()
    def close_and_open(self) -> None:
        before = rows_of(self.live.conn), self.live.head, self.live.library, self.live.ledger
        self.live.close()
        self.open()
        assert self.live.fault is None
        assert (rows_of(self.live.conn), self.live.head, self.live.library, self.live.ledger) == before

    @rule()
    def write_every_row_anew(self) -> None:
        before = rows_of(self.live.conn)
        self.live.replace_mirror(lambda conn: rebuild(conn, fingerprint()))
        assert rows_of(self.live.conn) == before
