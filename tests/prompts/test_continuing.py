"""Where a continuation meets what stood there: no word twice, none run into another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.prompts.continuing import HELD_CHARS, Seam, continuing, joined

BEFORE = "She sets the lamp on the sill and turns to the"


@pytest.mark.parametrize(
    ("added", "whole"),
    [
        (" window. Rain.", f"{BEFORE} window. Rain."),
        ("ory of it", f"{BEFORE}ory of it"),
        (f"{BEFORE} window.", f"{BEFORE} window."),
        ("and turns to the window.", f"{BEFORE} window."),
        ("", BEFORE),
        (BEFORE, BEFORE),
        (BEFORE[:20], BEFORE),
    ],
)
def test_a_server_that_completes_text_is_taken_at_its_word(added: str, whole: str) -> None:
    assert joined(BEFORE, added, is_literal=True) == whole


@pytest.mark.parametrize(
    ("before", "added", "whole"),
    [
        (BEFORE, "window. Rain.", f"{BEFORE} window. Rain."),
        ('"Wait," she says.', "Rain falls.", '"Wait," she says.\n\nRain falls.'),
        ("She waits.", '"Well?"', 'She waits.\n\n"Well?"'),
        ("She waits,", "and waits.", "She waits, and waits."),
        ("She says, “", "Go.”", "She says, “Go.”"),
    ],
)
def test_an_instructed_model_begins_a_new_word(before: str, added: str, whole: str) -> None:
    assert joined(before, added, is_literal=False) == whole


@given(
    before=st.text("ab .\n", min_size=1, max_size=60),
    added=st.text("ab .\n", max_size=3 * HELD_CHARS),
    cuts=st.lists(st.integers(0, 3 * HELD_CHARS), max_size=6),
    is_literal=st.booleans(),
)
def test_how_it_arrives_in_pieces_makes_no_difference(
    before: str, added: str, cuts: list[int], is_literal: bool
) -> None:
    seam, shown, at = Seam(before, is_literal=is_literal), "", 0
    for cut in sorted(cuts):
        shown += seam.add(added[at:cut])
        at = max(at, min(cut, len(added)))
    shown += seam.add(added[at:])
    assert before + shown + seam.close() == joined(before, added, is_literal=is_literal)


def test_the_two_ways_to_ask() -> None:
    prompt = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    told = continuing(prompt, BEFORE, as_instruction=False)
    assert [one["role"] for one in told] == ["system", "user", "assistant"]
    assert told[-1]["content"] == BEFORE
    told = continuing(prompt, f"One.\n\n{BEFORE}", as_instruction=True)
    assert [one["role"] for one in told][-2:] == ["assistant", "user"]
    assert told[-1]["content"].endswith(f"{BEFORE}]")
