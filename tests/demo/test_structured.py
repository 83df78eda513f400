"""Structured answers are valid for their schema, and a kickoff says what the prose says."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from chat.prompts.answers import KickoffAnswer
from chat.prompts.kickoff import kickoff_messages
from tests.demo.client import Demo


class Level(StrEnum):
    low = "low"
    medium = "medium"
    high = "high"


class Activity(BaseModel):
    posture: str
    action: str
    attention: str
    holding: list[str]
    interruptible: bool
    required_attention: Level
    expected_minutes: int | None


class Place(BaseModel):
    name: str
    type: str
    moving: bool
    public: bool
    audible_range: Literal["none", "near", "room", "far"]


class Kickoff(BaseModel):
    place: Place
    start_time: str
    you: Activity
    bot: Activity
    feeling_summary: str
    facts: list[str]
    affinity: Annotated[int, Field(ge=0, le=100)]
    trust: Annotated[int, Field(ge=0, le=100)]
    opening: str


class Node(BaseModel):
    name: Annotated[str, Field(min_length=3, max_length=8)]
    child: Node | None
    ratio: Annotated[float, Field(gt=0, lt=1)]
    steps: Annotated[int, Field(ge=7, multiple_of=5)]
    tags: Annotated[list[Level], Field(min_length=2)]
    depth: int = 4
    either: int | str
    fixed: Literal["only"]


def ask(demo: Demo, model: type[BaseModel], prose: str, system: str = "You are Maren.") -> dict[str, Any]:
    wanted = {"name": model.__name__, "schema": model.model_json_schema(), "strict": True}
    messages = [{"role": "system", "content": system}, {"role": "user", "content": prose}]
    text = demo.reply(
        messages, model="demo-classifier", response_format={"type": "json_schema", "json_schema": wanted}
    )
    model.model_validate_json(text, strict=False)
    return dict(json.loads(text))


def test_a_kickoff_is_read_from_its_prose(demo: Demo) -> None:
    prose = (
        "It is just after midnight in the kitchen of the old inn. Maren leans on the counter, holding a chipped mug, "
        "and watches the door. You sit by the stove with a letter in your hand. She trusts you, more or less."
    )
    answer = ask(demo, Kickoff, prose)
    assert answer["place"]["name"] == "Kitchen of the old inn"
    assert answer["place"]["public"] is False
    assert answer["start_time"].endswith("T00:15:00")
    assert (answer["bot"]["posture"], answer["you"]["posture"]) == ("leaning", "sitting")
    assert answer["bot"]["holding"] == ["a chipped mug"]
    assert answer["bot"]["attention"] == "the door"
    assert answer["you"]["holding"] == ["a letter"]
    assert answer["feeling_summary"] == "She trusts you, more or less."
    assert answer["affinity"] == 60
    assert answer["opening"] == prose
    assert answer["facts"][0].startswith("It is just after midnight")


@pytest.mark.parametrize(
    ("prose", "place", "time", "moving"),
    [
        ("7 pm. We share a compartment on the night train to Oslo.", "Night train", "T19:00:00", True),
        ("At dawn Maren stands on the pier, mending a net.", "Pier", "T06:00:00", False),
        ("You meet at Kell Harbour at 18:45, in the rain.", "Kell Harbour", "T18:45:00", False),
        (
            "The lobby of the old hotel at two in the morning. Rain.",
            "Lobby of the old hotel",
            "T02:00:00",
            False,
        ),
        ("The garden, a little after nine on a warm summer evening.", "Garden", "T21:00:00", False),
        ("Two men wait in the morning fog by the gate.", "", "T08:30:00", False),
        ("A small kitchen, half past six in the evening.", "Small kitchen", "T18:30:00", False),
        ("Two strangers, and nothing else is known.", "", "", False),
    ],
)
def test_places_and_times_are_found_in_many_forms(
    demo: Demo, prose: str, place: str, time: str, moving: bool
) -> None:
    answer = ask(demo, Kickoff, prose)
    assert answer["place"]["name"] == place
    assert answer["place"]["moving"] is moving
    assert answer["start_time"].endswith(time)
    assert bool(answer["start_time"]) is bool(time)


def test_prose_in_a_tag_is_taken_without_what_stands_around_it(demo: Demo) -> None:
    answer = ask(
        demo,
        Kickoff,
        "Read this opening.\n<kickoff>\nMaren sits in the park at noon.\n</kickoff>\nThank you.",
    )
    assert answer["opening"] == "Maren sits in the park at noon."
    assert answer["place"]["name"] == "Park"


def test_any_other_schema_gets_a_minimal_valid_instance(demo: Demo) -> None:
    answer = ask(demo, Node, "anything")
    assert answer["child"] is None
    assert answer["depth"] == 4
    assert answer["fixed"] == "only"
    assert answer["tags"] == ["low", "low"]


def test_blank_and_odd_prose_is_still_answered_validly(demo: Demo) -> None:
    for prose in (
        "",
        "🙂",
        "at",
        "You " * 3000,
        "in the " * 2000,
        "25:99 o'clock",
        "Привет из Москвы, в полночь.",
    ):
        assert ask(demo, Kickoff, prose)["opening"] == prose.strip()


def test_json_object_takes_the_schema_from_the_messages_or_answers_an_empty_object(demo: Demo) -> None:
    schema = json.dumps(Kickoff.model_json_schema())
    form = {"type": "json_object"}
    system = {"role": "system", "content": f"Answer with JSON for this schema: ```{schema}```"}
    prose = {"role": "user", "content": "Maren sits in the park at noon."}
    answer = Kickoff.model_validate_json(demo.reply([system, prose], response_format=form))
    assert answer.place.name == "Park"
    assert demo.reply([prose], response_format=form) == "{}"


def test_a_structured_answer_can_be_streamed(demo: Demo) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": Node.model_json_schema()}}
    messages = [{"role": "user", "content": "x"}]
    chunks = demo.chunks(messages, response_format=form)
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == demo.reply(messages, response_format=form)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/Missing"},
        {"$ref": "#"},
        {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
        {"type": "object", "properties": 7},
    ],
)
def test_a_schema_that_cannot_be_answered_is_a_bad_request(demo: Demo, schema: dict[str, Any]) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = demo.ask([{"role": "user", "content": "x"}], response_format=form)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "response_format"


def test_the_programs_own_kickoff_question_is_answered_as_it_asks(demo: Demo) -> None:
    prose = (
        "Seven o'clock in the morning at the harbour. {{char}} sits on a crate, mending a net. "
        "{{user}} stands by the rail."
    )
    asked = kickoff_messages(bot_name="Maren", you_name="Sam", prose=prose)
    form = {
        "type": "json_schema",
        "json_schema": {"name": "kickoff", "schema": KickoffAnswer.model_json_schema()},
    }
    answer = KickoffAnswer.model_validate_json(
        demo.reply(asked, model="demo-classifier", response_format=form)
    )
    assert (answer.place.name, answer.place.public, answer.start_time[-8:]) == ("Harbour", True, "07:00:00")
    assert (answer.bot.posture, answer.you.posture) == ("sitting", "standing")
    assert answer.bot.action == "mending a net"
    assert answer.opening.endswith("Sam stands by the rail.")
