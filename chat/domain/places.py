"""Places (containers): where things happen, nested, some of them moving."""

from __future__ import annotations

from chat.domain.events import ContainerCreated, Event
from chat.domain.records import Record


class Place(Record, frozen=True):
    table = "containers"
    id: str
    chat_id: str
    name: str
    container_type: str
    parent_id: str | None
    is_moving: bool
    is_public: bool
    audible_range: str
    revision: int = 0


def created(chat_id: str, event: Event, data: ContainerCreated) -> Place:
    return Place(
        id=data.container_id,
        chat_id=chat_id,
        name=data.name,
        container_type=data.container_type,
        parent_id=data.parent_id,
        is_moving=data.is_moving,
        is_public=data.is_public,
        audible_range=data.audible_range,
        revision=event.id,
    )
