"""Pinned memories: at most PIN_CAP for a bot in a chat. Pivotal memories pin themselves and push out the oldest
memory that pinned itself; what was pinned by hand is never pushed out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chat.domain.events import MemoryPinChanged, StoryPayload
from chat.errors import Refused

if TYPE_CHECKING:
    from chat.domain.world import World

PIN_CAP = 8


class Pin(msgspec.Struct, frozen=True):
    """One pinned memory of an owner; pins are kept oldest first."""

    memory_id: str
    owner: str
    by_hand: bool


def pins_of(world: World, owner: str) -> tuple[Pin, ...]:
    return tuple(pin for pin in world.pins if pin.owner == owner)


def pins_after(world: World, owner: str, memory_id: str) -> list[StoryPayload]:
    """The changes when a memory pins itself; none when it is pinned already or every place is taken by hand."""
    known = pins_of(world, owner)
    if any(pin.memory_id == memory_id for pin in known):
        return []
    events: list[StoryPayload] = []
    if len(known) >= PIN_CAP:
        oldest = next((pin for pin in known if not pin.by_hand), None)
        if oldest is None:
            return []
        events.append(_change(oldest.memory_id, owner, pinned=False, by_hand=False))
    return [*events, _change(memory_id, owner, pinned=True, by_hand=False)]


def pin(world: World, owner: str, memory_id: str, *, pinned: bool) -> list[StoryPayload]:
    """Pin or let go by hand. Raises Refused when every place is taken by hand."""
    known = pins_of(world, owner)
    mine = next((one for one in known if one.memory_id == memory_id), None)
    if mine is None and not pinned:
        return []
    if mine is not None and pinned and mine.by_hand:
        return []
    events: list[StoryPayload] = []
    if pinned and mine is None and len(known) >= PIN_CAP:
        oldest = next((one for one in known if not one.by_hand), None)
        if oldest is None:
            raise Refused(f"All {PIN_CAP} places are pinned by hand.", "Let one of them go first.")
        events.append(_change(oldest.memory_id, owner, pinned=False, by_hand=False))
    change = MemoryPinChanged(
        memory_id=memory_id, owner=owner, pinned=pinned, by_hand=True, prior_pinned=mine is not None
    )
    return [*events, change]


def _change(memory_id: str, owner: str, *, pinned: bool, by_hand: bool) -> MemoryPinChanged:
    return MemoryPinChanged(
        memory_id=memory_id, owner=owner, pinned=pinned, by_hand=by_hand, prior_pinned=not pinned
    )
