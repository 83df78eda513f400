"""What Undo would take back, in words a player knows it by: not only that it was a rewind, but where to."""

from __future__ import annotations

from chat.domain.events import ManualEdit, MemoryPinChanged, SceneClosed
from chat.domain.history import AGAIN, CHECKPOINT, MOMENT, REDO, RETRY, REWIND, SWIPE, UNDO, Place
from chat.domain.library import Library
from chat.domain.lineage import lineage_of, owner_of
from chat.domain.names import apart
from chat.store import views
from chat.store.reading import Reader

WHAT: dict[str, str] = {
    "user_turn": "your last turn",
    "manual_edit": "the last change by hand",
    "memory_pin_changed": "the last pin",
    "scene_closed": "the close of the scene",
    "bot_reset": "the reset",
    REWIND: "the rewind",
    RETRY: "the new reply",
    AGAIN: "the rewritten turn",
    SWIPE: "the change of reply",
    MOMENT: "the change of branch",
    CHECKPOINT: "the return to a checkpoint",
    "user_turn_edit": "the change of a turn",
    "turn_edited": "the change of a turn",
    "continuation_started": "the continuation",
    UNDO: "the undo",
    REDO: "the redo",
}
_EDITS = {
    "activity": "your change of what {} does",
    "edge": "your change of what {} feels",
    "memory": "your change of a memory",
    "place": "your change of a place",
    "clock": "your change of the clock",
    "weather": "your change of the weather",
    "note": "your change of the author's note",
}
_WORDS = 32


def kind(place: Place) -> str:
    """What the action was, in short: the same words for all of its kind."""
    return WHAT.get(place.what, "the last change")


async def told(reader: Reader, library: Library, chat_id: str, place: Place) -> str:
    """What the action was, and which: where a rewind led, what a change by hand was about."""
    branches = {one.id: one for one in library.branches.values() if one.chat_id == chat_id}
    if place.branch_id not in branches:
        return kind(place)
    branch_id = owner_of(branches, place.branch_id, place.step)
    if place.what == REWIND:
        said = await views.said_at(reader, chat_id, branches, branch_id, place.step)
        if said:  # in the words that stood there then, on whichever line the story stands now
            line = ((branch_id, place.step), *lineage_of(branches, branch_id)[1:])
            (said,) = await views.as_told(reader, [(said, line)])
        words = shortened(said.text) if said else ""
        return f"the rewind to “{words}”" if words else kind(place)
    if place.what == CHECKPOINT:
        known = library.checkpoints.values()
        name = next((one.name for one in known if (one.branch_id, one.step) == (branch_id, place.step)), "")
        return f"the return to “{apart(name)}”" if name else kind(place)
    return await _of_event(reader, library, branch_id, place)


async def _of_event(reader: Reader, library: Library, branch_id: str, place: Place) -> str:
    found = await views.event_at(reader, branch_id, place.step, place.what)
    match found.data if found else None:
        case ManualEdit() as edit:
            return _EDITS.get(edit.what, kind(place)).format(
                library.spoken_name(edit.target.partition(">")[0])
            )
        case MemoryPinChanged() as pin:
            return "the pin of a memory" if pin.pinned else "letting go of a pin"
        case SceneClosed() as scene:
            name = await views.place_of_scene(reader, scene.scene_id)
            return f"the close of the scene at {apart(name)}" if name else kind(place)
        case _:
            return kind(place)


def shortened(text: str) -> str:
    """The first words of a turn."""
    words = " ".join(text.replace("*", "").replace("“", "").replace("”", "").replace('"', "").split())
    return words if len(words) <= _WORDS else words[:_WORDS].rsplit(" ", 1)[0] + " …"
