"""Names for moments: given what there is, when a name is given or taken, then these events."""

from __future__ import annotations

import pytest

from chat.domain import checkpoints
from chat.domain.chats import Branch, Chat
from chat.domain.checkpoints import NAME_CHARS, Checkpoint
from chat.domain.events import CheckpointNamed, CheckpointRemoved
from chat.errors import BlankText, NotFound, Refused, TextTooLong

CHAT = Chat(
    id="c",
    title="",
    bot_ids=("b",),
    you_id="y",
    continuity="main",
    branch_id="two",
    archived=False,
    created_at="",
)
BRANCHES = {
    "one": Branch(id="one", chat_id="c", parent_id=None, fork_step=0, reason="start", created_at=""),
    "two": Branch(id="two", chat_id="c", parent_id="one", fork_step=4, reason="rewind", created_at=""),
}
KEPT = Checkpoint(id="k", chat_id="c", branch_id="one", step=3, name="Before", created_at="")


@pytest.mark.parametrize(("step", "lies_on"), [(3, "one"), (4, "one"), (5, "two")])
def test_a_name_is_kept_with_the_branch_on_which_its_step_lies(step: int, lies_on: str) -> None:
    (new,) = checkpoints.name(CHAT, BRANCHES, "two", step, " The  start ", "k")
    assert (new.stream, new.branch_id, new.step) == ("library", None, None)
    named = CheckpointNamed(chat_id="c", checkpoint_id="k", branch_id=lies_on, step=step, name="The start")
    assert new.data == named


def test_another_name_says_what_it_was_called_before() -> None:
    (new,) = checkpoints.rename(KEPT, "c", "After")
    assert new.data == CheckpointNamed(
        chat_id="c", checkpoint_id="k", branch_id="one", step=3, name="After", prior="Before"
    )
    assert checkpoints.rename(KEPT, "c", " Before") == []


def test_a_name_is_taken_away_once_and_in_its_own_chat() -> None:
    (new,) = checkpoints.remove(KEPT, "c")
    assert new.data == CheckpointRemoved(chat_id="c", checkpoint_id="k", name="Before")
    for found, chat_id in ((None, "c"), (KEPT, "other")):
        with pytest.raises(NotFound):
            checkpoints.remove(found, chat_id)
        with pytest.raises(NotFound):
            checkpoints.rename(found, chat_id, "x")


@pytest.mark.parametrize(
    ("called", "refusal"), [(" \n", BlankText), ("x" * (NAME_CHARS + 1), TextTooLong), ("a\u202eb", Refused)]
)
def test_what_is_no_name_is_refused_with_a_sentence(called: str, refusal: type[Refused]) -> None:
    with pytest.raises(refusal) as refused:
        checkpoints.name(CHAT, BRANCHES, "one", 1, called, "k")
    assert refused.value.message.endswith(".")
