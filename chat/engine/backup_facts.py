"""What is said of backups and of going back to one, as plain data: the same for pages, scripts and the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chat.store.backup_folder import Backup
from chat.store.restore import Preview

_MINUTE_S = 60
REASONS = {
    "daily": "daily",
    "by-hand": "made by hand",
    "before-restore": "before going back",
    "before-delete": "before deleting for good",
    "after-delete": "after deleting for good",
}


def backup_facts(one: Backup, now: datetime) -> dict[str, Any]:
    """`age_s` is None where nothing says when the backup was made, or where that lies in the future."""
    made = one.manifest
    age = (now - made_at).total_seconds() if (made_at := when(one)) else None
    return {
        "name": one.name,
        "made_at": made.created_at if made else None,
        "age_s": round(age) if age is not None and age >= 0 else None,
        "reason": made.reason if made else "",
        "size": one.size,
        "events": made.events if made else None,
        "chats": made.chats if made else None,
        "bots": made.bots if made else None,
        "verified": one.is_verified,
    }


def restore_facts(seen: Preview) -> dict[str, Any]:
    """What going back would come to, chat by chat."""
    chats = [change._asdict() for change in seen.chats]
    return {
        "name": seen.backup.name,
        "events": seen.facts.events,
        "present_events": seen.present.events if seen.present else None,
        "present_is_readable": seen.present is not None,
        "is_present": seen.present == seen.facts,
        "chats": chats,
        "gained": sum(change.gained for change in seen.chats),
        "lost": sum(change.lost for change in seen.chats),
    }


def when(one: Backup) -> datetime | None:
    """The moment a backup was made, in UTC; None where nothing sensible is told."""
    try:
        told = datetime.fromisoformat(one.manifest.created_at) if one.manifest else None
    except ValueError:
        return None
    return told.astimezone(UTC) if told and told.tzinfo else None


def why(reason: str) -> str:
    """The reason of a backup in words."""
    if reason.startswith("before-0"):
        return "before an update of the program"
    return REASONS.get(reason, reason or "not made by this program")


def ago(age_s: int | None) -> str:
    """An age in the largest unit that fits."""
    if age_s is None:
        return "of unknown age"
    return f"{span(age_s)} ago" if age_s >= _MINUTE_S else "just now"


def span(seconds: int) -> str:
    """A time of a minute or more in the largest unit that fits."""
    for unit, long_s in (("day", 86_400), ("hour", 3_600)):
        if seconds >= long_s:
            return _counted(seconds // long_s, unit)
    return _counted(seconds // _MINUTE_S, "minute")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'s' if count != 1 else ''}"


def size_of(count: int) -> str:
    """Bytes for a person."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{max(1, round(count / 1000))} kB"
