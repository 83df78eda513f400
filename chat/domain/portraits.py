"""Portraits: who has which picture. Only its id is known here; bots never see one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chat.domain.bots import Bot
from chat.domain.events import NewEvent, PortraitChanged, library
from chat.domain.people import Person
from chat.errors import NotFound

if TYPE_CHECKING:
    from chat.domain.library import Library


def known(shelf: Library, entity: str) -> Bot | Person:
    found = shelf.bots.get(entity) or shelf.people.get(entity)
    if found is None:
        raise NotFound("There is nobody of that name to have a portrait.")
    return found


def change(shelf: Library, entity: str, media_id: str) -> list[NewEvent]:
    """Another picture, or none for an empty id; nothing happens when it is the same."""
    prior = known(shelf, entity).portrait
    if prior == media_id:
        return []
    return [library(PortraitChanged(entity=entity, media_id=media_id, prior=prior))]
