"""What each entity of a chat is doing right now; one row for each chat and entity."""

from __future__ import annotations

from chat.domain.events import ActivityChange, Event
from chat.domain.records import Record


class Activity(Record, frozen=True):
    table = "activities"
    key = ("chat_id", "entity")
    chat_id: str
    entity: str
    container_id: str
    slot: str
    posture: str
    action: str
    attention: str
    holding: tuple[str, ...]
    status: str
    is_interruptible: bool
    required_attention: str
    expected_minutes: int | None
    revision: int = 0

    def sentence(self) -> str:
        """Posture, action and what is held, as one phrase for a prompt or a page."""
        held = f"holding {', '.join(self.holding)}" if self.holding else ""
        return ", ".join(part for part in (self.posture, self.action, held, self.status) if part)


def changed(chat_id: str, event: Event, data: ActivityChange) -> Activity:
    return Activity(
        chat_id=chat_id,
        entity=data.entity,
        container_id=data.container_id,
        slot=data.slot,
        posture=data.posture,
        action=data.action,
        attention=data.attention,
        holding=data.holding,
        status=data.status,
        is_interruptible=data.is_interruptible,
        required_attention=data.required_attention,
        expected_minutes=data.expected_minutes,
        revision=event.id,
    )
