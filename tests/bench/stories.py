"""Makes long stories for measuring, through the program's own events, chain and fold, and keeps them in a temp folder.

The log is appended in bulk with the store's own `append`, so the chain is whole; the mirror is then written by the
store's own rebuild. A kept story is used again only while the shape of events and tables stays the same.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from chat.clock import Clock
from chat.domain import events, exchange, kickoff
from chat.domain.bots import Bot
from chat.domain.chats import Chat
from chat.domain.events import (
    BotAuthored,
    DigestFinished,
    EdgeUpdate,
    ModelCallFinished,
    NewEvent,
    YouAuthored,
    ledger,
    library,
    story,
)
from chat.domain.exchange import Ending, Moment
from chat.domain.kickoff import KickoffDraft
from chat.domain.people import Person
from chat.domain.segments import Segment, parse_segments
from chat.domain.turns import Turn
from chat.settings import Settings, load_settings
from chat.store import log
from chat.store.chain import SALT_BYTES
from chat.store.fingerprint import fingerprint
from chat.store.live import Live
from chat.store.migrate import shipped
from chat.store.start import open_live, rebuild_live

EVENTS_OF_AN_EXCHANGE = 8
"""Entry, reply begun, reply, memory, model call; then a feeling, the digest's end and its call."""
_RECIPE = "2"
"""To be changed with what the stories are made of."""
_EXCHANGES_IN_A_BATCH = 2_000
_TEXTS = 1_500
_WORDS = 12_000
_SENTENCE = 11
_COMMON = """
a about after again all also an and any are as at be because been before but by can could did do for from get got had
has have he her here him his how i if in into is it just like me more my no not now of off on one or our out over own
said say she should so some such than that the their them then there these they this those to too up us very was we
well were what when where which while who why will with would yes you your
"""
_SYLLABLES = """
ba be bo da de do fa fe ga go ha ka ke ki la le li lo ma me mi na ne no pa po ra re ri ro sa se so ta te ti vo wa
"""


class Text(NamedTuple):
    text: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Story:
    """A data folder with chats of so many turns each. `chats` are their ids, in that order."""

    folder: Path
    chats: tuple[str, ...]
    events: int

    @property
    def settings(self) -> Settings:
        return load_settings(data_dir=self.folder)

    @property
    def database(self) -> Path:
        return self.settings.db_path

    def copy_to(self, folder: Path) -> Story:
        """The same story elsewhere, so that writing to it changes nothing that is kept."""
        shutil.copytree(self.folder, folder)
        return Story(folder, self.chats, self.events)


def shelf() -> Path:
    """Where made stories are kept between runs of the same program."""
    recipe = hashlib.sha256(_RECIPE.encode())
    for file in sorted(Path(events.__path__[0]).glob("*.py")):
        recipe.update(file.read_bytes())
    for migration in shipped():
        recipe.update(migration.checksum.encode())
    return Path(tempfile.gettempdir()) / f"chat-bench-{recipe.hexdigest()[:12]}"


def story_of_turns(*turns: int) -> Story:
    """A log with one chat for each number of turns, made now or taken from the shelf."""
    counted = {count: turns.count(count) for count in turns}
    name = "-".join(f"{count}" if times == 1 else f"{times}x{count}" for count, times in counted.items())
    folder = shelf() / f"{name}-turns"
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, turns)
    *chats, count, folded_by = (folder / "made").read_text("utf-8").split()
    story = Story(folder, tuple(chats), int(count))
    if folded_by != fingerprint():  # opening it writes the mirror anew
        open_live(story.settings, Clock(), read_only=False, warn=lambda _: None).close()
        _sign(story)
    return story


def _sign(story: Story) -> None:
    (story.folder / "made").write_text(" ".join([*story.chats, str(story.events), fingerprint()]), "utf-8")


