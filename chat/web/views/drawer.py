"""What is true now: the scene, who is there, what they feel, and what the last reply was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from chat.domain.edges import Edge
from chat.domain.library import Library
from chat.domain.world import World
from chat.web import story_time

_CARRIES = {
    "none": "nothing is heard outside",
    "near": "voices carry a step or two",
    "room": "voices fill the room",
    "far": "voices carry far",
}


class PersonView(NamedTuple):
    id: str
    name: str
    doing: str


class FeelingView(NamedTuple):
    source: str
    target: str
    affinity: int
    trust: int
    summary: str
    facts: tuple[str, ...]


class SectionView(NamedTuple):
    name: str
    tokens: int


class PromptView(NamedTuple):
    summary: str
    sections: list[SectionView]
    lines: list[str]


@dataclass(frozen=True)
class DrawerView:
    place: str
    place_words: str
    time: str
    present: list[PersonView]
    feelings: list[FeelingView]
    prompt: PromptView | None


def drawer(world: World, library: Library, manifest: Mapping[str, Any] | None) -> DrawerView:
    place = world.place()
    words = [place.container_type, _CARRIES.get(place.audible_range, "")] if place else []
    if place and place.is_public:
        words.append("others come and go")
    if place and place.is_moving:
        words.append("moving")
    return DrawerView(
        place=place.name if place else "",
        place_words=", ".join(word for word in words if word),
        time=story_time.spoken(world.state.clock_at),
        present=[_person(entity, world, library) for entity in world.state.present],
        feelings=[_feeling(edge, library) for edge in world.edges.values()],
        prompt=_prompt(manifest) if manifest else None,
    )


def as_json(view: DrawerView) -> dict[str, Any]:
    return {
        "place": view.place,
        "time": view.time,
        "present": [person._asdict() for person in view.present],
        "feelings": [feeling._asdict() for feeling in view.feelings],
        "prompt": {
            "summary": view.prompt.summary,
            "sections": [section._asdict() for section in view.prompt.sections],
            "notes": view.prompt.lines,
        }
        if view.prompt
        else None,
    }


def _person(entity: str, world: World, library: Library) -> PersonView:
    activity = world.activities.get(entity)
    return PersonView(entity, library.name_of(entity), activity.sentence() if activity else "")


def _feeling(edge: Edge, library: Library) -> FeelingView:
    return FeelingView(
        library.name_of(edge.source),
        library.name_of(edge.target),
        edge.affinity,
        edge.trust,
        edge.summary,
        edge.facts,
    )


def _prompt(manifest: Mapping[str, Any]) -> PromptView:
    """Sizes of the parts that were sent, and sentences about what was not."""
    sent = [one for one in manifest.get("sections", ()) if not one["trimmed"]]
    sections = [SectionView(_words(one["name"]), one["tokens"]) for one in sent]
    if manifest.get("turns_tokens"):
        sections.append(SectionView(f"{manifest['turns']} earlier turns", manifest["turns_tokens"]))
    if manifest.get("player_tokens"):
        sections.append(SectionView("Your words", manifest["player_tokens"]))
    summary = f"{manifest.get('total_tokens', 0):,} of at most {manifest.get('hard_tokens', 0):,} tokens"
    return PromptView(summary, sections, list(_left_out(manifest)))


def _left_out(manifest: Mapping[str, Any]) -> Iterator[str]:
    trimmed = [_words(one["name"]).lower() for one in manifest.get("sections", ()) if one["trimmed"]]
    clipped = [_words(one["name"]).lower() for one in manifest.get("sections", ()) if one["clipped"]]
    if trimmed:
        yield f"Left out for want of room: {', '.join(trimmed)}."
    if clipped:
        yield f"Shortened: {', '.join(clipped)}."
    if count := len(manifest.get("turns_left_out", ())):
        yield f"{count} older {'turn was' if count == 1 else 'turns were'} left out for want of room."
    used = sum(1 for one in manifest.get("memories", ()) if one["used"])
    if used:
        yield f"{used} {'memory was' if used == 1 else 'memories were'} recalled."
    for one in manifest.get("withheld", ()):
        yield f"Withheld: {one['what']} ({one['why']})."


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", ", ").capitalize()
