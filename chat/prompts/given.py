"""What a prompt is made from, and how large it may be. Everything here was already filtered to what the bot knows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Budget(msgspec.Struct, frozen=True):
    """Tokens the prompt may have, the room for the reply already taken off. Over `hard`, it is cut to `soft`.

    `most` is what the model reads where that is more: room for a long text, not for a longer story.

    `memory` is the most one recalled memory may have, `memories` and `facts` the most of all together: they stand
    behind everything a server can keep, so each of their tokens is read anew for each reply.
    """

    hard: int
    soft: int
    memory: int = 120
    memories: int = 120
    facts: int = 100
    most: int = 0


class PromptTurn(msgspec.Struct, frozen=True):
    """One entry as the bot witnessed it (`witnessed_text`). `tokens` saves counting it again."""

    turn_id: str
    speaker: str
    speaker_name: str
    is_you: bool
    text: str
    tokens: int | None = None


class PromptMemory(msgspec.Struct, frozen=True):
    """One memory of the bot, with the score that chose it and the reason in words; `left_out`: why it is not told."""

    memory_id: str
    text: str
    score: float
    why: str
    left_out: str = ""


class Feeling(msgspec.Struct, frozen=True):
    """How the bot feels about the player: both values 0 to 100, 50 is neutral."""

    affinity: int = 50
    trust: int = 50
    summary: str = ""
    facts: tuple[str, ...] = ()


class PromptInput(msgspec.Struct, frozen=True, kw_only=True):
    """`clock_text` is absolute ("Friday 20 November 2026, 21:40"). `player_words` None: the bot speaks unasked.

    `takes_notes`: the model that replies is asked afterwards what the exchange changed.
    `turns` and `memories` are oldest first and best first; `passed_over` came close;
    `withheld` says what was kept from the bot, and why.
    `summaries` are its memories of whole scenes that `turns` do not show, oldest first.
    `direction` is what the player tells this reply to bring about, `author_note` what every reply of the chat heeds.
    Of the player only name, pronouns and `you_appearance` are told, never the persona.
    """

    bot_id: str
    bot_name: str
    persona: str = ""
    appearance: str = ""
    voice_samples: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    backstory: str = ""
    initial_relationship_to_you: str = ""
    you_name: str
    you_pronouns: str = ""
    you_appearance: str = ""
    place: str = ""
    place_facts: str = ""
    clock_text: str = ""
    weather: str = ""
    people_present: tuple[str, ...] = ()
    activities: tuple[tuple[str, str], ...] = ()
    feeling: Feeling = Feeling()
    memories: Sequence[PromptMemory] = ()
    passed_over: Sequence[PromptMemory] = ()
    turns: Sequence[PromptTurn] = ()
    player_words: str | None = None
    withheld: tuple[tuple[str, str], ...] = ()
    summaries: Sequence[PromptMemory] = ()
    direction: str = ""
    author_note: str = ""
    author_note_first: bool = False
    takes_notes: bool = False
