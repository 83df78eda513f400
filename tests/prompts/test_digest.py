"""The question about a reply: what the server has read already is not told again, the rest in full."""

from __future__ import annotations

from chat.prompts.digest import DigestInput, DigestLine, digest_messages
from tests.support.prompt_inputs import count

LONG = "The lamp turned and turned above the bay while the tide went out and the boats lay down in the mud."
GIVEN = DigestInput(
    names=("Mira", "Alex", "Tomas"),
    place="the old quay",
    state=("Mira was standing.",),
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
