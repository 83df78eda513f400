"""Reads the long conversations recall is measured on and plays them: one bot that witnessed everything, one player.

The set is for measuring only: it is read from where the caller says, and nothing made from it is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from chat.clock import Clock
from chat.domain import memories
from chat.domain.events import (
    BotAuthored,
    ChatCreated,
    ClockAdvanced,
    NewEvent,
    SceneClosed,
    SceneOpened,
    StoryPayload,
    UserTurn,
    YouAuthored,
    library,
    story,
)
from chat.domain.segments import Segment
from chat.domain.turns import Turn

FILE = "conversations.json"
CHAT, BRANCH, CONTINUITY = "chat", "branch", "main"
YOU, BOT = "you:1", "bot"


class Spoken(msgspec.Struct, frozen=True):
    i: int
    session: int
    speaker: str
    date: str
    text: str


class Asked(msgspec.Struct, frozen=True):
    text: str
    category: str
    evidence: tuple[int, ...]


class Conversation(msgspec.Struct, frozen=True):
    id: str
    speakers: tuple[str, str]
    turns: tuple[Spoken, ...]
    questions: tuple[Asked, ...]


def read(folder: Path) -> list[Conversation]:
    return msgspec.json.decode((folder / FILE).read_bytes(), type=list[Conversation])


def cast(talk: Conversation) -> list[NewEvent]:
    """The first speaker is the player, the second the bot that remembers."""
    you, bot = talk.speakers
    return [
        library(YouAuthored(you_id=YOU, name=you, pronouns="", persona="")),
        library(BotAuthored(bot_id=BOT, name=bot, persona="")),
        library(ChatCreated(chat_id=CHAT, branch_id=BRANCH, title=talk.id, bot_ids=(BOT,), you_id=YOU)),
    ]


def played(talk: Conversation, by_turn: bool) -> Iterator[list[NewEvent]]:
    """The story, a session a scene. Memories are written by the product's own rule, one for each exchange; `by_turn`
    makes each entry an exchange of its own, because the set says which turns hold an answer."""
    step, new_id = 0, Clock(seed=1).new_id
    for session, spoken in groupby(talk.turns, key=lambda one: one.session):
        turns = [_turn(talk, one, f"scene-{session}") for one in spoken]
        begun = turns[0].at
        yield _story(step, [ClockAdvanced(at=begun, prior="", reason="bench"), _opened(session, begun)])
        for exchange in _exchanges(turns, by_turn):
            step += 1
            written = memories.of_exchange(exchange, CONTINUITY, talk_names(talk), new_id, {})
            yield _story(step, [*map(_said, exchange), *written])
        yield _story(step, [SceneClosed(scene_id=f"scene-{session}", at=begun, reason="bench")])


def talk_names(talk: Conversation) -> Names:
    return Names(talk)


class Names:
    """The names of the two."""

    def __init__(self, talk: Conversation) -> None:
        self._names = dict(zip((YOU, BOT), talk.speakers, strict=True))

    def __call__(self, entity: str) -> str:
        return self._names[entity]


def _exchanges(turns: Sequence[Turn], by_turn: bool) -> Iterator[list[Turn]]:
    """What stands up to and with each entry of the bot; words of the player nobody answered end with the session."""
    waiting: list[Turn] = []
    for number, turn in enumerate(turns):
        waiting.append(turn)
        following = turns[number + 1].speaker if number + 1 < len(turns) else ""
        if by_turn or not following or (turn.speaker == BOT and following != BOT):
            yield waiting
            waiting = []


def _turn(talk: Conversation, spoken: Spoken, scene_id: str) -> Turn:
    return Turn(
        id=f"{spoken.i:06}",
        chat_id=CHAT,
        branch_id=BRANCH,
        step=spoken.i,
        role="user",
        speaker=YOU if spoken.speaker == talk.speakers[0] else BOT,
        text=spoken.text,
        segments=(Segment("dialogue", spoken.text),),
        present=(BOT, YOU),
        scene_id=scene_id,
        at=f"{spoken.date}Z",
    )


def _said(turn: Turn) -> UserTurn:
    return UserTurn(
        turn_id=turn.id,
        speaker=turn.speaker,
        text=turn.text,
        segments=turn.segments,
        present=turn.present,
        scene_id=turn.scene_id,
        at=turn.at,
    )


def _opened(session: int, at: str) -> SceneOpened:
    return SceneOpened(scene_id=f"scene-{session}", container_id="", participants=(BOT, YOU), at=at)


def _story(step: int, payloads: Sequence[StoryPayload]) -> list[NewEvent]:
    return story(CHAT, BRANCH, step, *payloads)
