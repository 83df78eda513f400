"""What is true now: the scene, who is there, what they feel and remember, and what stands behind the last reply."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from chat.domain.edges import Edge
from chat.domain.names import apart
from chat.domain.people import is_you
from chat.domain.places import Place
from chat.web import story_time
from chat.web.views import last_reply, remembered
from chat.web.views.drawer_facts import Facts
from chat.web.views.editors import Attempt, Editor, editor
from chat.web.views.last_reply import LastReply
from chat.web.views.remembered import Remembered

_CARRIES = {
    "none": "nothing is heard outside",
    "near": "voices carry a step or two",
    "room": "all who are here hear what is said",
    "far": "voices carry far",
}


class PersonView(NamedTuple):
    id: str
    name: str
    doing: str
    form: Editor | None


class FeelingView(NamedTuple):
    """`turn_id` is the turn that last moved it; `from_chat` the id and title of the chat it was carried over from."""

    source_id: str
    source: str
    target: str
    affinity: int
    trust: int
    summary: str
    facts: tuple[str, ...]
    reason: str
    turn_id: str
    from_chat: tuple[str, str] | None
    form: Editor


class Companion(NamedTuple):
    id: str
    name: str
    comes: bool


class CloseForm(msgspec.Struct, frozen=True):
    """Closing the scene by hand. Who comes along is asked only where there is a choice."""

    name: str
    place_type: str
    companions: list[Companion]
    sentence: str = ""
    is_open: bool = False


class DrawerView(msgspec.Struct, frozen=True):
    chat_id: str
    place: str
    place_words: str
    since: str
    time: str
    weather: str
    place_form: Editor | None
    clock_form: Editor
    weather_form: Editor
    close_form: CloseForm | None
    note: str
    note_form: Editor
    present: list[PersonView]
    feelings: list[FeelingView]
    remembered: list[Remembered]
    reply: LastReply | None

    def form(self, what: str, target: str) -> Editor | None:
        """The form of one thing, as far as the drawer shows it."""
        return next((one for one in self.forms if (one.what, one.target) == (what, target)), None)

    @property
    def forms(self) -> list[Editor]:
        found = [
            self.place_form,
            self.clock_form,
            self.weather_form,
            self.note_form,
            *(one.form for one in self.present),
            *(one.form for one in self.feelings),
            *(memory.form for one in self.remembered for memory in one.memories),
        ]
        return [one for one in found if one]


def drawer(facts: Facts, attempt: Attempt | None = None, full: str = "") -> DrawerView:
    """`attempt` is an edit that was refused; `full` a memory whose form is wanted however long its text is."""
    world = facts.world
    place = world.place()
    return DrawerView(
        chat_id=facts.chat.id,
        place=place.name if place else "",
        place_words=_place_words(place) if place else "",
        since=story_time.spoken(world.scene.opened_at) if world.scene else "",
        time=story_time.spoken(world.state.clock_at),
        weather=world.state.weather,
        place_form=editor(world, "place", place.id, "the place", attempt) if place else None,
        clock_form=editor(world, "clock", "", "the clock", attempt),
        weather_form=editor(world, "weather", "", "the weather", attempt),
        close_form=_close_form(facts, attempt) if world.scene else None,
        note=world.state.note,
        note_form=editor(world, "note", "", "the author's note", attempt),
        present=[_person(entity, facts, attempt) for entity in world.state.present],
        feelings=[_feeling(edge, facts, attempt) for edge in world.edges.values()],
        remembered=remembered.remembered(facts, attempt, full),
        reply=last_reply.last_reply(facts),
    )


def as_json(view: DrawerView) -> dict[str, Any]:
    return {
        "place": view.place,
        "since": view.since,
        "time": view.time,
        "weather": view.weather,
        "note": view.note,
        "present": [{"id": one.id, "name": one.name, "doing": one.doing} for one in view.present],
        "feelings": [
            {name: value for name, value in one._asdict().items() if name != "form"} for one in view.feelings
        ],
        "remembered": [remembered.as_json(one) for one in view.remembered],
        "last_reply": last_reply.as_json(view.reply),
        "editable": [one.as_json() for one in view.forms],
    }


def _place_words(place: Place) -> str:
    words = [
        place.container_type if place.container_type != "place" else "",
        _CARRIES.get(place.audible_range, ""),
        "others come and go" if place.is_public else "",
        "moving" if place.is_moving else "",
    ]
    return ", ".join(word for word in words if word)


def _person(entity: str, facts: Facts, attempt: Attempt | None) -> PersonView:
    name, activity = facts.library.name_of(entity), facts.world.activities.get(entity)
    if activity is None:
        return PersonView(entity, name, "", None)
    form = editor(facts.world, "activity", entity, f"what {apart(name)} is doing", attempt)
    attention = f"attention on {activity.attention}" if activity.attention else ""
    doing = ", ".join(part for part in (activity.sentence(), attention) if part)
    return PersonView(entity, name, doing, form)


def _feeling(edge: Edge, facts: Facts, attempt: Attempt | None) -> FeelingView:
    name_of = facts.library.name_of
    source, target = name_of(edge.source), name_of(edge.target)
    origin = facts.library.chats.get(edge.from_chat_id or "")
    return FeelingView(
        source_id=edge.source,
        source=source,
        target=target,
        affinity=edge.affinity,
        trust=edge.trust,
        summary=edge.summary,
        facts=edge.facts,
        reason=edge.last_reason,
        turn_id="" if edge.last_reason == "set by hand" else edge.last_turn_id or "",
        from_chat=(origin.id, origin.title) if origin else None,
        form=editor(
            facts.world,
            "edge",
            f"{edge.source}>{edge.target}",
            f"{apart(source)} toward {apart(target)}",
            attempt,
        ),
    )


def _close_form(facts: Facts, attempt: Attempt | None) -> CloseForm:
    mine = attempt if attempt and attempt.is_of("scene", "") else None
    typed = mine.typed if mine else {}
    moved = typed.get("moved", "").split()
    bots = [one for one in facts.world.state.present if not is_you(one)]
    return CloseForm(
        name=typed.get("name", ""),
        place_type=typed.get("place_type", ""),
        companions=[Companion(one, facts.library.name_of(one), mine is None or one in moved) for one in bots],
        sentence=mine.sentence if mine else "",
        is_open=mine is not None,
    )
