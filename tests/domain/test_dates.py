"""Days named in words are found, and nothing else is taken for a day."""

from __future__ import annotations

import pytest

from chat.domain.dates import falls_in, spans

NOW = "2023-06-14T20:00:00Z"  # a Wednesday


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("What happened on 8 May 2023?", "2023-05-08", "2023-05-11"),
        ("What happened on May 8th, 2023?", "2023-05-09", "2022-05-08"),
        ("in July 2022", "2022-07-31", "2022-08-01"),
        ("when we met in December", "1999-12-24", "1999-11-30"),
        ("back in 1887", "1887-01-01", "1888-01-01"),
        ("what did we do yesterday?", "2023-06-13", "2023-06-14"),
        ("the day before yesterday", "2023-06-12", "2023-06-13"),
        ("last night", "2023-06-13", "2023-06-11"),
        ("last week you said", "2023-06-05", "2023-06-12"),
        ("last month", "2023-05-31", "2023-06-01"),
        ("last year", "2022-03-03", "2023-01-01"),
        ("last Wednesday", "2023-06-07", "2023-06-14"),
        ("last summer", "2022-07-15", "2023-06-10"),
        ("last winter", "2023-01-20", "2023-03-01"),
        ("three days ago", "2023-06-11", "2023-06-13"),
        ("2 weeks ago", "2023-05-31", "2023-06-13"),
    ],
)
def test_a_day_named_in_words_is_a_span(text: str, inside: str, outside: str) -> None:
    (span,) = spans(text, NOW)
    assert falls_in(f"{inside}T10:00:00Z", span)
    assert not falls_in(f"{outside}T10:00:00Z", span)


@pytest.mark.parametrize(
    "text", ["you may go", "march on!", "room 12", "", "31 February 2023", "9999999 years ago", "last orders"]
)
def test_other_words_name_no_day(text: str) -> None:
    assert spans(text, NOW) == []


def test_without_a_clock_only_the_calendar_counts() -> None:
    assert spans("yesterday", "") == []
    assert spans("yesterday", "0001-01-01T00:00:00Z") == []
    assert len(spans("in 1887", "")) == 1


def test_a_memory_without_a_time_falls_in_no_span() -> None:
    assert not any(
        falls_in("", span) for span in (("--05", ""), ("--05-08", ""), ("2023-01-01", "2024-01-01"))
    )
