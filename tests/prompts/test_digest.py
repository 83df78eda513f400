"""The question about a reply: what the server has read already is not told again, the rest in full."""

from __future__ import annotations

from chat.prompts.answers import DigestAnswer
from chat.prompts.digest import MARK, DigestInput, DigestLine, digest_messages, other_task
from chat.prompts.templates import DIGEST
from tests.support.prompt_inputs import count

LONG = "The lamp turned and turned above the bay while the tide went out and the boats lay down in the mud."
GIVEN = DigestInput(
    names=("Mira", "Alex", "Tomas"),
    place="the old quay",
    state=(("Mira", "standing"),),
    lines=(
        DigestLine(1, "Alex", LONG, is_above=True),
        DigestLine(2, "Alex", f"(whispering to Tomas) {LONG}"),
        DigestLine(3, "Mira", '"Yes."', is_above=True),
    ),
)
BEFORE = [
    {"role": "system", "content": "You are Mira."},
    {"role": "user", "content": LONG},
    {"role": "assistant", "content": '"Yes."'},
]


def test_asked_by_itself_it_tells_every_line_in_full() -> None:
    messages = digest_messages(GIVEN, 4_000, count).messages
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[1]["content"].count(LONG) == 2


def test_behind_the_reply_it_goes_on_from_the_same_messages() -> None:
    messages = digest_messages(GIVEN, 4_000, count, BEFORE).messages
    assert messages[:3] == BEFORE
    assert messages[3]["role"] == "user"


def test_behind_the_reply_only_what_the_prompt_did_not_hold_is_told_in_full() -> None:
    question = digest_messages(GIVEN, 4_000, count, BEFORE).messages[-1]["content"]
    assert "[1] Alex: The lamp turned" in question
    assert f"[2] Alex: (whispering to Tomas) {LONG}" in question
    assert '[3] Mira: "Yes."' in question
    assert question.count(LONG) == 1


TOLD = [
    {"role": "system", "content": f"You are Mira.\n\n{other_task('Mira')}\n\nPlace: the old quay"},
    *BEFORE[1:],
]


def test_where_the_task_was_told_before_the_question_only_reminds_of_it() -> None:
    messages = digest_messages(GIVEN, 4_000, count, TOLD).messages
    assert messages[:3] == TOLD
    assert messages[3]["content"].startswith(f"{MARK}\n")
    assert "significance" not in messages[3]["content"]


def test_where_the_prompt_had_no_room_for_the_task_the_question_tells_it() -> None:
    question = digest_messages(GIVEN, 4_000, count, BEFORE).messages[-1]["content"]
    assert MARK not in question
    assert question.startswith(DIGEST.block("task"))


def test_the_present_is_not_told_again_where_the_notes_just_said_it() -> None:
    noted = [*TOLD[:1], {"role": "user", "content": "Place: the old quay\nMira: standing\n\nHello."}, TOLD[2]]
    again = digest_messages(GIVEN, 4_000, count, noted).messages[-1]["content"]
    first = digest_messages(GIVEN, 4_000, count, TOLD).messages[-1]["content"]
    assert ("Place: the old quay" in first, "Mira: standing" in first) == (True, True)
    assert ("Place: the old quay" in again, "Mira: standing" in again) == (False, False)


def test_both_ways_of_asking_name_the_same_fields() -> None:
    fields = DIGEST.block("fields")
    assert fields in DIGEST.block("task")
    assert fields in other_task("Mira")
    for name in DigestAnswer.model_fields:
        assert f"{name}:" in fields or f"- {name} (" in fields
