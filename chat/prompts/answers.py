"""The shapes of structured answers. Whatever a model sends in a field is clipped into range rather than refused.

An answer is a suggestion: the player sees and can change every field before anything happens.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

NAME_CHARS = 80
PHRASE_CHARS = 160
SENTENCE_CHARS = 400
OPENING_CHARS = 8_000
MOST_MINUTES = 7 * 24 * 60


def _text(limit: int) -> BeforeValidator:
    def clip(value: Any) -> str:
        if isinstance(value, list):
            value = ", ".join(str(item) for item in value)
        words = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
        return words.replace("\x00", "").strip()[:limit].rstrip()

    return BeforeValidator(clip)


def _texts(most: int, limit: int) -> BeforeValidator:
    def clip(value: Any) -> list[str]:
        items = value if isinstance(value, list) else value.split(",") if isinstance(value, str) else []
        words = [item.replace("\x00", "").strip()[:limit].rstrip() for item in items if isinstance(item, str)]
        return [item for item in words if item][:most]

    return BeforeValidator(clip)


def _number(low: int, high: int, otherwise: int | None) -> BeforeValidator:
    def clip(value: Any) -> int | None:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return otherwise
        return int(min(max(number, low), high)) if number == number else otherwise  # NaN is not itself

    return BeforeValidator(clip)


def _flag(otherwise: bool) -> BeforeValidator:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return BeforeValidator(lambda value: words.get(str(value).strip().lower(), otherwise))


def _one_of(*words: str, otherwise: str) -> BeforeValidator:
    return BeforeValidator(lambda value: word if (word := str(value).strip().lower()) in words else otherwise)


Name = Annotated[str, _text(NAME_CHARS)]
Phrase = Annotated[str, _text(PHRASE_CHARS)]
Sentence = Annotated[str, _text(SENTENCE_CHARS)]
Opening = Annotated[str, _text(OPENING_CHARS)]
Audible = Annotated[
    Literal["none", "near", "room", "far"], _one_of("none", "near", "room", "far", otherwise="room")
]
Level = Annotated[Literal["low", "medium", "high"], _one_of("low", "medium", "high", otherwise="low")]
Degree = Annotated[int, _number(0, 100, 50)]
Minutes = Annotated[int | None, _number(0, MOST_MINUTES, None)]


class _Answer(BaseModel):
    # Built when the first answer comes: a start needs none of them, and they are many.
    model_config = ConfigDict(extra="ignore", defer_build=True)


class PlaceAnswer(_Answer):
    name: Name = ""
    type: Name = ""
    moving: Annotated[bool, _flag(False)] = False
    public: Annotated[bool, _flag(False)] = False
    audible_range: Audible = "room"


class ActivityAnswer(_Answer):
    posture: Name = ""
    action: Phrase = ""
    attention: Phrase = ""
    holding: Annotated[list[str], _texts(6, NAME_CHARS)] = []
    interruptible: Annotated[bool, _flag(True)] = True
    required_attention: Level = "low"
    expected_minutes: Minutes = None


def _part(kind: type[_Answer]) -> BeforeValidator:
    return BeforeValidator(lambda value: value if isinstance(value, dict | kind) else {})


class KickoffAnswer(_Answer):
    """What a model read out of kickoff prose. `start_time` is local ISO 8601, or "" when the prose has none."""

    place: Annotated[PlaceAnswer, _part(PlaceAnswer)] = Field(default_factory=PlaceAnswer)
    start_time: Annotated[str, _text(32)] = ""
    you: Annotated[ActivityAnswer, _part(ActivityAnswer)] = Field(default_factory=ActivityAnswer)
    bot: Annotated[ActivityAnswer, _part(ActivityAnswer)] = Field(default_factory=ActivityAnswer)
    feeling_summary: Sentence = ""
    facts: Annotated[list[str], _texts(6, PHRASE_CHARS)] = []
    affinity: Degree = 50
    trust: Degree = 50
    opening: Opening = ""


def _numbers(most: int) -> BeforeValidator:
    def clip(value: Any) -> list[int]:
        items = value if isinstance(value, list) else [value]
        return [int(one) for one in items if str(one).strip().lstrip("-").isdecimal()][:most]

    return BeforeValidator(clip)


Cites = Annotated[list[int], _numbers(40)]
Change = Annotated[int, _number(-100, 100, 0)]


class FeelingAnswer(_Answer):
    """A changed feeling of one toward another."""

    source: Name
    target: Name
    affinity: Change = 0
    trust: Change = 0
    reason: Sentence = ""
    cites: Cites = []


class FactAnswer(_Answer):
    """Something somebody learned."""

    owner: Name
    about: Name = ""
    text: Sentence
    cites: Cites = []


class DoingAnswer(_Answer):
    """What somebody does now."""

    who: Name
    posture: Name = ""
    action: Phrase = ""
    holding: Annotated[list[str], _texts(6, NAME_CHARS)] = []
    attention: Phrase = ""
    cites: Cites = []


class SceneAnswer(_Answer):
    """Whether the scene ended here, and where the story goes on."""

    ended: Annotated[bool, _flag(False)] = False
    why: Annotated[
        Literal["", "left_place", "time_skip", "parted"],
        _one_of("left_place", "time_skip", "parted", otherwise=""),
    ] = ""
    next_place: Name = ""
    next_place_type: Name = ""
    moved: Annotated[list[str], _texts(8, NAME_CHARS)] = []
    cites: Cites = []


def _items(most: int) -> BeforeValidator:
    return BeforeValidator(lambda value: value[:most] if isinstance(value, list) else [])


class DigestAnswer(_Answer):
    """What an exchange changed. Each list item stands by itself: a bad one is left out, the others count."""

    feelings: Annotated[list[FeelingAnswer], _items(20)] = []
    facts: Annotated[list[FactAnswer], _items(20)] = []
    activities: Annotated[list[DoingAnswer], _items(20)] = []
    minutes: Annotated[int, _number(0, MOST_MINUTES, 0)] = 0
    minutes_cites: Cites = []
    weather: Name = ""
    weather_cites: Cites = []
    significance: Annotated[int, _number(0, 3, 1)] = 1
    scene: Annotated[SceneAnswer, _part(SceneAnswer)] = Field(default_factory=SceneAnswer)


class FeelingSummaryAnswer(_Answer):
    """A feeling toward one person, summed up after a scene."""

    target: Name
    summary: Sentence


class SceneMemoryAnswer(_Answer):
    """What one witness keeps of a whole scene."""

    memory: Annotated[str, _text(1_200)] = ""
    significance: Annotated[int, _number(0, 3, 1)] = 1
    feelings: Annotated[list[FeelingSummaryAnswer], _items(8)] = []


def warm() -> None:
    """Build what the first turn asks for now, so that it need not wait."""
    DigestAnswer.model_rebuild()
