"""What parts of a page say, from the facts they are given."""

from __future__ import annotations

from typing import Any

import pytest

from chat.domain.library import Library
from chat.domain.segments import parse_segments
from chat.domain.turns import Turn
from chat.engine.run import RunStatus
from chat.web.views import faces, last_reply, transcript
from chat.web.views.faces import Server
from chat.web.views.status import status_view


def turn(number: int, role: str = "assistant", **values: Any) -> Turn:
    place = {"id": f"t{number}", "chat_id": "c", "branch_id": "b", "step": number, "speaker": "bot"}
    return Turn(
        **(
            place
            | {"role": role, "text": f"Turn {number}.", "scene_id": "s1", "at": "2024-03-14T20:00:00Z"}
            | values
        )
    )


def shown(turns: list[Turn], **how: Any) -> list[transcript.Entry]:
    places = {"s1": "The pier", "s2": "The train"}
    return transcript.entries(turns, Library(), places, **({"is_end": True, "server": Server()} | how))


def test_a_heading_stands_where_the_scene_changes_and_an_hour_where_time_jumps() -> None:
    entries = shown(
        [
            turn(1),
            turn(2, at="2024-03-14T20:29:00Z"),
            turn(3, at="2024-03-14T21:00:00Z"),
            turn(4, scene_id="s2", at="2024-03-15T06:00:00Z"),
        ]
    )
    assert [entry.heading and entry.heading.place for entry in entries] == [
        "The pier",
        None,
        None,
        "The train",
    ]
    assert [entry.hour for entry in entries[:3]] == ["", "", "Thursday 14 March 2024, 21:00"]
    assert entries[3].heading
    assert entries[3].heading.time == "Friday 15 March 2024, 06:00"


def test_only_the_last_reply_at_the_end_can_be_written_again() -> None:
    turns = [turn(1), turn(2, "user"), turn(3)]
    assert [entry.again for entry in shown(turns)] == ["", "", "Write it again"]
    assert not any(entry.again for entry in shown(turns, is_end=False))
    assert not any(entry.again for entry in shown([turn(1, origin="opening")]))
    assert not any(entry.again for entry in shown([turn(1, is_running=True)]))


def test_a_window_that_begins_in_a_scene_says_so_and_one_that_begins_with_it_or_with_a_jump_does_not() -> (
    None
):
    def goes_on(prior: Turn | None) -> bool:
        heading = shown([turn(2), turn(3)], prior=prior)[0].heading
        assert heading
        assert heading.place == "The pier"
        return heading.goes_on

    assert goes_on(turn(1))
    assert not goes_on(None)
    assert not goes_on(turn(1, scene_id="s2"))
    assert not goes_on(turn(1, at="2024-03-13T08:00:00Z"))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, ""),
        (
            {"truncated": True, "stop_reason": "complete"},
            "The reply ended here, because it reached the length set in Settings.",
        ),
        ({"truncated": True, "stop_reason": "user_stop"}, "You stopped this reply here."),
        (
            {
                "truncated": True,
                "stop_reason": "error",
                "error_message": "The key was refused.",
                "error_next_step": "Check it.",
            },
            "The key was refused.",
        ),
    ],
)
def test_a_reply_that_is_not_whole_says_why(values: dict[str, Any], sentence: str) -> None:
    shown = faces.face(turn(1, **values))
    assert (shown.what if shown else "") == sentence


def test_the_status_line_always_says_what_happens_and_what_to_do() -> None:
    broken = turn(2, stop_reason="user_stop", truncated=True)
    idle = RunStatus("idle", "")
    assert status_view(idle, None).sentence == "Your turn. Write what happens next."
    assert status_view(idle, turn(1)).sentence == "Your turn. Write what happens next."
    assert status_view(idle, broken).sentence.startswith("The last reply is not whole. Have it written again")
    said, aside = (turn(1, "user", segments=parse_segments(text)) for text in ("Hello.", "((Slower.))"))
    assert status_view(idle, said).sentence.startswith("Nobody has answered this yet.")
    assert status_view(idle, aside).sentence == "Your turn. Write what happens next."
    running = status_view(RunStatus("thinking", "Mira is writing.", "t3"), turn(1, "user"))
    assert (running.sentence, running.turn_id) == ("Mira is writing. Read along, or stop it.", "t3")
    assert status_view(RunStatus("reasoning", "", "t3"), None).sentence.endswith("Read along, or stop it.")
    behind = status_view(RunStatus("summarizing", "Taking note of what changed."), turn(1))
    assert (behind.sentence, behind.turn_id) == (
        "Taking note of what changed. You can write on meanwhile.",
        None,
    )


def test_the_drawer_tells_what_a_prompt_held_and_what_it_did_not() -> None:
    def section(name: str, tokens: int, *, trimmed: bool = False, clipped: bool = False) -> dict[str, Any]:
        return {"name": name, "tokens": tokens, "trimmed": trimmed, "clipped": clipped}

    manifest = {
        "total_tokens": 1428,
        "hard_tokens": 8000,
        "sections": [
            section("identity", 400),
            section("voice_samples", 90, clipped=True),
            section("backstory", 700, trimmed=True),
        ],
        "turns": 12,
        "turns_tokens": 830,
        "turns_left_out": ["t1"],
        "player_tokens": 20,
    }
    prompt = last_reply.prompt(manifest)
    assert prompt.summary == "1,428 of at most 8,000 tokens"
    assert [tuple(one) for one in prompt.sections] == [
        ("Identity", 400),
        ("Voice samples", 90),
        ("12 earlier turns", 830),
        ("Your words", 20),
    ]
    assert prompt.notes == [
        "Left out for want of room: backstory.",
        "Shortened: voice samples.",
        "1 older turn was left out for want of room.",
    ]
