"""The player's personas. Each is an entity of its own, chosen per chat; exactly one is the default.

No bot ever sees a persona's text, only its optional appearance.
"""

from __future__ import annotations

from chat.domain.events import NewEvent, YouAuthored, library
from chat.domain.records import Record
from chat.errors import BlankText


class Person(Record, frozen=True):
    table = "people"
    id: str
    name: str
    pronouns: str
    persona: str
    appearance: str
    is_default: bool
    updated_at: str
    portrait: str = ""


def entity_id(new_id: str) -> str:
    """The entity id of a persona: `you:` and a ULID, so that no bot can have it."""
    return f"you:{new_id}"


def is_you(entity: str) -> bool:
    return entity.startswith("you:")


def author(data: YouAuthored) -> list[NewEvent]:
    if not data.name.strip():
        raise BlankText(
            "Your persona needs a name.", "Write the name the bots should call you by.", field="name"
        )
    return [library(data)]
