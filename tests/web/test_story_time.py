"""Story time: what is typed is what is shown, wherever the player sits."""

from __future__ import annotations

import pytest

from chat.web import story_time
from chat.web.portraits import monogram, speaker_hue


@pytest.mark.parametrize(
    ("at", "spoken", "clock"),
    [
        ("2024-03-14T20:40:00Z", "Thursday 14 March 2024, 20:40", "Thu 14 Mar, 20:40"),
        ("0812-06-01T05:00:00Z", "Friday 1 June 812, 05:00", "Fri 1 Jun, 05:00"),
        ("2024-03-14T23:30:00-02:00", "Friday 15 March 2024, 01:30", "Fri 15 Mar, 01:30"),
        ("", "", ""),
        ("soon", "", ""),
    ],
)
def test_times_are_told_in_words(at: str, spoken: str, clock: str) -> None:
    assert (story_time.spoken(at), story_time.clock(at)) == (spoken, clock)


@pytest.mark.parametrize("at", ["2024-03-31T02:30:00Z", "0812-06-01T05:00:00Z", "9998-12-31T23:59:00Z"])
def test_a_form_gives_back_the_time_it_was_given(at: str) -> None:
    assert story_time.from_input(*story_time.for_input(at), "never") == at


def test_what_is_no_date_leaves_the_time_as_it_was() -> None:
    assert story_time.from_input("", "", "2024-03-14T20:40:00Z") == "2024-03-14T20:40:00Z"
    assert story_time.from_input("31 March", "25:00", "kept") == "kept"
    assert story_time.from_input("2024-03-14", "", "kept") == "2024-03-14T00:00:00Z"


def test_a_reader_is_told_when_much_time_has_passed() -> None:
    assert story_time.has_jumped("2024-03-14T20:00:00Z", "2024-03-14T20:30:00Z")
    assert not story_time.has_jumped("2024-03-14T20:00:00Z", "2024-03-14T20:29:00Z")
    assert not story_time.has_jumped("", "2024-03-14T20:29:00Z")


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Mira", "M"),
        ("Mira Vale", "MV"),
        ("anselm okonkwo-brandt jr", "AJ"),
        ("Ada Alt", "AA"),
        ("…", "·"),
        ("", "·"),
        ("Ömer", "Ö"),
        ("ß", "S"),
        ("李 小龙", "李小"),
    ],
)
def test_a_portrait_is_a_letter_or_two(name: str, letters: str) -> None:
    assert monogram(name) == letters


def test_a_speaker_keeps_its_hue() -> None:
    assert speaker_hue("you:1") == speaker_hue("you:1")
    yours = {speaker_hue(f"you:{number}") for number in range(200)}
    theirs = {speaker_hue(f"bot {number}") for number in range(200)}
    assert not yours & theirs
    assert yours | theirs == {f"speaker-{number}" for number in range(8)}
