"""The world fold: what is open in one chat on its selected line. Closed things are rows it never needs back.

So the cost of one event, and of loading a chat, does not grow with its story.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from chat.domain import activities, edges, edits, memories, places, resets, scenes, versions
from chat.domain.activities import Activity
from chat.domain.edges import Edge
from chat.domain.events import (
    ActivityChange,
    AssistantTurn,
    AssistantTurnStarted,
    BotReset,
    ClockAdvanced,
    ContainerCreated,
    ContinuationStarted,
    DigestFinished,
    EdgeSeeded,
    EdgeSummarySet,
    EdgeUpdate,
    EntityEntered,
    EntityLeft,
    Erased,
    Event,
    ManualEdit,
    MemoriesConsolidated,
    MemoryKeyed,
    MemoryPinChanged,
    MemoryRewritten,
    MemorySignificanceSet,
    MemoryWritten,
    NewEvent,
    SceneClosed,
    SceneOpened,
    TurnContinued,
    TurnEdited,
    UserTurn,
    UserTurnEdit,
    WeatherChanged,
)
from chat.domain.memories import Witness
from chat.domain.pins import Pin
from chat.domain.places import Place
from chat.domain.records import Change, Put, Record, Set
from chat.domain.scenes import Scene
from chat.domain.versions import TurnVersion


class ChatState(Record, frozen=True):
    """The scalar part of a world: story time in UTC, weather, who is present, where the line stands.

    `fixed` names the values the player set by hand, such as "clock" or "edge:<source>><target>:trust"; `resets` the
    step from which on a bot that was reset remembers. `note` is the author's note of this chat, `note_stands` its
    place in a prompt.
    """

    table = "chat_state"
    key = ("chat_id",)
    chat_id: str
    head_step: int = 0
    clock_at: str = ""
    weather: str = ""
    narrative_anchor: str = ""
    scene_id: str | None = None
    present: tuple[str, ...] = ()
    running_turn_id: str | None = None
    last_ts: str = ""
    fixed: tuple[str, ...] = ()
    setting_revision: int = 0
    note: str = ""
    note_stands: str = "last"
    note_revision: int = 0
    resets: dict[str, int] = {}


class World(msgspec.Struct, frozen=True):
    """One chat as it stands. `edges` is keyed by (source, target), `activities` by entity."""

    state: ChatState
    scene: Scene | None = None
    places: dict[str, Place] = {}
    activities: dict[str, Activity] = {}
    edges: dict[tuple[str, str], Edge] = {}
    pins: tuple[Pin, ...] = ()

    @property
    def chat_id(self) -> str:
        return self.state.chat_id

    def edge(self, source: str, target: str) -> Edge:
        """What `source` feels toward `target`; neutral when they never met."""
        return self.edges.get((source, target)) or Edge(chat_id=self.chat_id, source=source, target=target)

    def place(self) -> Place | None:
        """Where the open scene is."""
        return self.places.get(self.scene.container_id) if self.scene else None


def empty(chat_id: str) -> World:
    return World(ChatState(chat_id=chat_id))


Step = tuple[World, list[Change]]


def evolve(world: World, event: Event) -> Step:
    """The world after one visible event of its chat, and the rows that changed. Turn rows come from `turns.changes`."""
    after, changes = told(world, event)
    after = standing(after, event.step or 0, event.ts)
    changes.append(Put(after.state))
    return after, changes


def told(world: World, event: Event) -> Step:
    """The same without where the line stands then, which many events in a row need only once: see `standing`."""
    return _CASES[type(event.data)](world, event, event.data)


def standing(world: World, step: int, ts: str) -> World:
    """The world with the last of its events at this time, and none of them beyond this step but those before."""
    return _state(world, head_step=max(world.state.head_step, step), last_ts=ts)


def foreseen(world: World, events: Sequence[NewEvent]) -> World:
    """The world as it will be once these have happened: to decide what else happens with them, and not to be kept."""
    for new in events:
        data = new.data
        event = Event(0, new.stream, new.branch_id, new.step, data.kind, data.version, "", None, data)
        world, _ = evolve(world, event)
    return world


def _state(world: World, **values: Any) -> World:
    return replace(world, state=replace(world.state, **values))


def _container_created(world: World, event: Event, data: ContainerCreated) -> Step:
    place = places.created(world.chat_id, event, data)
    return replace(world, places={**world.places, place.id: place}), [Put(place)]


def _activity_change(world: World, event: Event, data: ActivityChange) -> Step:
    if resets.is_before(world, data.entity, event):
        return world, []
    activity = activities.changed(world.chat_id, event, data)
    return replace(world, activities={**world.activities, activity.entity: activity}), [Put(activity)]


def _clock_advanced(world: World, event: Event, data: ClockAdvanced) -> Step:
    return _state(world, clock_at=data.at, setting_revision=event.id), []


def _scene_opened(world: World, event: Event, data: SceneOpened) -> Step:
    scene = scenes.opened(world.chat_id, data)
    after = _state(replace(world, scene=scene), scene_id=scene.id)
    return after, [Put(scene)]


def _scene_closed(world: World, event: Event, data: SceneClosed) -> Step:
    values = {"closed_at": data.at, "significance": data.significance, "reason": data.reason}
    change = Set(Scene.table, (data.scene_id,), values)
    if world.scene is None or world.scene.id != data.scene_id:
        return world, [change]
    return _state(replace(world, scene=None), scene_id=None), [change]


def _entity_entered(world: World, event: Event, data: EntityEntered) -> Step:
    present = tuple(sorted({*world.state.present, data.entity}))
    return _state(world, present=present), []


def _entity_left(world: World, event: Event, data: EntityLeft) -> Step:
    return _state(world, present=tuple(one for one in world.state.present if one != data.entity)), []


def _user_turn(world: World, event: Event, data: UserTurn) -> Step:
    return world, []


def _assistant_turn_started(world: World, event: Event, data: AssistantTurnStarted) -> Step:
    return _state(world, running_turn_id=data.turn_id), []


def _assistant_turn(world: World, event: Event, data: AssistantTurn) -> Step:
    if world.state.running_turn_id == data.turn_id:
        return _state(world, running_turn_id=None), []
    return world, []


def _turn_edited(world: World, event: Event, data: UserTurnEdit | TurnEdited) -> Step:
    return world, [Put(versions.edited(world.chat_id, event, data))]


def _continuation_started(world: World, event: Event, data: ContinuationStarted) -> Step:
    return _state(world, running_turn_id=data.turn_id), []


def _turn_continued(world: World, event: Event, data: TurnContinued) -> Step:
    version = Put(versions.continued(world.chat_id, event, data))
    if world.state.running_turn_id == data.turn_id:
        return _state(world, running_turn_id=None), [version]
    return world, [version]


def _edge_seeded(world: World, event: Event, data: EdgeSeeded) -> Step:
    if resets.is_before(world, data.source, event):
        return world, []
    edge = edges.seeded(world.chat_id, event, data)
    return replace(world, edges={**world.edges, (edge.source, edge.target): edge}), [Put(edge)]


def _edge_update(world: World, event: Event, data: EdgeUpdate) -> Step:
    if resets.is_before(world, data.source, event):
        return world, []
    edge, change = edges.updated(world.edge(data.source, data.target), event, data)
    return replace(world, edges={**world.edges, (edge.source, edge.target): edge}), [Put(edge), Put(change)]


def _memory_written(world: World, event: Event, data: MemoryWritten) -> Step:
    if resets.is_before(world, data.owner, event):
        return world, []
    memory = memories.written(world.chat_id, event, data)
    seen_by = [
        Put(Witness(memory_id=data.memory_id, entity=entity, chat_id=world.chat_id))
        for entity in data.witnesses
    ]
    return world, [Put(memory), *seen_by]


def _memory(event: Event, memory_id: str, **values: Any) -> Set:
    return Set(memories.Memory.table, (memory_id,), {**values, "revision": event.id})


def _memory_significance_set(world: World, event: Event, data: MemorySignificanceSet) -> Step:
    return world, [_memory(event, data.memory_id, significance=data.significance)]


def _memory_keyed(world: World, event: Event, data: MemoryKeyed) -> Step:
    return world, [_memory(event, data.memory_id, keys=msgspec.json.encode(data.keys).decode())]


def _memory_rewritten(world: World, event: Event, data: MemoryRewritten) -> Step:
    return world, [_memory(event, data.memory_id, text=data.text)]


def _memory_pin_changed(world: World, event: Event, data: MemoryPinChanged) -> Step:
    if resets.is_before(world, data.owner, event):
        return world, []
    others = tuple(pin for pin in world.pins if pin.memory_id != data.memory_id)
    kept = (*others, Pin(data.memory_id, data.owner, data.by_hand)) if data.pinned else others
    values = {
        "pinned": int(data.pinned),
        "auto_pinned": int(data.pinned and not data.by_hand),
        "pin_event_id": event.id if data.pinned else 0,
    }
    return replace(world, pins=kept), [_memory(event, data.memory_id, **values)]


def _memories_consolidated(world: World, event: Event, data: MemoriesConsolidated) -> Step:
    return world, [_memory(event, memory_id, consolidated=1) for memory_id in data.memory_ids]


def _edge_summary_set(world: World, event: Event, data: EdgeSummarySet) -> Step:
    if resets.is_before(world, data.source, event):
        return world, []
    edge = replace(
        world.edge(data.source, data.target), summary=data.summary, revision=event.id, last_at=event.ts
    )
    return replace(world, edges={**world.edges, (edge.source, edge.target): edge}), [Put(edge)]


def _weather_changed(world: World, event: Event, data: WeatherChanged) -> Step:
    return _state(world, weather=data.weather, setting_revision=event.id), []


def _digest_finished(world: World, event: Event, data: DigestFinished) -> Step:
    """That of a reply itself is kept in its row, see `turns.changes`."""
    if not data.continued:
        return world, []
    return world, [Set(TurnVersion.table, (data.turn_id, event.step or 0), {"digest_outcome": data.outcome})]


def _erased(world: World, event: Event, data: Erased) -> Step:
    """Its step stays taken: what was said next must not come to lie where a name or a fork still leads."""
    return world, []


def _manual_edit(world: World, event: Event, data: ManualEdit) -> Step:
    fixed = tuple(sorted({*world.state.fixed, *data.fixes} - {*data.releases}))
    after, changes = edits.CASES[data.what](_state(world, fixed=fixed), event, data)
    return after, changes


_CASES: dict[type, Callable[[World, Event, Any], Step]] = {
    ContainerCreated: _container_created,
    ActivityChange: _activity_change,
    ClockAdvanced: _clock_advanced,
    SceneOpened: _scene_opened,
    SceneClosed: _scene_closed,
    EntityEntered: _entity_entered,
    EntityLeft: _entity_left,
    UserTurn: _user_turn,
    AssistantTurnStarted: _assistant_turn_started,
    AssistantTurn: _assistant_turn,
    UserTurnEdit: _turn_edited,
    TurnEdited: _turn_edited,
    ContinuationStarted: _continuation_started,
    TurnContinued: _turn_continued,
    EdgeSeeded: _edge_seeded,
    EdgeUpdate: _edge_update,
    MemoryWritten: _memory_written,
    MemorySignificanceSet: _memory_significance_set,
    MemoryKeyed: _memory_keyed,
    MemoryRewritten: _memory_rewritten,
    MemoryPinChanged: _memory_pin_changed,
    MemoriesConsolidated: _memories_consolidated,
    EdgeSummarySet: _edge_summary_set,
    WeatherChanged: _weather_changed,
    DigestFinished: _digest_finished,
    ManualEdit: _manual_edit,
    BotReset: resets.folded,
    Erased: _erased,
}
