"""Dates and times of the calendar named in words, as spans of story days. Only for finding; never changes a clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
_UNITS = {"day": 1, "week": 7, "month": 30, "year": 365}

_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_NUMBER = r"(?P<{name}>\d{{1,2}})(?:st|nd|rd|th)?"
_DATED = re.compile(
    rf"\b(?:{_NUMBER.format(name='first')}\s+(?:of\s+)?)?{_MONTH}\b"
    rf"(?:\s+{_NUMBER.format(name='second')}(?!\d))?(?:,?\s+(?P<year>\d{{4}})\b)?"
)
_YEAR = re.compile(r"\b(?:1\d|20)\d\d\b")
_AGO = re.compile(
    rf"\b(?P<count>\d{{1,3}}|{'|'.join(_COUNTS)})\s+(?P<unit>{'|'.join(_UNITS)})s?\s+(?:ago|before)\b"
)
_LAST = re.compile(rf"\blast\s+(?P<what>night|week|month|year|{'|'.join([*_SEASONS, *_DAYS])})\b")
_YESTERDAY = re.compile(r"\b(?P<far>the day before )?yesterday\b")

Span = tuple[str, str]
"""First day and the day after the last, as ISO dates: they compare with story times as text."""


def spans(text: str, now: str, cautious: bool = True) -> list[Span]:
    """The spans of days a text names, seen from story time `now`; relative ones need a `now`.

    `cautious`: a bare "may" or "march" in lower case is a word, not a month.
    """
    folded = text.casefold()
    found = [*_absolute(text, folded, cautious)]
    try:
        today = date.fromisoformat(now[:10])
    except ValueError:
        return found
    return [*found, *_relative(folded, today)]


def _absolute(text: str, folded: str, cautious: bool) -> Iterator[Span]:
    if len(text) != len(folded):  # a letter that grows when folded; positions no longer agree
        text = folded
    years_taken = []
    for match in _DATED.finditer(folded):
        start = match.start("month")
        day = match["first"] or match["second"]
        if cautious and match["month"] in ("may", "march") and not day and text[start].islower():
            continue
        years_taken.append(match["year"])
        yield from _dated(match["year"], _MONTHS.index(match["month"]) + 1, day)
    for year in _YEAR.findall(folded):
        if year not in years_taken:
            yield f"{year}-01-01", f"{int(year) + 1:04}-01-01"


def _dated(year: str | None, month: int, day: str | None) -> Iterator[Span]:
    """Without a year: of every year, which a span can not say, so a month is told as `--05` or `--05-08`."""
    if year is None:
        yield f"--{month:02}" + (f"-{int(day):02}" if day else ""), ""
        return
    try:
        first = date(int(year), month, int(day) if day else 1)
    except ValueError:
        return
    yield _around(first, 1) if day else (first.isoformat(), _next_month(first).isoformat())


def _next_month(first: date) -> date:
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1)


def _around(day: date, slack: int) -> Span:
    return (day - timedelta(days=slack)).isoformat(), (day + timedelta(days=slack + 1)).isoformat()


def _relative(folded: str, today: date) -> Iterator[Span]:
    try:
        for match in _YESTERDAY.finditer(folded):
            day = today - timedelta(days=2 if match["far"] else 1)
            yield day.isoformat(), (day + timedelta(days=1)).isoformat()
        for match in _AGO.finditer(folded):
            count = _COUNTS.get(match["count"]) or int(match["count"])
            length = _UNITS[match["unit"]]
            yield _around(today - timedelta(days=count * length), length // 2)
        for match in _LAST.finditer(folded):
            yield _last(match["what"], today)
    except OverflowError:
        return


def _last(what: str, today: date) -> Span:
    """The last whole one before today; of a season the latest that has begun and is not this month's."""
    if what == "night":
        return (today - timedelta(days=1)).isoformat(), (today + timedelta(days=1)).isoformat()
    if what == "week":
        monday = today - timedelta(days=today.weekday() + 7)
        return monday.isoformat(), (monday + timedelta(days=7)).isoformat()
    if what == "month":
        first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
        return first.isoformat(), today.replace(day=1).isoformat()
    if what == "year":
        return f"{today.year - 1:04}-01-01", f"{today.year:04}-01-01"
    if what in _DAYS:
        day = today - timedelta(days=(today.weekday() - _DAYS.index(what) - 1) % 7 + 1)
        return day.isoformat(), (day + timedelta(days=1)).isoformat()
    return _last_season(_SEASONS[what], today)


def _last_season(month: int, today: date) -> Span:
    year = today.year if today >= _quarter_end(today.year, month) else today.year - 1
    return date(year, month, 1).isoformat(), _quarter_end(year, month).isoformat()


def _quarter_end(year: int, month: int) -> date:
    return date(year + 1, month - 9, 1) if month > 9 else date(year, month + 3, 1)


def falls_in(at: str, span: Span) -> bool:
    """Whether a story time lies in a span."""
    first, after = span
    if first.startswith("--"):
        month, _, day = first[2:].partition("-")
        return at[5:7] == month and (not day or abs(int(at[8:10] or 0) - int(day)) <= 1)
    return first <= at[:10] < after
