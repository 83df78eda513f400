"""A long memory is told by the sentences that belong to what is being talked about."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chat.prompts.excerpts import excerpt, words_of
from tests.support.prompt_inputs import count

IDLE = "The rain went on and on, and nobody said much about it. "
MEMORY = (
    f"Anna: {IDLE * 6}My sister is called Ruth. {IDLE * 4}\n"
    f"Mira: {IDLE * 3}I buried the key under the third stair. {IDLE}"
)


def test_a_short_memory_is_told_whole() -> None:
    assert excerpt("Anna: My sister is called Ruth.\n", words_of("key"), 40, count) == (
        "Anna: My sister is called Ruth."
    )


def test_what_was_asked_about_stands_in_the_excerpt_wherever_it_was_said() -> None:
    told = excerpt(MEMORY, words_of('"Where is the key? Under which stair?"'), 30, count)
    assert "I buried the key under the third stair." in told
    assert count(told) <= 30
    assert "called Ruth" in excerpt(MEMORY, words_of("What was your sister called?"), 30, count)


def test_sentences_keep_their_order_and_gaps_are_marked() -> None:
    told = excerpt(MEMORY, words_of("third stair sister"), 40, count)
    assert told.index("Ruth") < told.index("stair")
    assert "…" in told


def test_with_nothing_in_common_it_is_the_beginning() -> None:
    assert excerpt(MEMORY, words_of("zebra"), 20, count).startswith("Anna: The rain went on")


@given(st.text(max_size=400), st.text(max_size=60), st.integers(4, 60))
def test_an_excerpt_is_never_larger_and_has_no_words_of_its_own(text: str, near: str, limit: int) -> None:
    told = excerpt(text, words_of(near), limit, count)
    assert count(told) <= limit
    assert words_of(told) <= words_of(text) or told.endswith("…")
