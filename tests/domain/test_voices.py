"""Counting words in memories is quick, and counts what a careful pattern would."""

from __future__ import annotations

import re

import pytest

from chat.domain.likeness import Tellings, Told, says_the_same
from chat.domain.memories import Memory
from chat.domain.voices import Voices, stem_of, times

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
    read = Voices(["Alex", "Mira"]).of([memory(text)])
    assert times(read, word).get(1, 0) == expected


def test_two_memories_are_never_taken_for_each_other() -> None:
    voices = Voices(["Alex", "Mira"])
    read = voices.of([memory("Alex: the lamp and the lamp", 1), memory("Mira: the boat", 2)])
    assert (times(read, "lamp"), times(read, "boat")) == ({1: 2}, {2: 1})


def test_a_memory_in_other_words_is_read_anew() -> None:
    for text, found in (("Alex: the lamp", {1: 1}), ("Alex: the boat", {}), ("Alex: the lamp", {1: 1})):
        assert times(Voices(["Alex", "Mira"]).of([memory(text)]), "lamp") == found
    assert Voices(["Mira"]).share(memory("Alex: the lamp"), {"alex"}, {"lamp": 1.0}) == 0.0


def test_what_was_found_is_shared_out_among_those_who_said_it() -> None:
    voices = Voices(["Alex", "Mira"])
    both = memory("Alex: the lamp is lit\nMira: the lamp, the boat")
    assert voices.share(both, {"mira"}, {"boat": 1.0}) == 1.0
    assert voices.share(both, {"mira"}, {"lamp": 1.0}) == 0.5
    assert voices.share(both, {"mira"}, {"lamp": 1.0, "boat": 1.0}) == 0.75


def is_later_telling(after: str, before: str, words: set[str]) -> bool:
    return Tellings({2: Told(after, words), 1: Told(before, words)}).is_later(2, 1)


def test_a_sentence_told_anew_is_known_by_the_words_that_were_asked_for() -> None:
    before, after = "My sister is called Ann now.", "My sister is called Eva now."
    assert is_later_telling(after, before, {"sister"})
    assert not is_later_telling(after, before, {"brother"})
    assert not is_later_telling(after, after, {"sister"})


@pytest.mark.parametrize("dash", ["-", "—"])
def test_sentences_are_the_same_in_plain_letters_and_in_others(dash: str) -> None:
    before = f"A boat{dash}one lay there! My_sister is called Ann now?\nSo it is."
    after = f"A lamp{dash}one stood here! My_sister is called Eva now?\nWas it so."
    assert is_later_telling(after, before, {"sisters", "boat"})
    assert not is_later_telling(after, before, {"boat", "lamp"})
    assert says_the_same(before, before.replace(dash, " ").upper())
    assert not says_the_same(before, after)


def test_only_words_found_in_both_are_compared() -> None:
    before, after = "My sister is called Ann now.", "My sister is called Eva now."
    tellings = Tellings(
        {2: Told(after, {"sister"}), 1: Told(before, {"called"}), 0: Told(before, {"sister"})}
    )
    assert (tellings.is_later(2, 1), tellings.is_later(2, 0)) == (False, True)