def story_of_events(count: int, chats: int = 1) -> Story:
    """A log of about so many events, spread evenly over some chats."""
    return story_of_turns(*[2 * (count // chats // EVENTS_OF_AN_EXCHANGE)] * chats)


@dataclass
class Cast:
    """Who plays: one player and two bots that take turns as hosts."""

    you: Person
    bots: tuple[Bot, ...]
    clock: Clock
    names: dict[str, str] = field(default_factory=dict)

    def name_of(self, entity: str) -> str:
        return self.names.get(entity, "Narrator")


@dataclass
class Line:
    """One chat while it is being made: where its next entry stands."""

    chat: Chat
    scene_id: str
    step: int
    present: tuple[str, ...]

    def next_moment(self) -> Moment:
        self.step += 1
        return Moment(self.chat.branch_id, self.step, self.scene_id, "2026-11-20T19:00:00Z", self.present)


class Words:
    """Texts of about the length real turns have: half common words, half from a long tail."""

    def __init__(self, seed: int = 11) -> None:
        self._random = random.Random(seed)
        syllables = _SYLLABLES.split()
        known = {
            "".join(self._random.choices(syllables, k=self._random.choice((2, 3)))) for _ in range(2 * _WORDS)
        }
        self._rare = sorted(known)[:_WORDS]
        self._random.shuffle(self._rare)
        self._weights = list(accumulate(1 / (rank + 8) for rank in range(len(self._rare))))
        self._common = _COMMON.split()
        self.said = [self._text(4) for _ in range(_TEXTS)]
        self.told = [self._text(10) for _ in range(_TEXTS)]

    def _text(self, sentences: int) -> Text:
        parts = [self._sentence() for _ in range(sentences)]
        parts[0] = f"*{parts[0]}*"
        parts[1:3] = [f'"{part}"' for part in parts[1:3]]
        text = " ".join(parts)
        return Text(text, parse_segments(text))

    def _sentence(self) -> str:
        half = _SENTENCE // 2
        words = self._random.choices(self._common, k=half)
        words += self._random.choices(self._rare, cum_weights=self._weights, k=_SENTENCE - half)
        self._random.shuffle(words)
        return " ".join(words).capitalize() + "."


def _make(folder: Path, turns: Sequence[int]) -> None:
    settings = load_settings(data_dir=folder)
    settings.ensure_folders()
    clock = Clock(seed=7)
    live = open_live(settings, clock, read_only=False, warn=lambda _: None)
    live.conn.execute("pragma synchronous = off")
    words, chance = Words(), random.Random(3)
    cast, lines = begin_story(live, len(turns))
    for line, count in zip(lines, turns, strict=True):
        _append(live, _exchanges(cast, line, words, chance, count))
    rebuild_live(live)
    live.note_head()
    live.conn.execute("pragma synchronous = full")
    count = live.head.id
    live.close()
    _sign(Story(folder, tuple(line.chat.id for line in lines), count))


def begin_story(live: Live, chats: int) -> tuple[Cast, list[Line]]:
    """One player, two bots, and chats that have just been kicked off, on the live path."""
    cast = _cast(live, live.clock)
    return cast, [_begin(live, cast, cast.bots[number % len(cast.bots)]) for number in range(chats)]


def _cast(live: Live, clock: Clock) -> Cast:
    you_id = f"you:{clock.new_id()}"
    bots = [clock.new_id(), clock.new_id()]
    authored = [
        library(YouAuthored(you_id=you_id, name="Alex", pronouns="they", persona="A patient traveller."))
    ]
    for bot_id, name in zip(bots, ("Mira", "Tomas"), strict=True):
        authored.append(
            library(
                BotAuthored(bot_id=bot_id, name=name, persona="Keeps the light and counts the ships. " * 4)
            )
        )
    live.append_after(live.head, authored)
    made = live.library
    cast = Cast(made.people[you_id], tuple(made.bots[one] for one in bots), clock)
    cast.names = {bot.id: bot.name for bot in cast.bots} | {you_id: cast.you.name}
    return cast


def _begin(live: Live, cast: Cast, bot: Bot) -> Line:
    draft = KickoffDraft(
        draft_id=cast.clock.new_id(),
        bot_id=bot.id,
        you_id=cast.you.id,
        title=f"A story with {bot.name}",
        prose="The quay at dusk.",
        place_name="the old quay",
        start_at="2026-11-20T19:00:00Z",
        opening="The quay smells of tar and rain.",
    )
    started = kickoff.confirm(draft, bot, {}, cast.clock.new_id)
    live.append_after(live.head, started.events)
    chat = live.library.chats[started.chat_id]
    state = live._world(chat.id).state
    return Line(chat, state.scene_id or "", state.head_step, state.present)


def _exchanges(
    cast: Cast, line: Line, words: Words, chance: random.Random, turns: int
) -> Iterator[list[NewEvent]]:
    for _ in range(turns // 2):
        yield one_exchange(cast, line, chance.choice(words.said), chance.choice(words.told))


def one_exchange(cast: Cast, line: Line, said: Text, told: Text) -> list[NewEvent]:
    """The events of the player's entry and its reply, as the engine makes them."""
    new_id, bot = cast.clock.new_id, line.chat.bot_ids[0]
    turn_id, reply_id, call_id = new_id(), new_id(), new_id()
    moment = line.next_moment()
    entry = exchange.say(line.chat, moment, turn_id, said.text, said.segments, new_id())
    asked = Turn(
        id=turn_id,
        chat_id=line.chat.id,
        branch_id=moment.branch_id,
        step=moment.step,
        role="user",
        speaker=cast.you.id,
        text=said.text,
        segments=said.segments,
        present=moment.present,
    )
    moment = line.next_moment()
    how: dict[str, Any] = {"endpoint": "bench", "model": "bench", "seed": 1, "prompt_hash": "0" * 64}
    begun = exchange.start(line.chat.id, moment, reply_id, bot, reply_to=turn_id, manifest=MANIFEST, **how)
    ending = Ending(text=told.text, segments=told.segments, model="bench", call_id=call_id)
    reply = exchange.finish(line.chat.id, moment, reply_id, bot, turn_id, ending)
    kept = exchange.remember(line.chat, moment, [asked], reply, cast.name_of, new_id, {})
    return [
        *entry,
        *begun,
        *exchange.story_of(line.chat.id, moment, reply),
        *kept,
        ledger(_call(call_id, line.chat.id, reply_id, "narrate")),
        *story(line.chat.id, moment.branch_id, moment.step, *_digested(cast, bot, reply_id, moment.step)),
        ledger(_call(new_id(), line.chat.id, reply_id, "digest")),
    ]


def _digested(cast: Cast, bot: str, reply_id: str, step: int) -> tuple[EdgeUpdate, DigestFinished]:
    """A feeling that goes up and down, and the end of the digest."""
    moved = EdgeUpdate(
        source=bot,
        target=cast.you.id,
        affinity_delta=1 if step % 4 else -1,
        trust_delta=0,
        reason="A kind word came at the right moment.",
        turn_id=reply_id,
    )
    return moved, DigestFinished(turn_id=reply_id, outcome="ok")


def _call(call_id: str, chat_id: str, turn_id: str, purpose: str) -> ModelCallFinished:
    return ModelCallFinished(
        call_id=call_id,
        chat_id=chat_id,
        turn_id=turn_id,
        purpose=purpose,
        endpoint="bench",
        model_asked="bench",
        model_answered="bench",
        attempts=1,
        status="ok",
        stop_cause="stop",
        prompt_tokens=5_400,
        completion_tokens=140,
        is_estimate=False,
        duration_ms=1_500.0,
        first_token_ms=40.0,
    )


MANIFEST: dict[str, Any] = {
    "prompts": {"narrate_system": 1, "narrate_volatile": 1},
    "total_tokens": 5_400,
    "hard_tokens": 7_600,
    "soft_tokens": 6_000,
    "sections": [
        {"name": name, "tier": "must", "where": "system", "tokens": 90, "trimmed": False, "clipped": False}
        for name in ("identity", "persona", "you", "place", "now", "feelings", "memories")
    ],
    "memories": [{"memory_id": "0" * 26, "score": 0.02, "why": "mentions the quay", "used": True}] * 4,
    "history_from": "0" * 26,
    "turns": 52,
    "turns_tokens": 4_800,
    "turns_left_out": [],
    "player_tokens": 50,
    "withheld": [],
}


def _append(live: Live, exchanges: Iterator[list[NewEvent]]) -> None:
    """Straight into the log, many exchanges a transaction; the mirror follows by a rebuild."""
    batch: list[list[NewEvent]] = []
    for exchanged in exchanges:
        batch.append(exchanged)
        if len(batch) == _EXCHANGES_IN_A_BATCH:
            _write(live, batch)
            batch.clear()
    _write(live, batch)


def _write(live: Live, batch: Sequence[Sequence[NewEvent]]) -> None:
    live.conn.execute("begin immediate")
    for new in batch:
        salts = live.clock.random_bytes(SALT_BYTES * len(new))
        _, live.head = log.append(live.conn, live.head, new, live.clock.timestamp(), None, salts)
    live.conn.execute("commit")
