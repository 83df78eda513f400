"""Story time in words. A story has one clock and no time zone: the hour that was typed is the hour that is shown.

It is stored as UTC, so no summer time and no journey of the player ever moves a story's evening.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

_JUMP_MINUTES = 30


def read(at: str) -> datetime | None:
    """The time an event holds; None for nothing or for what is no time."""
    try:
        read_at = datetime.fromisoformat(at)
    except ValueError:
        return None
    return read_at.astimezone(UTC) if read_at.tzinfo else read_at.replace(tzinfo=UTC)


def spoken(at: str) -> str:
    """Thursday 14 March 2024, 20:40."""
    time = read(at)
    return f"{time:%A} {time.day} {time:%B} {time.year}, {time:%H:%M}" if time else ""


def clock(at: str) -> str:
    """Thu 14 Mar, 20:40: for narrow places."""
    time = read(at)
    return f"{time:%a} {time.day} {time:%b}, {time:%H:%M}" if time else ""


def for_input(at: str) -> tuple[str, str]:
    """Date and time as the two fields of a form hold them."""
    time = read(at)
    return (f"{time.year:04}-{time:%m-%d}", f"{time:%H:%M}") if time else ("", "")


def from_input(day: str, hour: str, default: str) -> str:
    """The two fields as an event holds them; the default where they are no date."""
    time = read(f"{day}T{hour or '00:00'}") if day else None
    return time.isoformat(timespec="seconds").replace("+00:00", "Z") if time else default


def has_jumped(before: str, after: str) -> bool:
    """True when so much story time passed between two turns that a reader should be told."""
    earlier, later = read(before), read(after)
    return bool(earlier and later and (later - earlier).total_seconds() >= _JUMP_MINUTES * 60)


def spoken_wait(seconds: int) -> str:
    """A wait of the player's own time: "42 seconds", "15 minutes"."""
    count, unit = (seconds, "second") if seconds < 100 else (math.ceil(seconds / 60), "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"
