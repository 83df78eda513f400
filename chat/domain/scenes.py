"""Scenes: a stretch of story at one place with the same people."""

from __future__ import annotations

from chat.domain.events import SceneOpened
from chat.domain.records import Record


class Scene(Record, frozen=True):
    """`closed_at` is empty while the scene is open; `significance` 0..3 is judged at its close."""

    table = "scenes"
    id: str
    chat_id: str
    container_id: str
    participants: tuple[str, ...]
    opened_at: str
    closed_at: str = ""
    significance: int = 0
    reason: str = ""


def opened(chat_id: str, data: SceneOpened) -> Scene:
    return Scene(
        id=data.scene_id,
        chat_id=chat_id,
        container_id=data.container_id,
        participants=data.participants,
        opened_at=data.at,
    )
