"""What the narrator knows before a turn is heard: who speaks, where, when, and what the story carries.

All of it is read from the request's own messages, so two stories can never mix.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from chat.demo.lexicon import word_set
from chat.demo.movement import in_prose, walk_in
from chat.demo.prompt import Prompt

_NAME = re.compile(r"^\W*You are (?P<name>[^\W\d_][^\n.,;:(]{0,58}?)(?=[.,;:(\n]|$| who | and | the )", re.M)
_PLACE = re.compile(r"^\W*Place(?: name)?\W*?:\W*(?P<place>[^\n;(]+)", re.M | re.I)
_TIME = re.compile(r"^\W*(?:Time|Now|Date|Clock)\W*?:\W*(?P<time>[^\n]+)", re.M | re.I)
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\b(?:\s*([ap])\.?m)?|\b(\d{1,2})\s*([ap])\.?m\b", re.I)
_HOURS = (
    ("night", r"midnight|night|small hours"),
    ("morning", r"dawn|sunrise|morning|daybreak"),
    ("evening", r"evening|dusk|sunset|twilight"),
    ("day", r"noon|day|afternoon"),
)
NOBODY = "the stranger"  # what a bot is called that was given no name
_TURNS_BACK = 60  # beyond that the system prompt has long been told of a walk
_UNTIL = ((5, "night"), (11, "morning"), (17, "day"), (22, "evening"), (24, "night"))
_CHARACTER = re.compile(r"<character>(.*?)</character>", re.S)
_NOT_OF_THE_BOT = re.compile(
    r"^\W*(?:place|time|the player|player|you are talking|with you|about \w+:)", re.I | re.M
)
_NOT_NAMES = word_set("a an in at not playing now")
_TITLES = word_set("""
captain dr doctor mr mrs ms miss lady lord sir professor queen king prince princess sister brother father
mother aunt uncle saint master mistress commander sergeant lieutenant agent detective inspector dame madam
""")
_EPITHETS = word_set("Old Young Black White Red Grey Gray Big Little Mad The Granny Grandma")
_PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "his", "him"), "they": ("they", "their", "them")}


@dataclass(frozen=True)
class Stage:
    """`hour` is night, morning, day, evening or "" when unknown; the keys choose what stays with a bot
    and with a story.

    `walked` counts the player's turns since the last walk to another place, None when there was none.
    """

    name: str
    short_name: str
    pronouns: tuple[str, str, str]
    place: str
    walked: int | None
    hour: str
    time: str
    bot_key: int
    story_key: int


def set_stage(prompt: Prompt) -> Stage:
    first = prompt.said[0].text if prompt.said else ""
    full_name = bot_name(prompt.told)
    name = re.sub(r"^The ", "the ", full_name)
    place, walked = _place_now(prompt, name)
    time = _line(_TIME, prompt.told)
    return Stage(
        name=name or NOBODY,
        short_name=_short(name) or NOBODY,
        pronouns=_PRONOUNS[_pronoun(prompt.told, first, full_name)],
        place=place,
        walked=walked,
        hour=_hour(time),
        time=_spoken_time(time),
        bot_key=_key(name),
        story_key=_key(f"{name}\0{first}"),
    )


def _key(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:6], "big")


def bot_name(system: str) -> str:
    """The name a system prompt gives the bot, or ""; "You are a sailor." names nobody."""
    for found in _NAME.finditer(system):
        name = found["name"].strip(" *_\"'")
        if not name or (name[0].islower() and name[0].isascii()):
            continue
        if name.split()[0].lower() not in _NOT_NAMES and (name[:4] != "The " or name.istitle()):
            return name
    return ""


def _line(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1].strip(" *_`") if found else ""


def _place_now(prompt: Prompt, name: str) -> tuple[str, int | None]:
    for since, text in enumerate(reversed(prompt.turns[-_TURNS_BACK:])):
        walk = walk_in(text[:1500])
        if walk:
            return walk.place.replace("@", f"{_short(name) or NOBODY}'s"), since
    return in_prose(_line(_PLACE, prompt.told)), None


def _short(name: str) -> str:
    """What a friend calls a bot: "Captain Idris Vale" is Idris, "Mr Finch" stays Mr Finch."""
    words = name.split()
    if len(words) > 1 and words[0].lower().rstrip(".") in _TITLES:
        return words[1] if len(words) > 2 and words[1][:1].isupper() else name
    return words[0] if len(words) > 1 and words[1][:1].isupper() and words[0] not in _EPITHETS else name


def _hour(time: str) -> str:
    found = _CLOCK.search(time)
    if found:
        hour = int(found[1] or found[4]) % 24
        half = (found[3] or found[5] or "").lower()
        hour = hour % 12 + 12 if half == "p" else hour % 12 if half == "a" else hour
        return next(part for until, part in _UNTIL if hour < until)
    low = time.lower()
    return next((part for part, pattern in _HOURS if re.search(pattern, low)), "")


def _spoken_time(time: str) -> str:
    found = _CLOCK.search(time)
    if found:
        return found[0].strip()
    return {"night": "the middle of the night", "morning": "early", "day": "the middle of the day"}.get(
        _hour(time), "getting on for evening"
    )


def _pronoun(system: str, opening: str, name: str) -> str:
    """Counted only where the text is surely about the bot; "they" when it does not say."""
    tagged = _CHARACTER.search(system)
    about = tagged[1] if tagged else system[system.find(name) :][:1500] if name else ""
    cut = None if tagged else _NOT_OF_THE_BOT.search(about)
    about = about[: cut.start()] if cut else about
    near = re.findall(rf"\b{re.escape(name)}\b[^.!?\n]{{0,80}}", opening + "\n" + system) if name else []
    words = re.findall(r"[a-z]+", f"{about} {' '.join(near)}".lower())
    she = sum(words.count(w) for w in ("she", "her", "hers", "herself"))
    he = sum(words.count(w) for w in ("he", "his", "him", "himself"))
    return "she" if she > he else "he" if he > she else "they"
