"""Counting words in memories is quick, and counts what a careful pattern would."""

from __future__ import annotations

import re

import pytest

from chat.domain.likeness import is_later_telling
from chat.domain.memories import Memory
from chat.domain.voices import Voices, stem_of

TEXTS = (
    "Alex: Camping, camped; the camp! A de-camp and under_camped _camper.\nMira: camp camp",
    "Mira: Ökonomie und Straße, STRASSE.\nAlex: naïve “quoted” wörter—joined",
    "no speaker\nAlex: 猫が好き camp猫 7camp camp7",
    "",
)


def memory(text: str, event_id: int = 1) -> Memory:
    return Memory(
        event_id=event_id,
        id=f"m{event_id}",
        owner="mira",
        continuity="main",
        chat_id="a",
        turn_id="t",
        scene_id="s",
        text=text,
        scope="s",
        at="",
        source="direct",
        reliability=1.0,
        significance=1,
    )


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("word", ["camping", "camp", "straße", "strasse", "wörter", "猫", "7", "joined"])
def test_words_are_counted_by_how_they_begin(text: str, word: str) -> None:
    spoken = [re.sub(r"^(alex|mira): ", "", line) for line in text.casefold().split("\n")]
    expected = len(re.findall(rf"\b{re.escape(stem_of(word))}", "\n".join(spoken)))
    assert Voices(["Alex", "Mira"]).times(memory(text), word) == expected


def test_two_memories_are_never_taken_for_each_other() -> None:
    voices = Voices(["Alex", "Mira"])
    one, other = memory("Alex: the lamp and the lamp", 1), memory("Mira: the boat", 2)
    assert (voices.times(one, "lamp"), voices.times(other, "lamp"), voices.times(one, "boat")) == (2, 0, 0)


def test_what_was_found_is_shared_out_among_those_who_said_it() -> None:
    voices = Voices(["Alex", "Mira"])
    both = memory("Alex: the lamp is lit\nMira: the lamp, the boat")
    assert voices.share(both, {"mira"}, {"boat": 1.0}) == 1.0
    assert voices.share(both, {"mira"}, {"lamp": 1.0}) == 0.5
    assert voices.share(both, {"mira"}, {"lamp": 1.0, "boat": 1.0}) == 0.75


def test_a_sentence_told_anew_is_known_by_the_words_that_were_asked_for() -> None:
    before, after = "My sister is called Ann now.", "My sister is called Eva now."
    assert is_later_telling(after, before, {"sister"})
    assert not is_later_telling(after, before, {"brother"})
    assert not is_later_telling(after, after, {"sister"})


def test_the_memories_that_hold_a_word_are_those_in_which_it_is_counted() -> None:
    voices = Voices(["Alex", "Mira"])
    memories = [memory(text, number) for number, text in enumerate(TEXTS)]
    for word in ("camping", "strasse", "wörter", "nothing"):
        counted = {one.event_id for one in memories if voices.times(one, word)}
        assert voices.holding(memories, word) == counted
