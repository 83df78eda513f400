"""Keeps notes on a story by small keyword rules: what an exchange changed, and what is kept of a whole scene.

It cites the line it goes by and never notes what no line says; feelings move by a step or two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from chat.demo.lexicon import STOPWORDS
from chat.demo.listening import plain_text, sentences
from chat.demo.moods import mood_of
from chat.demo.movement import Walk, in_prose, walk_in
from chat.demo.prompt import Message

_LINES = re.compile(r"<lines>\s*(?P<lines>.*?)\s*</lines>", re.S)
_LINE = re.compile(r"^\[(?P<number>\d+)\]\s*(?P<name>[^:\n]{1,80}):\s*(?P<words>.*)$", re.M)
_NAMES = re.compile(r"^Names: (?P<names>.+)\.$", re.M)
_SEEN = re.compile(r"<seen>\s*(?P<seen>.*?)\s*</seen>", re.S)
_OWNER = re.compile(r"You write down what (?P<owner>.+?) keeps of a scene")
_PLACE = re.compile(r"^Place: (?P<place>.+?)\.?$", re.M)
_SPOKEN = re.compile(r"^(?P<name>[^:\n]{1,80}):\s*(?P<words>.+)$", re.M)
_SELF = re.compile(
    r"\b(?:I am|I'm|I was|I come from|I live|I work|my (?:name|brother|sister|mother|father|wife|husband|son|"
    r"daughter|home|job|ship|boat|town|village|plan) (?:is|was|are|were))\b[^.!?\n\"*]{3,120}",
    re.I,
)
_CONFESSES = re.compile(r"\b(?:secret|never told|confess|truth is|nobody knows|trust you with)\b", re.I)
_MOVES: dict[str, tuple[int, int, str]] = {
    "promise": (1, 3, "was given a promise"),
    "thanks": (2, 1, "was thanked"),
    "sorry": (1, 2, "was told sorry"),
    "give": (2, 1, "was offered something"),
    "take": (-1, -2, "saw something taken"),
    "warm": (3, 2, "was met with warmth"),
    "care": (1, 2, "was let in on a sorrow"),
    "joke": (2, 0, "was made to laugh"),
    "laugh": (2, 0, "shared a laugh"),
    "greeting": (1, 0, "was greeted kindly"),
    "refuse": (-1, -1, "was turned down"),
    "danger": (0, 1, "stood through a danger together"),
}
_FROM_SOMEBODY = re.compile(
    r"\b(?:from|out of|off) (?:you|your|her|his|him)\b|\b(?:steal|stole|grab|pocket)", re.I
)
"""What is accepted, borrowed or the player's own takes nothing from anybody."""
_WEIGHTY = ("promise", "care", "danger", "warm")
_SLIGHT = ("greeting", "farewell", "thanks", "agree", "ask_time", "ask_where_here", "ask_wellbeing")
_MINUTES_TALK, _MINUTES_WALK, _WORDS_PER_MINUTE = 2, 15, 70


class Line(NamedTuple):
    number: int
    name: str
    words: str


def read_digest(messages: Sequence[Message]) -> dict[str, Any]:
    """What the lines changed. The last speaker is the bot, everybody before it the player."""
    lines = _lines(messages)
    if not lines:
        return {}
    bot = lines[-1].name
    mine = [line for line in lines if line.name != bot]
    said = " ".join(line.words for line in mine)
    walk = walk_in(said)
    mood = mood_of(plain_text(said), plain_text(said).lower().split(), said) if said.strip() else "statement"
    words = sum(len(line.words.split()) for line in lines)
    return {
        "feelings": _feelings(bot, mine, mood),
        "facts": _facts(bot, mine),
        "activities": [],
        "minutes": _MINUTES_WALK if walk else _MINUTES_TALK + words // _WORDS_PER_MINUTE,
        "minutes_cites": [line.number for line in lines],
        "weather": "",
        "significance": _significance(said, mood, walk),
        "scene": _scene(walk, mine, _names(messages)),
    }


