"""Nothing a viewer did not witness survives in the text made for that viewer, in whatever order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain.segments import Kind, Segment, parse_segments
from chat.domain.witness import witnessed_text, witnesses

YOU, MIRA, TOM, ABSENT = "you:1", "bot:mira", "bot:tom", "bot:absent"
PRESENT = (YOU, MIRA, TOM)
NAMES = {"Mira": MIRA, "Old Tom": TOM, "Absent": ABSENT}
KINDS: tuple[Kind, ...] = ("narration", "dialogue", "action", "ooc", "whisper", "thought")


def hears(kind: str, to: tuple[str, ...], speaker: str, viewer: str) -> bool:
    """The rule written down a second time, the other way round: for one viewer."""
    if kind == "ooc":
        return False
    if viewer == speaker:
        return True
    return viewer in PRESENT and (
        kind in ("narration", "dialogue", "action") or (kind == "whisper" and viewer in to)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_speaker_receiver_and_viewer(kind: Kind) -> None:
    for speaker, to, viewer in itertools.product(
        PRESENT, ((), (MIRA,), (ABSENT,), (MIRA, TOM)), (*PRESENT, ABSENT)
    ):
        heard = witnesses(Segment(kind, "x", to), speaker, PRESENT)
        assert (viewer in heard) is hears(kind, to, speaker, viewer), (kind, speaker, to, viewer)


def test_each_of_three_hears_their_own_part() -> None:
    said = (
        '*sits* "Evening." ((brb))\n/whisper Mira the key is red\n'
        '/whisper "Old Tom" bring rope\n/think I lie\n"So."'
    )
    parts = parse_segments(said, NAMES)
    sits, key, rope, so = (
        '*sits* "Evening."\n',
        "(whispering to Mira) the key is red\n",
        "(whispering to Old Tom) bring rope\n",
        '"So."',
    )
    assert witnessed_text(parts, YOU, PRESENT, MIRA) == sits + key + so
    assert witnessed_text(parts, YOU, PRESENT, TOM) == sits + rope + so
    assert witnessed_text(parts, YOU, PRESENT, YOU) == f"{sits}{key}{rope}(thinking) I lie\n{so}"
    assert witnessed_text(parts, YOU, PRESENT, ABSENT) == ""


def test_a_whisper_to_nobody_is_heard_by_the_speaker_alone() -> None:
    parts = parse_segments("/whisper Miranda the key is red", NAMES)
    assert witnessed_text(parts, YOU, PRESENT, YOU) == "(whispering) Miranda the key is red"
    assert witnessed_text(parts, YOU, PRESENT, MIRA) == ""


def test_what_was_wholly_heard_reads_as_it_was_written() -> None:
    text = 'He  waits.\n\n\n   "Well?"\n- one\n- two'
    assert witnessed_text(parse_segments('He  waits.\n\n   "Well?"\n- one'), YOU, PRESENT, MIRA) == (
        'He  waits.\n\n   "Well?"\n- one'
    )
    assert witnessed_text(parse_segments(text), YOU, PRESENT, MIRA) == text.replace("\n\n\n   ", "\n\n   ")


def test_a_paragraph_break_behind_something_unheard_stays() -> None:
    assert witnessed_text(parse_segments("One. ((x))\n\nTwo."), YOU, PRESENT, MIRA) == "One.\n\nTwo."
    assert witnessed_text(parse_segments('"One ((x)) two"'), YOU, PRESENT, MIRA) == '"One two"'


@st.composite
def turns(draw: st.DrawFn) -> list[Segment]:
    """Segments whose every word says who may hear it, so that a leak shows in the text."""
    made = []
    for number in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(KINDS))
        to = (
            tuple(draw(st.lists(st.sampled_from((MIRA, TOM, ABSENT)), unique=True)))
            if kind == "whisper"
            else ()
        )
        cue = "/whisper X " if kind == "whisper" else "/think " if kind == "thought" else ""
        words = f"word{number}" + draw(st.sampled_from((" ", "\n", "\n\n", " \n \n ", "")))
        made.append(Segment(kind, cue + words, to, len(cue)))
    return made


@given(turns(), st.sampled_from(PRESENT), st.sampled_from((*PRESENT, ABSENT)))
def test_exactly_what_was_heard_survives_in_order(made: list[Segment], speaker: str, viewer: str) -> None:
    text = witnessed_text(made, speaker, PRESENT, viewer)
    should = [
        f"word{number}" for number, part in enumerate(made) if hears(part.kind, part.to, speaker, viewer)
    ]
    places = [text.find(word) for word in should]
    assert -1 not in places
    assert places == sorted(places)
    assert text.count("word") == len(should)
    assert text == text.strip()


@given(st.text(alphabet='ab*"()\n /whisperMiathnk', max_size=80), st.sampled_from((MIRA, TOM)))
def test_an_aside_planted_anywhere_never_reaches_anyone(text: str, viewer: str) -> None:
    for place in range(0, len(text) + 1, 7):
        planted = text[:place] + "((SECRET))" + text[place:]
        assert "SECRET" not in witnessed_text(parse_segments(planted, NAMES), YOU, PRESENT, viewer)