def read_scene(messages: Sequence[Message]) -> dict[str, Any]:
    """What one witness keeps of a scene, in the words of those who spoke."""
    whole = "\n".join(message.text for message in messages)
    owner_found, place_found, seen_found = _OWNER.search(whole), _PLACE.search(whole), _SEEN.search(whole)
    if owner_found is None or seen_found is None:
        return {}
    owner, place = owner_found["owner"], place_found["place"] if place_found else "there"
    spoken = [(found["name"], found["words"]) for found in _SPOKEN.finditer(seen_found["seen"])]
    others = [(name, words) for name, words in spoken if name != owner and sentences(words)]
    if not others:
        return {"memory": f"It was quiet at {place}, and {owner} was there for it.", "significance": 0}
    player = others[-1][0]
    first, last = _said(others[0][1]), _said(others[-1][1])
    memory = f"At {place}, {others[0][0]} began with “{first}”"
    memory += f" and ended with “{last}”." if last != first else "."
    memory += f" {owner} was there for all of it."
    summary = f"{player} stayed for {_counted(len(others))} and asked for nothing back."
    return {
        "memory": memory,
        "significance": 2 if any(_CONFESSES.search(words) for _, words in others) else 1,
        "feelings": [{"target": player, "summary": summary}],
    }


def _lines(messages: Sequence[Message]) -> list[Line]:
    for message in reversed(messages):
        if found := _LINES.search(message.text):
            return [
                Line(int(one["number"]), one["name"].strip(), one["words"])
                for one in _LINE.finditer(found["lines"])
            ]
    return []


def _names(messages: Sequence[Message]) -> list[str]:
    for message in reversed(messages):
        if found := _NAMES.search(message.text):
            return [name.strip() for name in found["names"].split(",")]
    return []


def _feelings(bot: str, mine: Sequence[Line], mood: str) -> list[dict[str, Any]]:
    if mood not in _MOVES or not mine:
        return []
    if mood == "take" and not _FROM_SOMEBODY.search(" ".join(line.words for line in mine)):
        return []
    affinity, trust, reason = _MOVES[mood]
    cites = [mine[-1].number]
    told = {"affinity": affinity, "trust": trust, "reason": reason, "cites": cites}
    return [{"source": bot, "target": mine[-1].name, **told}]


def _facts(bot: str, mine: Sequence[Line]) -> list[dict[str, Any]]:
    facts = []
    for line in mine:
        for found in list(_SELF.finditer(line.words))[:2]:
            text = f"{line.name} said: “{found[0].strip(' ,;')}”"
            facts.append({"owner": bot, "about": line.name, "text": text, "cites": [line.number]})
    return facts


def _significance(said: str, mood: str, walk: Walk | None) -> int:
    if _CONFESSES.search(said):
        return 3 if mood in _WEIGHTY else 2
    if mood in _WEIGHTY:
        return 2
    heavy = [word for word in plain_text(said).lower().split() if word not in STOPWORDS]
    return 0 if walk is None and (mood in _SLIGHT or len(heavy) < 3) else 1


def _scene(walk: Walk | None, mine: Sequence[Line], names: Sequence[str]) -> dict[str, Any]:
    if walk is None or not mine:
        return {"ended": False}
    line = next((one for one in mine if walk_in(one.words)), mine[-1])
    return {
        "ended": True,
        "why": "left_place",
        "next_place": in_prose(walk.place),
        "next_place_type": "place",
        "moved": list(names),
        "cites": [line.number],
    }


def _said(words: str) -> str:
    """The first sentence of somebody's words as it was written, short enough to quote."""
    plain = " ".join(words.replace("*", " ").split()).strip("\"“”' ")
    return re.split(r"(?<=[.!?…])\s", plain)[0].strip("\"“”' ").rstrip(".")[:120]


def _counted(count: int) -> str:
    return "one exchange" if count == 1 else f"{count} exchanges"
